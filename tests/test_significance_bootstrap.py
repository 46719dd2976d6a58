"""The studentised bootstrap: coverage on skewed differences, symmetry, agreement with others, where it gives up."""

import numpy as np
import pytest
from scipy import stats

from eval.metrics import Estimate, mean
from eval.significance import RESAMPLES, bootstrap_mean

# E[min(.5 + .08 z, .72)], z normal: the mean margin of an image that is read rightly
RIGHT = 0.5 - 0.08 * (stats.norm.pdf(2.75) - 2.75 * stats.norm.sf(2.75))


def margins(rng, n: int, worse: float, better: float) -> np.ndarray:
    """Differences [n] of paired CLIP margins: near .5, misses near -.15, the better side's among the worse's."""
    miss, shared = rng.random(n), rng.normal(size=n)
    sides = []
    for rate in (worse, better):
        right = np.minimum(0.5 + 0.08 * (shared + rng.normal(size=n)) / np.sqrt(2), 0.72)
        sides.append(np.where(miss < rate, -0.15 + 0.1 * rng.normal(size=n), right))
    return sides[1] - sides[0]


@pytest.mark.parametrize(("n", "worse", "better"), [(200, 0.03, 0.01), (200, 0.4, 0.01)])
def test_it_covers_skewed_margins(n, worse, better):
    truth = (worse - better) * (0.15 + RIGHT)
    rng = np.random.default_rng(1)
    found = [bootstrap_mean(margins(rng, n, worse, better)) for _ in range(700)]
    below, above = np.mean([e.low > truth for e in found]), np.mean([e.high < truth for e in found])
    assert abs(1 - below - above - 0.95) <= 0.03 and max(below, above) <= 0.055


def test_it_agrees_with_hall_and_with_bca_where_there_is_plenty():
    d = margins(np.random.default_rng(2), 2000, 0.03, 0.01)
    ours, hall = bootstrap_mean(d), mean(d)
    bca = stats.bootstrap((d,), np.mean, method="BCa", n_resamples=4000, rng=0, batch=500).confidence_interval
    for low, high in (hall[1:3], bca):
        assert abs(ours.low - low) + abs(ours.high - high) < 0.1 * (hall.high - hall.low)
    assert ours.value == d.mean() and ours.n == 2000
    assert bootstrap_mean(d) == ours  # the same every time


def test_it_turns_with_the_data():
    x = np.random.default_rng(3).exponential(size=60)
    one, flipped, moved = bootstrap_mean(x), bootstrap_mean(-x), bootstrap_mean(3 * x + 7)
    assert (-flipped.value, -flipped.high, -flipped.low) == one[:3]
    assert moved[:3] == pytest.approx([3 * v + 7 for v in one[:3]])
    assert one.high - one.value > 1.2 * (one.value - one.low)  # leans the way the data do


def test_where_it_gives_up():
    assert bootstrap_mean(np.array([])) == Estimate(None, None, None, 0)
    assert bootstrap_mean(np.array([0.5])) == Estimate(0.5, None, None, 1)
    assert bootstrap_mean(np.full(9, 0.25)) == (0.25, 0.25, 0.25, 9)
    one_differs = np.where(np.arange(200) == 7, 1.0, 0.0)  # 37 % of the resamples miss it
    assert bootstrap_mean(one_differs) == (0.005, None, None, 200)
    assert (RESAMPLES + 1) * 0.025 % 1 == 0
