"""The filters of synthetic data sets: each keeps exactly what it says, recomputed here in another way."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from eval import measures
from eval.clip import load_clip
from eval.errors import UserError
from eval.filters import FILTERS, Sieve, checked
from eval.judge import load_judge
from eval.sources import RealSource

UNIT = torch.tensor([4.0, 2, 5, 5, 4, 4, 4, 3, 5, 3], dtype=torch.float64)


@pytest.fixture(scope="module")
def digits():
    """130 test digits: more than a block of the judges, and no multiple of one."""
    data = RealSource("test").data
    return data.images[:130], data.labels[:130]


@pytest.fixture
def unit(monkeypatch):
    """A unit of distance that is known, and takes no time to measure."""
    monkeypatch.setattr(measures, "units", lambda dataset: UNIT)


def distances(a, b) -> np.ndarray:
    return cdist(a.flatten(1).numpy() / 255, b.flatten(1).numpy() / 255)


def test_confidence_is_the_selectors_probability_of_the_digit_asked_for(digits):
    images, labels = digits
    labels = torch.where(torch.arange(130) % 5 == 0, (labels + 1) % 10, labels)  # every fifth is asked for wrongly
    with torch.no_grad():
        logits = torch.cat([load_judge("selector").net(image[None].float() / 255) for image in images])
    expected = logits.exp() / logits.exp().sum(1, keepdim=True)
    sifted = Sieve({"confidence": 0.9}, "mnist")(images, labels)
    values = sifted.values["confidence"]
    assert values == pytest.approx(expected[torch.arange(130), labels].double(), abs=2e-5)
    assert torch.equal(sifted.reason, torch.where(values >= 0.9, -1, 0)) and (sifted.reason == 0).sum() >= 26


def test_the_clip_margin_is_that_of_the_captions(digits):
    images, labels = digits
    cosines = load_clip().cosines(images).numpy()
    own = cosines[np.arange(130), labels]
    cosines[np.arange(130), labels] = -9
    sifted = Sieve({"clip_margin": 0.4}, "mnist")(images, labels)
    assert sifted.values["clip_margin"].numpy() == pytest.approx(own - cosines.max(1), abs=2e-5)
    assert torch.equal(sifted.reason < 0, sifted.values["clip_margin"] >= 0.4) and 0 < (sifted.reason == 0).sum() < 130


def test_copies_of_training_digits_are_nearest_to_them(digits, unit):
    images, labels = digits
    training = RealSource("train").data
    images, labels = torch.cat([images[:20], training.images[:3]]), torch.cat([labels[:20], training.labels[:3]])
    values = Sieve({"from_training": 0.2}, "mnist")(images, labels).values["from_training"]
    expected = distances(images, training.images).min(1) / UNIT[labels].numpy()
    assert values.numpy() == pytest.approx(expected, abs=2e-5) and values[20:].tolist() == [0, 0, 0]


def test_no_two_that_are_kept_are_nearer_than_asked(digits, unit):
    """Greedy, one after the other; in two calls, as in two rounds."""
    images, labels = digits
    images = torch.cat([images, images[:7]])  # and seven of them again
    labels = torch.cat([labels, labels[:7]])
    apart, kept = distances(images, images), []
    for i in range(len(images)):
        if all(labels[j] != labels[i] or apart[i, j] / float(UNIT[labels[i]]) >= 2.2 for j in kept):
            kept.append(i)
    sieve = Sieve({"diversity": 2.2}, "mnist")
    parts = [sieve(images[rows], labels[rows]).reason for rows in (slice(50), slice(50, None))]
    assert torch.nonzero(torch.cat(parts) < 0)[:, 0].tolist() == kept and 20 < len(kept) < 110


def test_what_was_kept_before_counts_after_a_restart(digits, unit):
    images, labels = digits
    sieve = Sieve({"diversity": 0.1}, "mnist")
    sieve.remember(images[:30], labels[:30])
    assert sieve(images[:40], labels[:40]).reason.tolist() == [0] * 30 + [-1] * 10


def test_a_value_does_not_depend_on_the_images_beside_it(digits):
    images, labels = digits
    names = ("confidence", "clip_margin")
    whole = Sieve(dict.fromkeys(names, 0.0), "mnist")(images, labels)
    for rows in (slice(0, 1), slice(99, 102), slice(129, 130)):
        part = Sieve(dict.fromkeys(names, 0.0), "mnist")(images[rows], labels[rows])
        assert all(torch.equal(part.values[name], whole.values[name][rows]) for name in names)


def test_the_first_filter_that_refuses_is_the_reason_and_the_next_is_not_asked(digits):
    images, labels = digits
    sifted = Sieve({"clip_margin": 0.5, "confidence": 0.5}, "mnist")(images, (labels + 1) % 10)
    assert set(sifted.reason.tolist()) == {0} and list(sifted.values) == ["confidence", "clip_margin"]
    assert sifted.values["clip_margin"].isnan().all()


def test_the_unit_is_the_median_distance_to_another_training_digit(monkeypatch):
    monkeypatch.setattr(measures, "SAMPLE", 3)
    training = RealSource("train").data
    rows = torch.nonzero(training.labels == 4)[:3, 0]
    apart = distances(training.images[rows], training.images)
    apart[np.arange(3), rows] = np.inf
    assert measures._measured("mnist")["units"][4] == pytest.approx(np.median(apart.min(1)), abs=1e-5)


@pytest.mark.parametrize("value", [float("nan"), -0.1, 1.1, float("inf")])
def test_a_value_out_of_range_is_refused(value):
    with pytest.raises(UserError, match="Confidence must be a number from 0 to 1"):
        checked({"confidence": value})


def test_an_unknown_filter_is_refused():
    with pytest.raises(UserError, match="no filter 'beauty'. Known: confidence, clip_margin"):
        checked({"beauty": 1.0})
    assert set(FILTERS) == {"confidence", "clip_margin", "from_training", "diversity"}
