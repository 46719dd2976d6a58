"""What checkpoints are tuned by: rewards that know their limits, and the looks that agree with `score`."""

import json
import subprocess
import sys

import pytest
import torch

from diffusion_core.data import ROOT, load
from eval.clip import load_clip, margins
from eval.errors import UserError
from eval.judge import JUDGES
from eval.probe import OVERALL, PER_CLASS, SETS, Probe
from eval.rewards import ENOUGH, REWARDS, SHIFTS, TUNED, USUAL, margin, measured, reward, usual
from eval.scorers import load_scorers, score
from eval.sources import RealSource
from eval.spaces import PREFIX, as_many, distances
from eval.summary import METRICS, summarise


@pytest.fixture(scope="module")
def probe():
    return Probe()


@pytest.fixture(scope="module")
def digits():
    """Some real digits, and as many with the label of another."""
    test = load("mnist", "test")
    return test.images[:40], test.labels[:40], (test.labels[:40] + 1) % 10


def test_the_margin_is_the_one_that_is_reported(digits):
    images, labels, _ = digits
    (scorer,) = load_scorers(("clip",))
    found = margin(load_clip(), images.float() / 255, labels)
    torch.testing.assert_close(found, scorer(images, labels)["clip_margin"], rtol=1e-4, atol=1e-5)


def test_what_is_as_good_as_real_digits_usually_are_gains_nothing():
    """Nearly all real digits reach what nearly all reach: no reward, no gradient. The wrong label has both."""
    test = load("mnist", "test")
    images, labels, wrong = test.images[:300], test.labels[:300], (test.labels[:300] + 1) % 10
    pixels = (images.float() / 255).requires_grad_()
    right = reward("clip")(pixels, labels)
    assert right.max() == 0 and 0.9 < (right == 0).float().mean() < 1
    (slope,) = torch.autograd.grad(right.sum(), pixels)
    assert (slope[right == 0] == 0).all() and (slope[right < 0] != 0).flatten(1).any(1).all()
    bad = reward("clip")(images.float() / 255, wrong)
    assert (bad < -1).float().mean() > 0.98, "a digit of another class lacks more than a deviation"


def test_the_usual_margins_that_are_shipped_are_those_of_this_clip_and_these_digits():
    shipped = json.loads((JUDGES / "mnist" / "clip" / USUAL).read_text())
    found = measured(load_clip(), RealSource("train"))
    assert shipped["enough"] == pytest.approx(found["enough"], abs=1e-5)
    assert usual()[1] == shipped["deviation"] == pytest.approx(found["deviation"], rel=1e-5)
    assert shipped["about"] == f"{load_clip().id}, {RealSource('train').id}, {ENOUGH}"


def test_the_raw_margin_has_no_end(digits):
    images, labels, _ = digits
    pixels = images.float() / 255
    enough, unit = usual()
    raw = reward("clip-raw")
    capped = [(raw(pixels.roll(by, (2, 3)), labels) - enough[labels] / unit).clamp(max=0) for by in SHIFTS]
    torch.testing.assert_close(reward("clip")(pixels, labels), sum(capped) / len(SHIFTS))
    assert raw(pixels, labels).max() > 0.5


@pytest.mark.parametrize("name", REWARDS)
def test_every_reward_prefers_the_right_label_and_names_the_judges_it_uses_up(digits, name):
    images, labels, wrong = digits
    pixels = images.float() / 255
    assert reward(name)(pixels, labels).mean() > reward(name)(pixels, wrong).mean() + 0.5
    assert TUNED[name] and not {"classifier", "second"} & set(TUNED[name])


def test_an_unknown_reward_is_refused():
    with pytest.raises(UserError, match=r"no reward 'fame'. Known: clip, clip-raw"):
        reward("fame")


def test_a_look_says_what_score_says_of_the_same_images(probe):
    images, labels = load("mnist", "test").images[:300].roll(1, 3), load("mnist", "test").labels[:300]
    seeds = torch.arange(300)
    row = probe.look(images, labels, seeds)
    assert set(OVERALL) | set(PER_CLASS) <= set(METRICS)
    scorers = load_scorers(("classifier", "second", "clip", "shape"))
    summary = summarise(score(scorers, images, labels, seeds), 10)
    for metric in OVERALL:
        assert row[metric] == pytest.approx(summary.metrics["overall"][metric].value, rel=1e-9)
    for digit, found in row["per_class"].items():
        for metric in PER_CLASS:
            assert found[metric] == pytest.approx(summary.metrics["per_class"][digit][metric].value, rel=1e-9)
    assert row["confusions"] == summary.confusions
    sets = distances(scorers[:2], images, labels, "mnist").metrics["overall"]
    for judge in ("classifier", "second"):
        for metric in SETS:
            assert row[PREFIX[judge] + metric] == pytest.approx(sets[PREFIX[judge] + metric].value, rel=1e-6)
    assert row["heldout_margin"] == pytest.approx(float(margins(load_clip().cosines(images, "heldout"), labels).mean()))
    assert row["n"] == 300


def test_another_clip_may_look_on(digits):
    """By its captions, and not those that are held out; a look without it has no such number."""
    images, labels, seeds = digits
    shape = load_scorers(("shape",))
    row = Probe(scorers=shape, independent=load_clip()).look(images, labels, seeds)
    assert row["independent_margin"] == pytest.approx(float(margins(load_clip().cosines(images), labels).mean()))
    assert "independent_margin" not in Probe(scorers=shape).look(images, labels, seeds)


def test_real_digits_are_their_own_measure(probe):
    """Random ones: the first half of the test digits is the easier one, and further from the training digits."""
    test = load("mnist", "test")
    rows = as_many(test.labels, torch.arange(10).repeat(30), 10)
    row = probe.look(test.images[rows], test.labels[rows], rows)
    assert probe.real(30) == pytest.approx({key: row[key] for key in probe.real(30)})


def test_the_held_out_margin_is_of_other_captions(digits):
    images, labels, _ = digits
    pixels = images.float() / 255
    wanted = margin(load_clip(), pixels, labels, "heldout")
    torch.testing.assert_close(margins(load_clip().cosines(images, "heldout"), labels), wanted, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(
        margins(load_clip().cosines(images, "heldout"), labels), margin(load_clip(), pixels, labels), atol=1e-3
    )


@pytest.mark.parametrize("module", ["eval.knn", "eval.rewards"])
def test_a_command_for_an_unknown_data_set_is_one_line(module):
    done = subprocess.run([sys.executable, "-m", module, "nope"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("error: There is no data set 'nope'. Known: ")
    assert done.stderr.count("\n") == 1
