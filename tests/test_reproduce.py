"""`make reproduce` goes on where it was stopped: the real script, and for Python a program that notes its calls."""

import os
import subprocess
import sys

import pytest

from diffusion_core.data import ROOT

NOTES = f"""#!/bin/sh
[ "$1" = -c ] && exec {sys.executable} "$@"
echo "$@" >>"$NOTES"
[ "$3" = info ] && echo '{{"images_seen": 128}}'
for last; do :; done
case "$*" in *"$FAIL"*) exit 1 ;; esac
case "$*" in *--out*) mkdir -p "$last" ;; esac
"""


@pytest.fixture
def reproduce(tmp_path, monkeypatch):
    """reproduce(fail) -> exit code and the commands that were run; `fail` is part of the command that fails."""
    stub = tmp_path / "python"
    stub.write_text(NOTES)
    stub.chmod(0o755)

    monkeypatch.setenv("FASHION_DIR", "")

    def run(fail: str = "no such command"):
        notes = tmp_path / "notes"
        notes.write_text("")
        more = {"RUN": str(stub), "NOTES": str(notes), "FAIL": fail}
        script = ["sh", str(ROOT / "benchmarks" / "reproduce.sh"), str(tmp_path / "out")]
        done = subprocess.run(script, env=os.environ | more, cwd=ROOT, capture_output=True, text=True)
        return done.returncode, [line for line in notes.read_text().splitlines() if " info " not in line]

    return run


def test_a_part_that_failed_is_done_again_and_a_finished_one_is_not(reproduce, tmp_path):
    code, first = reproduce(fail="app distill")
    assert code != 0 and "app distill" in first[-1]
    assert [line.split()[2] for line in first[:5]] == ["classifier", "second", "selector", "clip", "train"]
    code, rest = reproduce()
    assert code == 0 and "app distill" in rest[0] and "app compare" in rest[-1]
    assert not set(first[:-1]) & set(rest)
    times = (tmp_path / "out" / "times.txt").read_text().splitlines()
    assert len(times) == len(first) - 1 + len(rest)
    assert reproduce() == (0, [])


def test_the_early_checkpoint_is_the_beginning_of_the_whole_run(reproduce, tmp_path):
    _, commands = reproduce()
    trained = [line for line in commands if " train " in line]
    names = [line.split()[-1].rsplit("/", 1)[1] for line in trained]
    assert names == ["mnist-early", "mnist-fast", "mnist"]
    images = [line.split("--preset mnist --images ")[1].split()[0] for line in trained]
    assert images == ["128"] * 3  # what the shipped ones say they saw


def test_garments_are_done_where_their_images_are_and_else_left_out_aloud(reproduce, tmp_path, monkeypatch):
    def garments(commands):
        return [line for line in commands if "fashion" in line]

    _, commands = reproduce()
    assert garments(commands) == []
    monkeypatch.setenv("FASHION_DIR", str(tmp_path))
    code, commands = reproduce()
    assert code == 0 and commands == garments(commands)
    kinds = [line.split()[1:3] for line in commands]
    assert kinds[:4] == [["eval.train_judges", judge] for judge in ("classifier", "second", "selector", "clip")]
    assert kinds[4:] == [["app", "train"], ["app", "distill"], ["app", "score"], ["app", "score"]]
    assert reproduce() == (0, [])
