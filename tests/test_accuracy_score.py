"""The classification accuracy score: real against real, planted faults, and the interval's closed form."""

import json

import numpy as np
import pytest
import torch
from scipy import stats

from eval import accuracy_score as cas
from eval.errors import UserError
from tests.made_data import COUNTS as COUNTED

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
    return cas.real_hits(COUNTS, "mnist", 3)


@pytest.fixture(scope="module")
def digits():
    """300 real digits of another draw: they stand for synthetic ones."""
    return cas.real_images(COUNTS, 12345, "mnist")


@pytest.fixture(scope="module")
def synthetic(short, digits):
    """The half trained on them."""
    return cas.synthetic_hits(*digits, "mnist", 3)


def test_real_against_real_is_no_difference(synthetic, real):
    found = cas.score(synthetic, real, 300, "mnist")
    assert found["real"]["overall"]["value"] > 0.75
    difference = found["difference"]["overall"]
    assert difference["low"] < 0 < difference["high"]
    assert abs(difference["value"]) < 0.03
    assert found["n"] == 300 and found["seeds"] == 3 and len(found["synthetic"]["runs"]) == 3
    json.dumps(found, allow_nan=False)


def test_swapped_labels_cost_just_these_digits(digits, real):
    images, labels = digits
    swapped = torch.where(labels == 5, 6, torch.where(labels == 6, 5, labels))
    hits = cas.synthetic_hits(images, swapped, "mnist", 2)
    found = cas.score(hits, real[:2], 300, "mnist")["difference"]["per_class"]
    for digit, difference in found.items():
        assert difference["value"] < -0.6 if digit in "56" else difference["value"] > -0.15


def test_one_image_per_digit_teaches_little(digits, real):
    images, labels = digits
    first = torch.stack([images[labels == digit][0] for digit in range(10)])
    hits = cas.synthetic_hits(first[labels], labels, "mnist", 2)
    found = cas.score(hits, real[:2], 300, "mnist")["difference"]["overall"]
    assert found["value"] < -0.25


def test_every_run_is_told(digits, monkeypatch):
    monkeypatch.setattr(cas, "STEPS", 2)
    calls = []
    found = cas.accuracy_score(*digits, "mnist", 1, lambda done, total: calls.append((done, total)))
    assert calls == [(1, 2), (2, 2)]
    assert found["steps"] == 2 and found["difference"]["overall"]["low"] is None


def test_real_digits_are_drawn_by_seed_and_sorted():
    counts = [12, *COUNTS[1:]]
    images, labels = cas.real_images(counts, 3, "mnist")
    assert torch.bincount(labels).tolist() == counts
    assert torch.equal(labels, labels.sort().values)
    again, _ = cas.real_images(counts, 4, "mnist")
    assert not torch.equal(images, again)


def test_a_run_repeats_however_its_images_were_ordered(real):
    """Both halves show the same labels in the same batches; the caller's own random numbers are left alone."""
    images, labels = cas.real_images(COUNTS, 0, "mnist")
    order, before = torch.arange(300).view(10, 30).T.flatten(), torch.random.get_rng_state()  # 0 1 2 ... 9 0 1 2 ...
    assert cas.synthetic_hits(images[order], labels[order], "mnist", 1) == real[:1]
    assert torch.equal(before, torch.random.get_rng_state())
    assert real[0] != real[1]


def test_the_interval_is_students():
    hits = (np.arange(30).reshape(3, 10) * 7 % 11 + 800).tolist()
    none = [[0] * 10] * 3
    found, zero = cas.score(hits, none, 300, "mnist"), cas.score(none, hits, 300, "mnist")
    runs = np.array(hits).sum(1) / 10_000
    low, high = stats.t.interval(0.95, 2, runs.mean(), stats.sem(runs))
    for part, sign in ((found["synthetic"], 1), (found["difference"], 1), (zero["difference"], -1)):
        ends = sorted((sign * low, sign * high))
        assert [part["overall"][key] for key in ("low", "high")] == pytest.approx(ends)
    assert found["synthetic"]["per_class"]["0"]["value"] == pytest.approx(np.mean([h[0] for h in hits]) / 980)
    one = cas.student([0.5], 0, 1)
    assert one.value == 0.5 and one.low is None and one.n == 1
    with pytest.raises(ValueError, match="pairs"):
        cas.score(hits, hits[:2], 300, "mnist")


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (torch.full((100,), -1), "no labels"),
        (torch.arange(200) % 9, "Class '9' has 0 images"),
        (torch.cat([torch.arange(100) % 10, torch.arange(9)])[:99], "Class '9' has 9 images"),
        (torch.arange(220) % 11, "Label 10"),
        (torch.zeros(0, dtype=torch.int64), "0 images"),
    ],
)
def test_what_cannot_be_scored_is_said(labels, says):
    with pytest.raises(UserError, match=says) as error:
        cas.accuracy_score(torch.zeros(len(labels), 1, 28, 28, dtype=torch.uint8), labels, "mnist")
    assert "\n" not in str(error.value)


def test_more_than_there_are_real_ones():
    with pytest.raises(UserError, match="real training images of '0', not 6000"):
        cas.real_images([6000, *COUNTS[1:]], 0, "mnist")


# ---------------------------------------------------------------- another data set


def test_images_in_colour_of_three_classes_are_learned_from(made_data):
    """Channels, size and classes are the data's; a class of the test split that was never recognised has its share."""
    counts = COUNTED["train"]
    found = cas.accuracy_score(*cas.real_images(counts, 5, "made"), "made", 1)
    assert found["n"] == sum(counts) and found["synthetic"]["overall"]["value"] > 0.9
    assert list(found["difference"]["per_class"]) == ["0", "1", "2"]
    parameters = 3 * 25 * 32 + 32 + 32 * 25 * 64 + 64 + 64 * 8 * 8 * 3 + 3
    assert f"{parameters:,} parameters" in found["network"]
    assert cas.score([[30, 0, 20]], [[30, 25, 20]], 150, "made")["synthetic"]["per_class"]["1"]["value"] == 0
    with pytest.raises(UserError, match="Class 'cross' has 0 images"):
        cas.class_counts(torch.arange(40) % 2, "made")
    with pytest.raises(UserError, match="training images of 'disc', not 51"):
        cas.real_images([60, 51, 40], 0, "made")


def test_the_network_of_mnist_is_the_one_that_reports_name(synthetic, real):
    assert "83,466 parameters" in cas.score(synthetic, real, 300, "mnist")["network"]


def test_a_class_without_test_images_has_no_value():
    found = cas._accuracies([[5, 0]], np.array([10, 0]))
    assert found[0, :2].tolist() == [0.5, 0.5] and np.isnan(found[0, 2])
    assert cas.student(found[:, 2], 0.0, 1.0) == (None, None, None, 0)
