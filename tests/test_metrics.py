"""Aggregates and p-values: exact values, coverage by simulation, symmetry."""

import json
import time

import numpy as np
import pytest
from scipy import stats

from eval.metrics import Estimate, confusion, difference, mean, paired_difference, proportion, wilson
from eval.significance import hall_test, holm, mcnemar, p_value
from eval.summary import METRICS, summarise


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [
        (0, 10, 0, 0.277533),
        (1, 10, 0.017876, 0.404150),
        (5, 10, 0.236593, 0.763407),
        (10, 10, 0.722467, 1),
        (15, 148, 0.062386, 0.160487),
        (950, 1000, 0.934686, 0.961870),
    ],
)
def test_wilson_is_the_published_interval(hits, n, low, high):
    found = wilson(hits, n)
    assert found.value == hits / n
    assert found[1:3] == pytest.approx((low, high), abs=1e-6)
    scipy = stats.binomtest(hits, n).proportion_ci(method="wilson")
    assert found[1:3] == pytest.approx((scipy.low, scipy.high), abs=1e-12)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_nothing_measured_is_none_and_strict_json():
    nothing = Estimate(None, None, None, 0)
    assert proportion([]) == mean([]) == paired_difference([], []) == nothing
    assert difference(wilson(1, 2), wilson(0, 0)) == nothing
    text = json.dumps(proportion([]).to_dict(), allow_nan=False)
    assert text == '{"value": null, "low": null, "high": null, "n": 0}'
    assert mean([0.5]) == Estimate(0.5, None, None, 1)
    assert difference(mean([0.5]), mean([0.7, 0.8])).low is None
    with pytest.raises(ValueError, match="finite"):
        mean([0.1, float("nan")])


def test_mean_without_skew_is_the_t_interval():
    x = np.array([-2.0, -1.0, 0.0, 1.0, 2.0]) + 3
    scipy = stats.ttest_1samp(x, 0).confidence_interval()
    assert mean(x) == pytest.approx((3, scipy.low, scipy.high, 5), rel=1e-12)


def test_mean_is_equivariant_and_stays_in_range():
    x = np.random.default_rng(0).exponential(size=40)
    m, flipped, moved = mean(x), mean(-x), mean(3 * x + 7)
    assert m.high - m.value > 1.2 * (m.value - m.low)  # leans the way the data do
    assert (-flipped.high, -flipped.low) == pytest.approx((m.low, m.high))
    assert (moved.low, moved.high) == pytest.approx((3 * m.low + 7, 3 * m.high + 7))
    assert mean([1.0, 1.0, 0.2], 0, 1).high == 1
    assert mean([0.1] * 9) == pytest.approx((0.1, 0.1, 0.1, 9))


def covered(truth, intervals):
    return np.mean([e.low <= truth <= e.high for e in intervals])


def test_coverage_of_proportions():
    rng = np.random.default_rng(1)
    for p, n in ((0.5, 100), (0.95, 200)):
        assert abs(covered(p, (wilson(int(k), n) for k in rng.binomial(n, p, 1000))) - 0.95) <= 0.03


@pytest.mark.parametrize(
    ("draw", "truth"),
    [
        (lambda rng: rng.normal(size=10), 0.0),
        (lambda rng: rng.exponential(size=20), 1.0),
        # what a confidence looks like: nearly always close to 1, one in ten close to 0
        (lambda rng: np.where(rng.random(300) < 0.1, rng.beta(1, 8, 300), rng.beta(60, 1, 300)), 0.89636),
    ],
    ids=["normal", "exponential", "misses"],
)
def test_coverage_of_means(draw, truth):
    rng = np.random.default_rng(2)
    assert abs(covered(truth, (mean(draw(rng)) for _ in range(1000))) - 0.95) <= 0.03


def test_coverage_of_differences():
    rng = np.random.default_rng(3)
    unpaired, paired, means = [], [], []
    for _ in range(1000):
        shared = rng.random(150)
        a, b = shared < 0.85, (shared < 0.80) | (rng.random(150) < 0.5)  # P(b) = 0.9
        paired.append(paired_difference(a, b))
        unpaired.append(difference(proportion(rng.random(100) < 0.8), proportion(rng.random(80) < 0.9)))
        means.append(difference(mean(rng.exponential(size=40)), mean(rng.exponential(2, size=60))))
    for truth, intervals in ((0.05, paired), (0.1, unpaired), (1.0, means)):
        assert abs(covered(truth, intervals) - 0.95) <= 0.03


def test_newcombe_and_bonett_price_values():
    # Newcombe 1998, table II (a): 56/70 against 48/80, method 10
    assert difference(wilson(48, 80), wilson(56, 70)) == pytest.approx((0.2, 0.0524, 0.3339, 70), abs=5e-5)
    # Bonett and Price by hand, on 1, 1, 7 and 12 of 21: -6/23 -+ 1.96 sqrt((10/23 - (6/23)^2) / 23)
    a = np.repeat([True, True, False, False], [1, 1, 7, 12])
    b = np.repeat([True, False, True, False], [1, 1, 7, 12])
    assert paired_difference(b, a) == pytest.approx((-0.2857, -0.5084, -0.0133, 21), abs=5e-4)
    same = paired_difference(a, a)
    assert same.value == 0 and same.low == -same.high < 0  # never surer than the number of pairs allows


def test_differences_are_antisymmetric():
    rng = np.random.default_rng(4)
    for x, y in ((rng.random(50), rng.random(50) ** 2), (rng.random(50) < 0.5, rng.random(50) < 0.8)):
        one, other = paired_difference(x, y), paired_difference(y, x)
        assert (-one.value, -one.high, -one.low) == pytest.approx(other[:3], abs=1e-15)
        for paired in (True, False):
            assert p_value(x, y, paired) == pytest.approx(p_value(y, x, paired), rel=1e-12)
    one, other = difference(wilson(3, 9), wilson(8, 11)), difference(wilson(8, 11), wilson(3, 9))
    assert (-one.value, -one.high, -one.low) == pytest.approx(other[:3], abs=1e-15)


def test_p_values_are_uniform_under_the_null():
    rng = np.random.default_rng(5)
    paired = [p_value(*rng.normal(size=(2, 30)), paired=True) for _ in range(1000)]
    unpaired = [p_value(rng.normal(size=30), rng.normal(scale=3, size=50), paired=False) for _ in range(1000)]
    for p in (paired, unpaired):
        assert stats.kstest(p, "uniform").pvalue > 0.01
    hits = [p_value(*(rng.random((2, 60)) < 0.8), paired=bool(i % 2)) for i in range(600)]
    assert np.mean(np.array(hits) < 0.05) <= 0.05  # exact tests err on the safe side
    shifted = [p_value(x, x + rng.normal(0.5, 1, 60), paired=True) for x in rng.normal(size=(100, 60))]
    assert np.mean(np.array(shifted) < 0.05) > 0.8


def test_hall_test_agrees_with_its_interval():
    rng = np.random.default_rng(6)
    for shift in np.linspace(-0.6, 0.6, 41):
        d = rng.exponential(size=25) - 1 + shift
        m = mean(d)
        assert (hall_test(d) < 0.05) == (m.low > 0 or m.high < 0)


def test_mcnemar_is_exact():
    gains, losses = np.array([True] * 8 + [False] * 2), np.array([False] * 8 + [True] * 2)
    assert mcnemar(losses, gains) == pytest.approx(0.109375)  # P(X <= 2 or X >= 8), X ~ B(10, 1/2)
    assert mcnemar(gains, gains) == 1
    assert p_value(np.zeros(0, bool), np.zeros(0, bool), True) is None
    assert p_value(np.zeros(1), np.ones(1), True) is None


def test_holm_by_hand():
    adjusted = holm([0.01, 0.04, None, 0.03, 0.005])
    assert adjusted.pop(2) is None and adjusted == pytest.approx([0.03, 0.06, 0.06, 0.02], rel=1e-12)
    assert holm([0.9, 0.8]) == [1, 1]


def test_confusion_has_the_asked_digit_in_rows():
    counts = confusion([5, 5, 5, 2], [6, 6, 5, 2], 10)
    assert counts[5, 6] == 2 and counts[6, 5] == 0 and counts[5, 5] == 1 and counts[2, 2] == 1
    assert counts.sum(axis=1).tolist() == [0, 0, 1, 0, 0, 3, 0, 0, 0, 0]
    assert counts.shape == (10, 10) and confusion([], [], 10).sum() == 0
    with pytest.raises(ValueError, match="outside"):
        confusion([0], [10], 10)


def table(n, seed=0):
    rng = np.random.default_rng(seed)
    label = np.arange(n) % 10
    judged = np.where(rng.random(n) < 0.05, (label + 1) % 10, label)
    p = rng.beta(30, 1, n).astype(np.float32)
    scores = {"classifier_confidence": p, "clip_probability": p, "clip_margin": p / 2, "clip_cosine": p / 3}
    labels = {"label": label, "seed": np.arange(n), "classifier_label": judged, "clip_label": judged[::-1]}
    return labels | scores


def test_summary_holds_every_metric_and_is_quick():
    data = table(2000)
    start = time.perf_counter()
    summary = summarise(data, 10)
    assert time.perf_counter() - start < 1
    assert set(summary.metrics["overall"]) == {m for m, entry in METRICS.items() if entry.column in data}
    assert [e["accuracy"].n for e in summary.metrics["per_class"].values()] == [200] * 10
    hits = data["label"] == data["classifier_label"]
    assert summary.metrics["overall"]["accuracy"] == proportion(hits)
    assert summary.metrics["per_class"]["3"]["accuracy"] == proportion(hits[data["label"] == 3])
    trace = sum(summary.confusions["classifier"][d][d] for d in range(10))
    assert trace / 2000 == summary.metrics["overall"]["accuracy"].value
    assert [sum(row) for row in summary.confusions["classifier"]] == [200] * 10


def test_summary_of_what_was_not_scored():
    summary = summarise({"label": [1, 1], "seed": [0, 1], "classifier_label": [1, 2]}, 10)
    assert set(summary.metrics["overall"]) == {"accuracy"} and set(summary.confusions) == {"classifier"}
    assert summary.metrics["per_class"]["0"]["accuracy"] == Estimate(None, None, None, 0)
