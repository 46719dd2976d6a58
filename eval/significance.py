"""P-values, two-sided, for differences between two sets of images; and Holm's correction.

Where `metrics.paired_difference` or `metrics.difference` gives the size of a difference, these say
whether it can be told from chance. Swapping the two sides never changes a p-value.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from eval.metrics import hall, spread

LEVEL = 0.05


def p_value(a: NDArray, b: NDArray, paired: bool) -> float | None:
    """The test that fits the data: [N] and [M] scores, bool for hits; None where there are too few.

    Hits: exact McNemar (paired) or Fisher's exact test. Scores: the test belonging to `metrics.mean`
    of the differences (paired) or Welch's t.
    """
    hits = a.dtype == bool and b.dtype == bool
    if min(a.size, b.size) < (1 if hits else 2):
        return None
    if hits:
        return mcnemar(a, b) if paired else fisher(a, b)
    return hall_test(b - a) if paired else welch(a, b)


def mcnemar(a: NDArray, b: NDArray) -> float:
    """Exact McNemar test on paired hits: are gains and losses equally likely? 1 without discordant pairs."""
    gained, lost = int((b & ~a).sum()), int((a & ~b).sum())
    return float(stats.binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0


def fisher(a: NDArray, b: NDArray) -> float:
    """Fisher's exact test that two independent groups of hits share one proportion."""
    counts = [[int(x.sum()), int((~x).sum())] for x in (a, b)]
    return float(stats.fisher_exact(counts).pvalue)


def hall_test(d: NDArray) -> float:
    """Mean of d [N] against 0, N >= 2: p < 0.05 exactly where the interval of `metrics.mean` excludes 0."""
    s, g = spread(d)
    if s == 0:
        return 1.0 if d.mean() == 0 else 0.0
    t = np.sqrt(d.size) * hall(d.mean() / s, g, d.size)
    return float(2 * stats.t.sf(abs(t), d.size - 1))


def welch(a: NDArray, b: NDArray) -> float:
    """Welch's t test that two independent groups ([N], [M], at least 2 each) share one mean."""
    variance = a.var(ddof=1) / a.size + b.var(ddof=1) / b.size
    if variance == 0:
        return 1.0 if a.mean() == b.mean() else 0.0
    return float(stats.ttest_ind(a, b, equal_var=False).pvalue)


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
