"""Handlers on ZeroGPU, with a stand-in for its package: what is lent a GPU, and that all values can travel."""

import json
import subprocess
import sys

from app.zerogpu import on_gpu
from diffusion_core.data import ROOT
from tests.conftest import save_tiny

# As on ZeroGPU, a call, each of its results and its error pass through pickle on their way to another process.
STAND_IN = """
import functools, inspect, pickle
LENT = []
def sent(value):
    return pickle.loads(pickle.dumps(value))
def GPU(duration):
    def decorate(task):
        LENT.append(duration)
        @functools.wraps(task)
        def function(*args):
            try:
                return sent(task(*sent(args)))
            except Exception as error:
                raise sent(error)
        @functools.wraps(task)
        def generator(*args):
            try:
                yield from map(sent, task(*sent(args)))
            except Exception as error:
                raise sent(error)
        chosen = generator if inspect.isgeneratorfunction(task) else function
        chosen.lent = True
        return chosen
    return decorate
"""
SCRIPT = """
import inspect, itertools, json, re, sys, types
from pathlib import Path
import gradio as gr
from app.build import build
from app.store import Store
from app.tabs import generate

store = Store(Path(sys.argv[1]))
queued = [f for f in build(store).fns.values() if f.concurrency_id == "compute"]
run = next(f.fn for f in queued if inspect.isgeneratorfunction(f.fn))
api = next(f.fn for f in queued if f.api_name == "generate")
open_card = next(f.fn for f in queued if f.fn.__name__ == "open_card")
settings = ["tiny", ["5", "6"], 1, 0, "euler", 2, 1.0, ""]
shown = list(itertools.islice(run(*settings), 4))
expected = list(itertools.islice(generate.run(store, *settings), 4))

def pictures(html):
    return re.findall("data:image/[^\\"')]+", html)

def refusal(call):
    try:
        call()
    except gr.Error as error:
        return error.message

print(json.dumps({
    "durations": sys.modules["spaces"].LENT,
    "not lent": sorted({f.fn.__name__ for f in queued if not hasattr(f.fn, "lent")}),
    "frames": [pictures(html) for html, _ in shown],
    "expected": [pictures(html) for html, _ in expected],
    "images": len(api("tiny", [5, 6])["images"]),
    "refusals": [refusal(lambda: next(run("tiny", [], *settings[2:]))),
                 refusal(lambda: open_card(types.SimpleNamespace(index=None)))],
}))
"""


def test_what_draws_is_lent_a_gpu_and_draws_the_same(tmp_path):
    (tmp_path / "spaces.py").write_text(STAND_IN)
    save_tiny(tmp_path / "root" / "tiny")
    script = "import sys; sys.path.insert(0, sys.argv[2])\n" + SCRIPT
    command = [sys.executable, "-c", script, str(tmp_path / "root"), str(tmp_path)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    seen = json.loads(found.stdout.splitlines()[-1])
    assert seen["durations"] and all(0 < seconds <= 120 for seconds in seen["durations"])
    # Three hand on to a handler that is lent one: two take gradio's event apart, Play's "show" leaves alone what did
    # not change. The first, a visitor's own samples, puts its report into the server's memory, which a forked call
    # would lose.
    assert seen["not lent"] == ["generator", "open_card", "show", "vary"]
    assert len(seen["frames"]) == 4 and all(seen["frames"]) and seen["frames"] == seen["expected"]
    assert seen["images"] == 2
    assert seen["refusals"] == ["Choose at least one class.", "Click one of the images to open its card."]


def test_without_the_package_a_handler_is_itself(monkeypatch):
    monkeypatch.setitem(sys.modules, "spaces", None)  # an import of it fails as that of an absent one
    assert on_gpu(len) is len
