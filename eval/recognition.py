"""When an image becomes recognisable while it is drawn: pure functions of what the classifier reads at every step.

Step k of K runs at noise level sigmas[k], and the column `step{k}_label` of a table holds the class that the
classifier reads in the denoised estimate of the image there. A sampler that was told the label estimates a typical
image of that label from the very first step, so this says when the model commits itself. `blind{k}_label` is read in
the estimate that the same model makes of the same noisy image without the label: it says when the picture itself
shows the class. `classifier_label` is the reading of the finished image, here step K at noise level 0. Intervals are
for 95 %, each for its own step (pointwise): a whole curve lies inside all of them less often than that.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from eval.metrics import mean, proportion


def recognition(table: Mapping, sigmas: Sequence[float], classes: int) -> dict | None:
    """Plain JSON: {"sigmas", "overall": curves, "per_class": {"0": curves, ...}, "blind": the last two again, for
    readings without the label, or None}; None for unlabelled images or where the table has no steps.

    Curves: `recognised` and `for_good` are lists of estimates of a share, one a step, `for_good` with one more
    for the finished image: read as the class asked for at that step, and from that step on to the end.
    `t50` says when half of the images are recognised for good (`half_recognised`). `lock_in` is the mean of
    `lock_in` over the images that end up right, `flips` the mean number of changes of mind.
    ValueError where the noise levels are not strictly falling or are not one for each step.
    """
    read, labels = readings(table), np.asarray(table["label"])
    if read is None or (labels.size and (labels < 0).all()):
        return None
    levels = [float(s) for s in sigmas]
    if len(levels) != read.shape[1] - 1 or any(a <= b for a, b in zip(levels[:-1], levels[1:], strict=True)):
        raise ValueError(f"{read.shape[1] - 1} steps need as many falling noise levels, not {levels}")
    blind = readings(table, "blind")
    if blind is not None and blind.shape != read.shape:
        raise ValueError(f"{read.shape[1] - 1} steps with the label, but {blind.shape[1] - 1} without")
    seen = _scopes(read, labels, levels, classes)
    return {"sigmas": levels, **seen, "blind": None if blind is None else _scopes(blind, labels, levels, classes)}


def readings(table: Mapping, kind: str = "step") -> NDArray[np.int64] | None:
    """The class read at every step and in the finished image, int [N, K + 1]; None without those columns.

    `kind`: "step" or "blind".
    """
    steps = 0
    while f"{kind}{steps}_label" in table:
        steps += 1
    if steps == 0 or "classifier_label" not in table:
        return None
    columns = [*(f"{kind}{k}_label" for k in range(steps)), "classifier_label"]
    return np.stack([np.asarray(table[c], dtype=np.int64) for c in columns], axis=1)


def lock_in(read: NDArray, labels: NDArray) -> NDArray[np.int64]:
    """First step from which on every reading [N, K + 1] is the class asked for [N].

    K where only the finished image is read right; K + 1 where not even that: never.
    """
    right = read == labels[:, None]
    to_the_end = np.logical_and.accumulate(right[:, ::-1], axis=1)
    return read.shape[1] - to_the_end.sum(axis=1)


def flips(read: NDArray) -> NDArray[np.int64]:
    """How often the reading [N, K + 1] differs from the one a step earlier: int [N], at most K."""
    return (read[:, 1:] != read[:, :-1]).sum(axis=1)


def median_interval(values: ArrayLike) -> tuple[float, float] | None:
    """Interval of the median that covers it with at least 95 %, whatever the distribution of `values` [N].

    The r-th smallest and r-th largest value, r the largest with P(Binomial(N, 1/2) < r) <= 2.5 % (Conover 1999,
    section 3.2). None for N < 6, where not even the extremes cover enough.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    below = stats.binom.cdf(np.arange(ordered.size), ordered.size, 0.5)  # P(fewer than r = 1, 2, ... lie below)
    rank = int((below <= 0.025).sum())
    return (float(ordered[rank - 1]), float(ordered[-rank])) if rank else None


def half_recognised(locked: NDArray, levels: Sequence[float]) -> dict:
    """The first step by which at least half of the images are locked in [N], and its noise level.

    {"step", "sigma", "low_step", "high_step", "low_sigma", "high_sigma", "n", "reason"}. The interval is that of
    the median; `high_sigma` belongs to `low_step`, since noise falls. Values are None where there is no such
    step; `reason` then says why, or why only the interval, or its far end, is missing.
    """
    sigma = [*levels, 0.0, None]  # of steps 0..K-1, the finished image, never
    found = dict.fromkeys(("step", "sigma", "low_step", "high_step", "low_sigma", "high_sigma"))
    found |= {"n": int(locked.size), "reason": None}
    if locked.size == 0:
        return found | {"reason": "there are no images"}
    step, never = int(np.sort(locked)[(locked.size - 1) // 2]), len(sigma) - 1
    if step == never:
        return found | {"reason": "fewer than half of the images are read as the class asked for in the end"}
    found |= {"step": step, "sigma": sigma[step]}
    interval = median_interval(locked)
    if interval is None:
        return found | {"reason": "an interval needs at least 6 images"}
    low, high = map(int, interval)
    found |= {"low_step": low, "high_sigma": sigma[low]}
    if high == never:
        return found | {"reason": "it may be that fewer than half of the images ever get there"}
    return found | {"high_step": high, "low_sigma": sigma[high]}


def _scopes(read: NDArray, labels: NDArray, levels: list[float], classes: int) -> dict:
    rows = {str(d): labels == d for d in range(classes)}
    per_class = {name: _curves(read[own], labels[own], levels) for name, own in rows.items()}
    return {"overall": _curves(read, labels, levels), "per_class": per_class}


def _curves(read: NDArray, labels: NDArray, levels: list[float]) -> dict:
    steps, locked = len(levels), lock_in(read, labels)
    return {
        "recognised": [proportion(read[:, k] == labels).to_dict() for k in range(steps)],
        "for_good": [proportion(locked <= k).to_dict() for k in range(steps + 1)],
        "t50": half_recognised(locked, levels),
        "lock_in": mean(locked[locked <= steps], 0, steps).to_dict(),
        "flips": mean(flips(read), 0, steps).to_dict(),
    }
