"""The classification accuracy score: real against real, planted faults, and the interval's closed form."""

import json

import numpy as np
import pytest
import torch
from scipy import stats

from eval import accuracy_score as cas
from eval.errors import UserError

COUNTS = [30] * 10


@pytest.fixture(scope="module", autouse=True)
def short():
    """40 batches in place of 300: enough to tell digits apart."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cas, "STEPS", 40)
        yield


@pytest.fixture(scope="module")
def real(short):
    """The real half of three runs."""
    return cas.real_hits(COUNTS, 3)


@pytest.fixture(scope="module")
def digits():
    """300 real digits of another draw: they stand for synthetic ones."""
    return cas.real_digits(COUNTS, seed=12345)


@pytest.fixture(scope="module")
def synthetic(short, digits):
    """The half trained on them."""
    return cas.synthetic_hits(*digits, 3)


def test_real_against_real_is_no_difference(synthetic, real):
    found = cas.score(synthetic, real, 300)
    assert found["real"]["overall"]["value"] > 0.75
    difference = found["difference"]["overall"]
    assert difference["low"] < 0 < difference["high"]
    assert abs(difference["value"]) < 0.03
    assert found["n"] == 300 and found["seeds"] == 3 and len(found["synthetic"]["runs"]) == 3
    json.dumps(found, allow_nan=False)


def test_swapped_labels_cost_just_these_digits(digits, real):
    images, labels = digits
    swapped = torch.where(labels == 5, 6, torch.where(labels == 6, 5, labels))
    found = cas.score(cas.synthetic_hits(images, swapped, 2), real[:2], 300)["difference"]["per_class"]
    for digit, difference in found.items():
        assert difference["value"] < -0.6 if digit in "56" else difference["value"] > -0.15


def test_one_image_per_digit_teaches_little(digits, real):
    images, labels = digits
    first = torch.stack([images[labels == digit][0] for digit in range(10)])
    found = cas.score(cas.synthetic_hits(first[labels], labels, 2), real[:2], 300)["difference"]["overall"]
    assert found["value"] < -0.25


def test_every_run_is_told(digits, monkeypatch):
    monkeypatch.setattr(cas, "STEPS", 2)
    calls = []
    found = cas.accuracy_score(*digits, 1, lambda done, total: calls.append((done, total)))
    assert calls == [(1, 2), (2, 2)]
    assert found["steps"] == 2 and found["difference"]["overall"]["low"] is None


def test_real_digits_are_drawn_by_seed_and_sorted():
    counts = [12, *COUNTS[1:]]
    images, labels = cas.real_digits(counts, seed=3)
    assert torch.bincount(labels).tolist() == counts
    assert torch.equal(labels, labels.sort().values)
    again, _ = cas.real_digits(counts, seed=4)
    assert not torch.equal(images, again)


def test_a_run_repeats_however_its_images_were_ordered(real):
    """Both halves show the same labels in the same batches; the caller's own random numbers are left alone."""
    images, labels = cas.real_digits(COUNTS, seed=0)
    order, before = torch.arange(300).view(10, 30).T.flatten(), torch.random.get_rng_state()  # 0 1 2 ... 9 0 1 2 ...
    assert cas.synthetic_hits(images[order], labels[order], 1) == real[:1]
    assert torch.equal(before, torch.random.get_rng_state())
    assert real[0] != real[1]


def test_the_interval_is_students():
    hits = (np.arange(30).reshape(3, 10) * 7 % 11 + 800).tolist()
    found, zero = cas.score(hits, [[0] * 10] * 3, 300), cas.score([[0] * 10] * 3, hits, 300)
    runs = np.array(hits).sum(1) / 10_000
    low, high = stats.t.interval(0.95, 2, runs.mean(), stats.sem(runs))
    for part, sign in ((found["synthetic"], 1), (found["difference"], 1), (zero["difference"], -1)):
        ends = sorted((sign * low, sign * high))
        assert [part["overall"][key] for key in ("low", "high")] == pytest.approx(ends)
    assert found["synthetic"]["per_class"]["0"]["value"] == pytest.approx(np.mean([h[0] for h in hits]) / 980)
    one = cas.student([0.5], 0, 1)
    assert one.value == 0.5 and one.low is None and one.n == 1
    with pytest.raises(ValueError, match="pairs"):
        cas.score(hits, hits[:2], 300)


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (torch.full((100,), -1), "no labels"),
        (torch.arange(200) % 9, "Digit 9 has 0 images"),
        (torch.cat([torch.arange(100) % 10, torch.arange(9)])[:99], "Digit 9 has 9 images"),
        (torch.arange(220) % 11, "Label 10"),
        (torch.zeros(0, dtype=torch.int64), "0 images"),
    ],
)
def test_what_cannot_be_scored_is_said(labels, says):
    with pytest.raises(UserError, match=says) as error:
        cas.accuracy_score(torch.zeros(len(labels), 1, 28, 28, dtype=torch.uint8), labels)
    assert "\n" not in str(error.value)


def test_more_than_there_are_real_ones():
    with pytest.raises(UserError, match="real training images of digit 0, not 6000"):
        cas.real_digits([6000, *COUNTS[1:]], 0)
