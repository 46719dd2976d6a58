"""Planted copies are found, real and smoothed digits are not; the verdicts' arithmetic by hand."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional as F

from eval.memorisation import NeighbourScorer, closest, memorised, nearer, ratio, thresholds
from eval.metrics import mean, proportion
from eval.neighbours import nearest
from eval.scorers import score
from eval.sources import RealSource


@pytest.fixture(scope="module")
def scorer():
    return NeighbourScorer()


@pytest.fixture(scope="module")
def real(scorer):
    """1,400 real test digits in random order."""
    test = RealSource("test").data
    rows = torch.randperm(10_000, generator=torch.Generator().manual_seed(0))[:1400]
    return score([scorer], test.images[rows], test.labels[rows], rows)


def noisy(images, spread):
    return (
        (images + spread * torch.randn(images.shape, generator=torch.Generator().manual_seed(1))).clamp(0, 255).byte()
    )


def table(train, test, label=0):
    """A table of the given distances."""
    n = len(train)
    labels = np.broadcast_to(label, n)
    return pd.DataFrame(
        {"label": labels, "seed": np.arange(n) + 100, "train_index": 7, "train_distance": train}
        | {"test_index": 8, "test_distance": test}
    )


# ---------------------------------------------------------------- the scorer


def test_a_test_digit_is_not_its_own_neighbour(scorer, real):
    test = RealSource("test").data
    rows = torch.tensor(real["seed"].to_numpy())[:100]
    distance, index = nearest(test.images[rows], test.images, exclude=rows)
    assert np.array_equal(real["test_index"][:100], index[:, 0])
    assert np.array_equal(real["test_distance"][:100], distance[:, 0])
    assert (real["test_distance"] > 0).all() and (real["test_index"] != real["seed"]).all()


def test_copies_and_near_copies_find_their_original(scorer):
    train, test = RealSource("train").data, RealSource("test").data
    copies = torch.stack([train.images[123], test.images[45]])
    changed = copies.clone()
    changed[:, 0, 14, 14] ^= 1
    labels = torch.zeros(2, dtype=torch.int64)
    found = scorer(copies, labels)
    assert tuple(found) == scorer.columns
    assert found["train_index"][0] == 123 and found["train_distance"][0] == 0
    assert found["test_index"][1] != 45 and found["test_distance"][1] > 0
    found = scorer(changed, labels)
    assert found["train_index"][0] == 123 and found["train_distance"][0] == pytest.approx(1 / 255)
    assert found["test_index"][1] == 45 and found["test_distance"][1] == pytest.approx(1 / 255)


def test_columns_do_not_depend_on_the_batch(scorer, real):
    test = RealSource("test").data
    rows = torch.tensor(real["seed"].to_numpy())[:9]
    parts = [scorer(test.images[part], test.labels[part]) for part in rows.flip(0).split(2)]
    for column in scorer.columns:
        assert np.array_equal(torch.cat([part[column] for part in parts]).flip(0), real[column][:9])


# ---------------------------------------------------------------- planted copies and honest digits


def test_planted_copies_are_found(scorer, real):
    train = RealSource("train").data
    rows = torch.randperm(60_000, generator=torch.Generator().manual_seed(2))[:300]
    planted = noisy(train.images[rows], 8)
    assert not (planted == train.images[rows]).flatten(1).all(1).any()
    found = score([scorer], planted, train.labels[rows], rows)
    assert (found["train_index"] == rows.numpy()).mean() > 0.99
    assert proportion(memorised(found, real)).low > 0.97
    assert mean(nearer(found, real), 0, 1).low > 0.99


def test_real_digits_are_not_accused(real):
    """One half held against the other, within 3 standard deviations of what exchangeable digits give.

    Of k digits those below the a-th smallest of n others are beta-binomial: mean k a / (n + 1) and variance
    k a b (n + 1 + k) / ((n + 1)^2 (n + 2)), b = n + 1 - a. The mean of `nearer` has variance (1/k + 1/n) / 12.
    """
    found, others = real[:700], real[700:]
    k, n = (half["label"].value_counts().sort_index().to_numpy() for half in (found, others))
    a = (0.05 * n).astype(int) + 1
    b = n + 1 - a
    expected, variance = k * a / (n + 1), k * a * b * (n + 1 + k) / ((n + 1) ** 2 * (n + 2))
    assert abs(memorised(found, others).sum() - expected.sum()) < 3 * np.sqrt(variance.sum())
    assert abs(nearer(found, others).mean() - 0.5) < 3 * np.sqrt((1 / 700 + 1 / 700) / 12)


def test_smooth_digits_are_nearer_to_everything_and_not_accused(real):
    """Smoothed test digits, their originals left out: nearer to training digits than real ones are."""
    rows = torch.tensor(real["seed"].to_numpy())[:300]
    kernel = torch.tensor([1.0, 2.0, 1.0])
    kernel = (kernel[:, None] * kernel / 16)[None, None]
    test = RealSource("test").data
    smooth = F.conv2d(test.images[rows].float(), kernel, padding=1).round().byte()
    train, other = nearest(smooth, RealSource("train").data.images), nearest(smooth, test.images, exclude=rows)
    found = table(train[0][:, 0].numpy(), other[0][:, 0].numpy(), test.labels[rows].numpy())
    assert found["train_distance"].mean() < real["train_distance"][:300].mean() - 0.2
    assert proportion(memorised(found, real)).high < 0.05
    assert mean(nearer(found, real), 0, 1).high < 0.5


# ---------------------------------------------------------------- by hand


def test_ratio_of_nothing():
    assert ratio(table([0.0, 0.0, 2.0, 3.0], [0.0, 4.0, 0.0, 6.0])).tolist() == [1.0, 0.0, np.inf, 0.5]


def test_thresholds_leave_five_percent_below():
    zeros = table(np.arange(1, 101) / 100, np.ones(100))
    ones = table(np.arange(1, 41) / 10, np.ones(40), 1)
    both = pd.concat([ones, zeros])
    assert thresholds(both) == pytest.approx({0: 0.06, 1: 0.3, -1: 0.08})  # all 140: seven of them below
    assert thresholds(both, 0.5)[0] == pytest.approx(0.51)
    assert proportion(memorised(zeros, both)).value == 0.05 and memorised(ones, both).sum() == 2
    ties = table(np.ones(100), np.ones(100))
    assert not memorised(ties, ties).any()


def test_verdicts_are_by_label_and_by_all_where_there_is_none(real):
    both = pd.concat([table([0.1, 0.2, 0.3, 0.4], np.ones(4)), table([1.1, 1.2, 1.3, 1.4], np.ones(4), 1)])
    ask = table([0.05, 0.2, 0.25, 0.5], np.ones(4))
    assert nearer(ask, both).tolist() == [1.0, 0.625, 0.5, 0.0]
    assert nearer(ask.assign(label=1), both).tolist() == [1.0] * 4
    assert nearer(ask.assign(label=-1), both).tolist() == [1.0, 0.8125, 0.75, 0.5]
    assert memorised(ask.assign(label=-1), both).tolist() == [True, False, False, False]
    for verdict in (memorised, nearer):
        with pytest.raises(ValueError, match="label 2"):
            verdict(ask.assign(label=[0, 2, 2, 1]), both)
    assert nearer(real, real).mean() == pytest.approx(0.5, abs=1e-12)
    assert nearer(ask[:0], both).shape == memorised(ask[:0], both).shape == (0,)


def test_closest_pairs_in_order():
    found = closest(table([3.0, 1.0, 2.0, 1.0], [4.0, 5.0, 6.0, 7.0], [0, 1, 2, 3]), 3)
    assert [row["row"] for row in found] == [1, 3, 2]
    assert found[0] == {
        "row": 1, "label": 1, "seed": 101,
        "train_index": 7, "train_distance": 1.0, "test_index": 8, "test_distance": 5.0,
    }  # fmt: skip
    assert all(type(value) in (int, float) for row in found for value in row.values())
    assert len(closest(table([1.0], [2.0]))) == 1
