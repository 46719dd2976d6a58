"""The folder of a Space: what goes in, what is wrong with a spoiled one, its start, and its way to the Hub."""

import json
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import constants
from safetensors.numpy import save_file

from app.cli import main
from app.space import PARTS, assemble, locked, start
from app.space_checks import MOST_FILE, problems
from app.space_push import push, token_for
from diffusion_core import data
from diffusion_core.data import ROOT
from diffusion_core.errors import UserError

README = """---
title: Small
emoji: ✍️
colorFrom: blue
colorTo: gray
sdk: gradio
sdk_version: 6.31.0
python_version: "3.11"
app_file: demo.py
license: mit
short_description: A small Space
---
# Small
"""
GRADIO = "6.31.0"


@pytest.fixture
def small(tmp_path) -> Path:
    """A repository of a few bytes with every part that a Space needs; there is no git in it."""
    root = tmp_path / "small"
    for part in PARTS:
        if "." not in part and part != "LICENSE":
            (root / part).mkdir(parents=True)
            (root / part / "kept.txt").write_text("kept")
    for name in ("LICENSE", "LOG.md"):
        (root / name).write_text(name)
    (root / "README.md").write_text(README)
    (root / "requirements.txt").write_text("# What it needs.\nNumPy>=2,<3\njinja2>=3.1\n")
    (root / "requirements.lock").write_text(
        f"gradio-client==2.7.2 \\\n    --hash=x\ngradio=={GRADIO} \\\n    --hash=x\n"
    )
    (root / "demo.py").write_text("import json\n\nimport markupsafe\nimport numpy as np\n\nfrom app import page\n")
    save_file({"w": np.zeros(2, np.float32)}, root / "checkpoints" / "model.safetensors")
    return root


@pytest.fixture(scope="module")
def space(tmp_path_factory) -> Path:
    """The Space of this repository."""
    out = tmp_path_factory.mktemp("space") / "made"
    assemble(ROOT, out)
    return out


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


# ---------------------------------------------------------------- what goes in


def test_this_repository_is_a_space(space):
    assert problems(space, locked(ROOT, "gradio")) == []
    found = files(space)
    assert {"demo.py", "app/build.py", "eval/judge.py", "checkpoints/mnist/model.safetensors"} <= found
    assert not {name.split("/")[0] for name in found} & {"tests", "benchmarks", "Makefile", ".git"}


def test_it_starts_without_a_network_and_writes_nothing_into_its_folder(space):
    before = files(space)
    seconds, found = start(space)
    assert found == [] and seconds > 0
    assert files(space) == before


def test_git_decides_what_goes_in(small, tmp_path):
    def git(*arguments):
        subprocess.run(["git", "-C", str(small), *arguments], check=True, capture_output=True)

    git("init")
    git("add", ".")
    (small / "checkpoints" / "mine.safetensors").write_text("untracked")
    (small / "tests.py").write_text("tracked, but no part of it")
    git("add", "tests.py")
    assert assemble(small, tmp_path / "out") == len(files(tmp_path / "out"))
    assert "checkpoints/kept.txt" in files(tmp_path / "out")
    assert not {"checkpoints/mine.safetensors", "tests.py", "requirements.lock"} & files(tmp_path / "out")
    (small / "app" / "kept.txt").unlink()
    with pytest.raises(UserError, match=r"app/kept\.txt is tracked by git but missing"):
        assemble(small, tmp_path / "again")


def test_without_git_leftovers_stay_behind(small, tmp_path):
    for folder in ("app/__pycache__", "checkpoints/mnist/resume"):
        (small / folder).mkdir(parents=True)
        (small / folder / "state.safetensors").write_text("x")
    assemble(small, tmp_path / "out")
    assert not any("__pycache__" in name or "resume" in name for name in files(tmp_path / "out"))
    assert "checkpoints/model.safetensors" in files(tmp_path / "out")


def test_a_folder_that_is_not_empty_and_half_a_repository_are_refused(small, tmp_path):
    with pytest.raises(UserError, match="not empty"):
        assemble(small, small)
    (small / "LICENSE").unlink()
    with pytest.raises(UserError, match="LICENSE is missing"):
        assemble(small, tmp_path / "out")
    assert not (tmp_path / "out").exists()


# ---------------------------------------------------------------- what can be wrong


def large(folder: Path, name: str, size: int) -> None:
    with open(folder / name, "wb") as file:
        file.truncate(size)  # a hole: no block of the disk is used


def edited(folder: Path, old: str, new: str) -> None:
    text = (folder / "README.md").read_text()
    assert old in text
    (folder / "README.md").write_text(text.replace(old, new))


SPOILED = {
    "a large file": (lambda f: large(f, "data/big.npz", MOST_FILE), "data/big.npz: 10.0 MB"),
    "too much": (lambda f: [large(f, f"data/{i}", MOST_FILE - 1) for i in range(101)], "holds 1,010 MB"),
    "a pickle": (lambda f: (f / "checkpoints/model.pt").write_text("x"), "checkpoints/model.pt: a pickle"),
    "a pointer": (
        lambda f: (f / "checkpoints/model.safetensors").write_text("version https://git-lfs.github.com/spec/v1"),
        "checkpoints/model.safetensors: not a safetensors file",
    ),
    "a link": (lambda f: (f / "docs/link").symlink_to("/etc/hostname"), "docs/link: a symbolic link"),
    "a link to nothing": (lambda f: (f / "docs/link").symlink_to("nowhere"), "docs/link: a symbolic link"),
    ".env": (lambda f: (f / ".env").write_text("A=1"), ".env: looks like a secret"),
    "a token file": (lambda f: (f / "data/hf_token.txt").write_text("x"), "data/hf_token.txt: looks like a secret"),
    "a token": (lambda f: (f / "docs/a.md").write_text("hf_" + "a" * 34), "docs/a.md: looks like a secret"),
    "an import": (lambda f: (f / "app/x.py").write_text("import torch\nimport torch"), "app/x.py imports torch, "),
    "a late import": (lambda f: (f / "app/x.py").write_text("def f():\n    from absent import b"), "imports absent"),
    "no Python": (lambda f: (f / "app/x.py").write_text("def"), "app/x.py: no Python"),
    "no requirements": (lambda f: (f / "requirements.txt").unlink(), "requirements.txt is missing"),
    "no front matter": (lambda f: (f / "README.md").write_text("# Small"), "there is no front matter"),
    "no YAML": (lambda f: edited(f, "title: Small", "title: [Small"), "the front matter is no YAML"),
    "no title": (lambda f: edited(f, "title: Small\n", ""), "title is missing"),
    "no emoji": (lambda f: edited(f, "✍️", "pen"), "emoji is 'pen'"),
    "a colour": (lambda f: edited(f, "blue", "orange"), "colorFrom is 'orange'"),
    "another sdk": (lambda f: edited(f, "sdk: gradio", "sdk: static"), "sdk is 'static'. It must be gradio"),
    "another gradio": (lambda f: edited(f, GRADIO, "5.0.0"), f"sdk_version is '5.0.0'. It must be {GRADIO}"),
    "a bare version": (lambda f: edited(f, '"3.11"', "3.10"), "python_version is '3.1'"),
    "no such file": (lambda f: edited(f, "demo.py", "main.py"), "app_file is 'main.py'"),
    "no licence": (lambda f: edited(f, "license: mit\n", ""), "license is missing"),
    "a long text": (lambda f: edited(f, "A small Space", "x" * 61), "short_description is"),
}  # fmt: skip


@pytest.mark.parametrize("what", SPOILED)
def test_each_fault_is_one_line(small, what):
    spoil, line = SPOILED[what]
    assert problems(small, GRADIO) == []
    spoil(small)
    found = problems(small, GRADIO)
    assert len(found) == 1 and line in found[0] and "\n" not in found[0], found


def test_a_package_that_may_be_absent_needs_no_requirement(small):
    (small / "app" / "x.py").write_text("try:\n    import absent_a\nexcept ImportError:\n    import absent_b\n")
    assert ["absent_b" in line for line in problems(small, GRADIO)] == [True]


def test_a_page_that_does_not_start_is_a_problem(small):
    (small / "demo.py").write_text("raise SystemExit('The port is taken.')")
    assert start(small)[1] == [f"demo.py ended with exit code 1 (The port is taken.). Run it in {small} to see why."]


# ---------------------------------------------------------------- the command


def test_the_command_says_every_problem_and_fails(small, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(data, "ROOT", small)
    assert main(["space", "--out", str(tmp_path / "good"), "--no-start", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["problems"] == []
    (small / "data" / "model.pkl").write_text("x")
    (small / "data" / ".env").write_text("x")
    assert main(["space", "--out", str(tmp_path / "bad")]) == 1  # and its demo.py is not started
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("problem: ")]
    assert len(told) == 2 and "model.pkl" in told[1] and ".env" in told[0]


@pytest.mark.parametrize(("name", "line"), [("me/space", "no token"), ("space", "OWNER/NAME"), ("a/b/c", "OWNER/NAME")])
def test_without_token_or_name_nothing_begins(name, line, tmp_path, monkeypatch, capsys):
    for variable in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    assert main(["space", "--out", str(tmp_path / "out"), "--push", name]) == 2
    said = capsys.readouterr().err
    assert line in said and len(said.splitlines()) == 1 and not (tmp_path / "out").exists()


# ---------------------------------------------------------------- the Hub


class Hub(BaseHTTPRequestHandler):
    """As much of the Hub's interface as a push needs; `asked` holds (path, body) of every POST."""

    asked, refuse = [], False

    def do_GET(self):
        if self.refuse:
            self.answer({"error": "no right to read"}, 403)
            return
        self.answer([{"type": "file", "path": name, "size": 1, "oid": "0" * 40} for name in ("gone.py", "demo.py")])

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append((self.path, body))
        here = f"http://{self.headers['Host']}"
        if self.refuse:
            self.answer({"error": "no right to write"}, 403)
        elif "/preupload/" in self.path:
            names = [entry["path"] for entry in json.loads(body)["files"]]
            self.answer({"files": [{"path": n, "uploadMode": "regular", "shouldIgnore": False} for n in names]})
        elif "/commit/" in self.path:
            self.answer({"commitUrl": f"{here}/spaces/me/small/commit/1", "commitOid": "1"})
        elif self.path == "/api/repos/create":
            self.answer({"url": f"{here}/spaces/me/small"})
        else:
            self.answer({"errors": [], "warnings": []})

    def answer(self, value, status=200):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A Hub on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setattr(Hub, "asked", [])
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)  # it would keep a list in the user's cache,
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))  # and the uploader a log
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield Hub
    server.shutdown()
    server.server_close()


def test_a_push_makes_the_hub_hold_exactly_the_folder(small, hub):
    assert push(small, "me/small", "token").endswith("/spaces/me/small")
    made = json.loads(next(body for path, body in hub.asked if path == "/api/repos/create"))
    assert (made["name"], made["organization"], made["type"], made["sdk"]) == ("small", "me", "space", "gradio")
    commits = [body for path, body in hub.asked if "/api/spaces/me/small/commit/" in path]
    lines = [json.loads(line) for line in commits[0].splitlines()]
    sent = {line["value"]["path"] for line in lines if line["key"] == "file"}
    gone = {line["value"]["path"] for line in lines if line["key"] == "deletedFile"}
    assert len(commits) == 1 and sent == files(small) and gone == {"gone.py"}


def test_a_refused_push_is_one_line(small, hub, monkeypatch):
    monkeypatch.setattr(hub, "refuse", True)
    with pytest.raises(UserError, match="The Hub did not take me/small: .*403") as caught:
        push(small, "me/small", "token")
    assert "\n" not in str(caught.value)


def test_the_token_of_the_environment_is_found(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "from the environment")
    assert os.environ["HF_TOKEN"] == token_for("me/small")
