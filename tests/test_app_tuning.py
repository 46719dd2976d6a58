"""finetune as a user types it: what it writes, what it keeps, when it has ended, and what it refuses."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from app import looks, tuning
from app.cli import main
from app.watch import BEST, Looks, ended
from diffusion_core import checkpoint as checkpoints
from diffusion_core.errors import UserError
from eval import guard
from tests.conftest import TINY_PRESET, save_tiny
from tests.test_guard import BASE, look


def run(capsys, *arguments) -> tuple[int, str, str]:
    code = main([str(a) for a in arguments])
    return code, *capsys.readouterr()


def test_it_tunes_keeps_the_best_and_says_what_changed(capsys, tmp_path, monkeypatch):
    """An untrained network does not become good in two steps: the guard keeps the parent."""
    monkeypatch.setattr(tuning, "TUNING_PER_CLASS", 5)
    parent, out = save_tiny(tmp_path / "tiny"), tmp_path / "tuned"
    command = ("finetune", tmp_path / "tiny", "--out", out, "--last", 1, "--json")
    code, text, errors = run(capsys, *command, "--images", 64)
    assert code == 0, errors
    first = looks.read(out)
    assert [row["images"] for row in first] == [0] and (out / BEST / "model.safetensors").exists()
    code, text, errors = run(capsys, *command, "--images", 128)
    assert code == 0 and looks.read(out) == first, errors
    result, meta = json.loads(text.splitlines()[-1]), checkpoints.read_meta(out)
    assert result["guarded"] and result["kept"] == 0 and result["tune"]["last"] == 1
    assert meta.rewards == ("clip",) and meta.tune.reward == "clip" and meta.parent == f"tiny@{parent.sha256[:12]}"
    assert meta.sha256 == parent.sha256, "the look that is kept is the parent itself"
    assert json.loads((out / "tuning.json").read_text())["parent"] == "tiny"
    with np.load(out / "changed.npz", allow_pickle=False) as changed:
        assert changed["before"].shape == changed["after"].shape == (60, 1, 28, 28)
        assert np.array_equal(changed["before"], changed["after"]), "nothing changed, since nothing was better"
        assert np.array_equal(changed["read_before"], changed["read_after"]) and len(changed["read_after"]) == 60
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert all("reward" in line for line in lines)


class FakeRun:
    """What a look needs of a run: its images, its folder's checkpoint and its data set."""

    def __init__(self, folder, images, seconds=1.0):
        self.trainer, self.seconds, self.preset = SimpleNamespace(images=images), seconds, TINY_PRESET
        self.now = checkpoints.load(folder)

    def checkpoint(self):
        return self.now


def looks_that_see(folder, rows, **options) -> Looks:
    """Looks whose judges find `rows`, one after another."""
    made, found = Looks(folder, 1, 100, **options), iter(rows)
    made.probe = SimpleNamespace(look=lambda *_: next(found), real=lambda per_class: {})
    return made


def test_the_best_weights_are_kept_apart_and_a_resumed_run_makes_later_looks_again(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    metas = [save_tiny(tmp_path / f"n{seed}", seed=seed) for seed in range(4)]
    seen = (BASE, look(second_accuracy=0.99), look(second_accuracy=0.98), look(second_accuracy=0.995))
    watch = looks_that_see(out, seen, decide=guard.decisions)
    for i in range(3):
        assert watch.at(FakeRun(tmp_path / f"n{i}", 100 * i))
    assert checkpoints.read_meta(out / BEST).sha256 == metas[1].sha256
    assert watch.at(FakeRun(tmp_path / "n3", 100))  # the run was killed and goes on from before its second look
    assert [row["images"] for row in looks.read(out)] == [0, 100]
    assert looks.read(out)[1]["second_accuracy"] == 0.995
    assert checkpoints.read_meta(out / BEST).sha256 == metas[3].sha256 and ended(out) is None


def test_a_broken_limit_ends_the_run_and_unguarded_nothing_does(tmp_path):
    save_tiny(tmp_path / "n")
    bad = [BASE, *[look(second_recall=0.5)] * guard.PATIENCE]
    for guarded in (True, False):
        out = tmp_path / f"{guarded}"
        out.mkdir()
        watch = looks_that_see(out, bad, decide=guard.decisions if guarded else None)
        goes_on = [watch.at(FakeRun(tmp_path / "n", 100 * i)) for i in range(len(bad))]
        assert goes_on == [True] * (len(bad) - 1) + [not guarded]
        assert "recall" in ended(out) and (out / BEST).exists() == guarded


def test_a_run_goes_on_with_the_clip_it_began_with(tmp_path):
    """Without it the guard would miss what it set a limit for; with another it would hold on to the wrong limit."""
    (tmp_path / looks.LOOKS).write_text('{"images": 0, "independent": "clip:other@0"}\n')
    with pytest.raises(UserError, match=r"began with clip:other@0 as its other CLIP: go on with the same --guard-clip"):
        Looks(tmp_path, 1, 100)
    (tmp_path / looks.LOOKS).write_text('{"images": 0}\n')
    with pytest.raises(UserError, match="began with none"):
        Looks(tmp_path, 1, 100, independent="small")
    assert Looks(tmp_path, 1, 100).independent is None


def test_looks_that_are_damaged_are_one_line(tmp_path):
    (tmp_path / looks.LOOKS).write_text('{"images": "many"}\n')
    with pytest.raises(UserError, match=r"damaged: evaluations.jsonl"):
        looks.read(tmp_path)
    (tmp_path / looks.LOOKS).write_text('{"images": 1}\n{"images": 2, "cut')
    assert looks.read(tmp_path) == [{"images": 1}], "a line that is being written is not there yet"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--reward", "fame"), "no reward 'fame'. Known: clip, clip-raw, clip+selector"),
        (("--method", "magic"), "no way of tuning 'magic'. Known: draft, refl, ddpo, weighted"),
        (("--last", "0"), "--last must be at least 1"),
        (("--distance", "-1"), "--distance 0 or more"),
        (("--focus", "nan"), "--focus from 0 to 1"),
        (("--minutes", "-3"), "must be more than 0"),
    ],
)
def test_what_makes_no_sense_is_one_line(capsys, tmp_path, arguments, words):
    save_tiny(tmp_path / "tiny")
    code, _, errors = run(capsys, "finetune", tmp_path / "tiny", "--out", tmp_path / "out", *arguments)
    assert code == 2 and words in errors and errors.strip().count("\n") == 0 and not (tmp_path / "out").exists()
