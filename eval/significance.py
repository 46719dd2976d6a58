"""P-values, two-sided, for differences between two sets of images; Holm's correction; a bootstrap interval.

Where `metrics.paired_difference` or `metrics.difference` gives the size of a difference, these say
whether it can be told from chance. Swapping the two sides never changes a p-value, not even its last bit.

Hits are tested with mid-p, exact tests that count tables just as likely as the one found half (Lancaster
1961; for pairs Fagerland, Lydersen and Laake 2013). Chosen by enumerating every outcome where nothing
differs: at level .05 exact McNemar rejects .0345 (2,000 pairs, 2 % of them discordant) and .0219 (200
pairs, 5 %), mid-p .0482 and .0411, and nowhere over 20 to 2,000 pairs and .2 to 50 % more than .0498; the
worst of ten classes after Holm .026 and .045 (200 pairs each, 10 %). Where the interval beside it includes
0 or not, mid-p says the same in 3,712 of 3,720 cases of 200 pairs, the exact test in 3,676. Fisher's test
rejects .0337 (two groups of 200, 10 % misses) and its mid-p .0482, at most .0505 for 200 against 1,000.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from eval.metrics import Estimate, Z, hall, spread

LEVEL = 0.05
RESAMPLES = 1999  # (RESAMPLES + 1) * 2.5 % is whole: the ends are order statistics, nothing is interpolated
TAIL = round(0.025 * (RESAMPLES + 1))
HELD = 2**21  # values of resamples in memory at once: 16 MB


def p_value(a: NDArray, b: NDArray, paired: bool) -> float | None:
    """The test that fits the data: [N] and [M] scores, bool for hits; None where there are too few.

    Hits: mid-p McNemar (paired) or Fisher's mid-p. Scores: the test belonging to `metrics.mean` of the
    differences (paired) or Welch's t.
    """
    hits = a.dtype == bool and b.dtype == bool
    if min(a.size, b.size) < (1 if hits else 2):
        return None
    if hits:
        return mcnemar_mid_p(a, b) if paired else fisher_mid_p(a, b)
    return hall_test(b - a) if paired else welch(a, b)


# ---------------------------------------------------------------- hits


def mcnemar(a: NDArray, b: NDArray) -> float:
    """Exact McNemar test on paired hits: are gains and losses equally likely? 1 without discordant pairs."""
    fewer, more = _discordant(a, b)
    return float(stats.binomtest(fewer, fewer + more).pvalue) if fewer + more else 1.0


def mcnemar_mid_p(a: NDArray, b: NDArray) -> float:
    """The same, with the outcomes just as likely as this one counted half (Fagerland et al. 2013).

    1 where gains and losses are equal.
    """
    fewer, more = _discordant(a, b)
    return 1.0 if fewer == more else mcnemar(a, b) - float(stats.binom.pmf(fewer, fewer + more, 0.5))


def _discordant(a: NDArray, b: NDArray) -> tuple[int, int]:
    """Gains and losses of paired hits, the fewer first."""
    gained, lost = int((b & ~a).sum()), int((a & ~b).sum())
    return min(gained, lost), max(gained, lost)


def fisher_mid_p(a: NDArray, b: NDArray) -> float:
    """Two independent groups of hits share one proportion: Fisher's exact test with mid-p.

    Of all tables with these margins: the probability of the less likely ones, and half that of those as
    likely as the one found. 1 where the proportions are equal.
    """
    small, large = sorted((x.size, int(x.sum())) for x in (a, b))
    (n, hits), (m, others) = small, large
    if hits * m == others * n:
        return 1.0
    total = hits + others
    possible = np.arange(max(0, total - m), min(n, total) + 1)
    likely = stats.hypergeom.pmf(possible, n + m, n, total)
    found = likely[hits - possible[0]]
    tied = np.isclose(likely, found, rtol=1e-7, atol=0)
    return min(1.0, float(likely[(likely < found) & ~tied].sum() + likely[tied].sum() / 2))


# ---------------------------------------------------------------- scores


def hall_test(d: NDArray) -> float:
    """Mean of d [N] against 0, N >= 2: p < 0.05 exactly where the interval of `metrics.mean` excludes 0.

    At level .05 it rejects .047 to .051 of real pairs (2,000, of two checkpoints) whose sides were exchanged by
    a coin. Of pairs that share nothing, .050 by CLIP margin, and .065 by the confidence of a checkpoint with
    13 misses: it takes the skewness of so few for more than it is.
    """
    s, g = spread(d if d.mean() > 0 else -d)  # powers of negative numbers are rounded in their own way
    if s == 0:
        return 1.0 if d.mean() == 0 else 0.0
    t = np.sqrt(d.size) * hall(abs(d.mean()) / s, g, d.size)
    return float(2 * stats.t.sf(abs(t), d.size - 1))


def welch(a: NDArray, b: NDArray) -> float:
    """Welch's t test that two independent groups ([N], [M], at least 2 each) share one mean.

    Near its level where the groups are of one size (.035 to .054 for confidences with 1 to 10 % misses, 200
    each). With a small group of few misses against a large one it is not (100 with 1 % against 1,000: .29),
    nor is any test that cannot know of misses that were not drawn.
    """
    variance = a.var(ddof=1) / a.size + b.var(ddof=1) / b.size
    if variance == 0:
        return 1.0 if a.mean() == b.mean() else 0.0
    # Sorted by size, then mean, so that rounding cannot depend on which side is which.
    one, other = sorted((a, b), key=lambda x: (x.size, x.mean()))
    return float(stats.ttest_ind(one, other, equal_var=False).pvalue)


def z_test(a: Estimate, b: Estimate) -> float | None:
    """Two independent estimates with 95 % intervals, held against the normal: z = (b - a) / hypot(se_a, se_b).

    A standard error is half the width of an interval over 1.96. None where an interval is missing.
    """
    if a.low is None or b.low is None:
        return None
    error = np.hypot(a.high - a.low, b.high - b.low) / (2 * Z)
    d = abs(b.value - a.value)
    if error == 0:
        return 1.0 if d == 0 else 0.0
    return float(2 * stats.norm.sf(d / error))


# ---------------------------------------------------------------- many at once


def holm(p: list[float | None]) -> list[float | None]:
    """Holm 1979: p-values adjusted so that the chance of ANY false alarm among them stays at the level.

    None (nothing measured) stays None and does not count as a test.
    """
    order = sorted((v, i) for i, v in enumerate(p) if v is not None)
    adjusted: list[float | None] = [None] * len(p)
    highest = 0.0
    for rank, (v, i) in enumerate(order):
        highest = max(highest, min(1.0, v * (len(order) - rank)))
        adjusted[i] = highest
    return adjusted


# ---------------------------------------------------------------- bootstrap


def bootstrap_mean(d: NDArray) -> Estimate:
    """Mean of differences d [N] with a studentised bootstrap interval (Efron 1981; Hall 1988), seed 0.

    Every resample gives t = (mean* - mean) / s*; the interval is mean - t_97.5 s to mean - t_2.5 s. No
    interval where N < 2, or where 2.5 % of the resamples have no spread: too few values differ.

    Chosen by simulated coverage on paired CLIP margins (3,000 simulations; in brackets the share missed on
    either side). 200 pairs, 3 % misses against 1: studentised 94.0 (2.8, 3.2), BCa 93.3 (3.2, 3.5), percentile
    93.8 (2.0, 4.1), basic 94.2 (.9, 4.9) %. 20 pairs, 10 % against 5: 86.6, 83.4, 84.5, 85.3 %: a miss that was
    not drawn is not known of, so fewer than 100 pairs (91.9 %) give intervals that are too narrow.
    """
    if d.size == 0:
        return Estimate(None, None, None, 0)
    d = d.astype(np.float64)
    centre, s = float(d.mean()), float(d.std())
    if d.size == 1:
        return Estimate(centre, None, None, 1)
    if spread(d)[0] == 0:
        return Estimate(centre, centre, centre, d.size)
    t = np.sort(_studentised(d))
    low, high = centre - t[-TAIL] * s, centre - t[TAIL - 1] * s
    if not np.isfinite([low, high]).all():
        return Estimate(centre, None, None, d.size)
    return Estimate(centre, float(low), float(high), d.size)


def _studentised(d: NDArray) -> NDArray:
    """(mean* - mean) / s* of every resample of d [N]; infinite where a resample has no spread."""
    rng, found = np.random.default_rng(0), []
    block = max(1, HELD // d.size)
    for start in range(0, RESAMPLES, block):
        rows = rng.integers(0, d.size, (min(block, RESAMPLES - start), d.size), dtype=np.int32)
        x = d[rows]
        away, s = x.mean(1) - d.mean(), x.std(1)
        flat = s <= 1e-14 * np.abs(d).max()
        found.append(np.where(flat, np.copysign(np.inf, away), away / np.where(flat, 1, s)))
    return np.concatenate(found)
