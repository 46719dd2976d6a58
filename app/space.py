"""The folder of a Hugging Face Space: put together from this repository, and started once."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

from diffusion_core.errors import UserError

# What runs, what it reads while it runs, and what README.md links to.
PARTS = (
    "demo.py",
    "app",
    "eval",
    "diffusion_core",
    "checkpoints",
    "data",
    "studies",
    "requirements.txt",
    "LICENSE",
    "README.md",
    "LOG.md",
    "docs",
)
UNTRACKED = {"__pycache__", "resume", "best"}  # folders that git would leave out, for a copy that came without git
WAIT = 120.0  # seconds the page may take to answer


def assemble(root: Path, out: Path) -> int:
    """Copy the Space's part of `root` into `out`, links as links; returns the number of files.

    `UserError` if `out` holds something already, or if a part is missing.
    """
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise UserError(f"{out} is not empty. Remove it, or give another folder.")
    names = sorted(tracked(root))
    for part in PARTS:
        if not any(name == part or name.startswith(f"{part}/") for name in names):
            raise UserError(f"{part} is missing in {root}. Run this in a checkout of the whole repository.")
    for name in names:
        source, target = root / name, out / name
        if not os.path.lexists(source):
            raise UserError(f"{name} is tracked by git but missing. Restore it: git checkout -- {name}")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target, follow_symlinks=False)
    return len(names)


def tracked(root: Path) -> Iterator[str]:
    """Names of the files that go along: those that git tracks, or all but leftovers where there is no git."""
    if (root / ".git").exists():
        command = ["git", "-C", str(root), "ls-files", "-z", "--", *PARTS]
        found = subprocess.run(command, capture_output=True, text=True)
        if found.returncode:
            raise UserError(f"git does not say what it tracks: {found.stderr.strip().splitlines()[-1]}")
        yield from filter(None, found.stdout.split("\0"))
        return
    for part in PARTS:
        for path in (root / part, *(root / part).rglob("*")):
            inside = path.relative_to(root)
            if (path.is_file() or path.is_symlink()) and not UNTRACKED & set(inside.parts):
                yield inside.as_posix()


def locked(root: Path, package: str) -> str:
    """The version of a package in requirements.lock; `UserError` if it is not there."""
    lock = root / "requirements.lock"
    found = re.search(rf"^{package}==([^ \\\n]+)", lock.read_text() if lock.is_file() else "", re.M)
    if not found:
        raise UserError(f"{lock} does not say the version of {package}. Run this in a checkout of the repository.")
    return found[1]


def start(folder: Path) -> tuple[float, list[str]]:
    """Run the folder's demo.py until /healthz answers: the seconds it took, and what went wrong."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Bytecode would become part of the folder, and other settings of this shell must not reach the page.
    told = {"HF_HUB_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": "1", "HOST": "127.0.0.1", "PORT": str(port)}
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONPATH" and not k.startswith("GRADIO_SERVER")}
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "demo.py"], cwd=folder, env=kept | told, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            while process.poll() is None and time.monotonic() - began < WAIT:
                if is_healthy(port):
                    return round(time.monotonic() - began, 1), []
                time.sleep(0.2)
            code = process.poll()
        finally:
            process.kill()
            process.wait()
        log.seek(0)
        said = ([line.strip() for line in log if line.strip()] or ["it said nothing"])[-1]
    ended = f"gave no answer at /healthz in {WAIT:.0f} s" if code is None else f"ended with exit code {code}"
    return round(time.monotonic() - began, 1), [f"demo.py {ended} ({said[:200]}). Run it in {folder} to see why."]


def is_healthy(port: int) -> bool:
    """Whether the page on this machine says that it is well."""
    try:
        with build_opener(ProxyHandler({})).open(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return json.load(answer) == {"status": "ok"}
    except (OSError, ValueError):  # not there yet, or gradio's own page before the route is in place
        return False
