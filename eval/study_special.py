"""Conclusions of studies whose claim is no difference between two variants: a map of rates, and an order of digits."""

import math
from collections.abc import Callable, Sequence

from eval.metrics import Estimate
from eval.study_table import by_seed, over_seeds, paired
from eval.study_verdict import HELD, NOT, OPEN, Conclude, Conclusion, together, verdict_of

APPEARED = 0.8  # F1 score of a digit's images by the classifier's reading


def best_rate(claimed: float, rates: Sequence[float], norms: Sequence[str], label: Callable) -> Conclude:
    """For "`claimed` trains best, the highest rate diverges", norm by norm; `label(norm, rate)` names a variant."""

    def conclude(rows: Sequence[dict]) -> Conclusion:
        verdicts, best, lost = [], [], []
        for norm in norms:
            losses = {rate: over_seeds(list(by_seed(rows, label(norm, rate), "loss").values())).value for rate in rates}
            known = {rate: loss for rate, loss in losses.items() if loss is not None}
            if known:
                first = min(known, key=known.get)
                best.append(f"{first:g} with {norm} norm ({known[first]:.3f})")
            at = label(norm, claimed)
            others = [label(norm, rate) for rate in rates if rate != claimed]
            verdicts += [better(rows, at, other) for other in others] + [divergence(rows, label(norm, max(rates)))]
            lost += [
                f"{rate:g} with {norm} norm ({told})" for rate in rates if (told := falls(rows, label(norm, rate)))
            ]
        first = f"The lowest loss on test digits was reached at {'; '.join(best)}."
        second = f"Training diverged at {'; '.join(lost)}." if lost else "No run diverged."
        return Conclusion(together(verdicts), (first, second))

    return conclude


def better(rows: Sequence[dict], variant: str, other: str) -> str:
    """Whether a variant's loss is lower than another's, which loses by having none."""
    if by_seed(rows, variant, "loss") and not by_seed(rows, other, "loss"):
        return HELD if any(row["variant"] == other for row in rows) else OPEN
    return verdict_of(paired(rows, variant, other, "loss"), "lower")


def divergence(rows: Sequence[dict], variant: str) -> str:
    """Whether all runs of a variant diverged, none, or some."""
    runs = [row["diverged"] is not None for row in rows if row["variant"] == variant]
    return OPEN if not runs or len(set(runs)) > 1 else HELD if runs[0] else NOT


def falls(rows: Sequence[dict], variant: str) -> str:
    """ "3 of 3 runs, at step 12 in the median"; "" where none did."""
    runs = [row["diverged"] for row in rows if row["variant"] == variant]
    steps = sorted(step for step in runs if step is not None)
    return f"{len(steps)} of {len(runs)} runs, first at step {steps[0]}" if steps else ""


def late_digits(early: Sequence[int], late: Sequence[int]) -> Conclude:
    """For "`early` digits appear before `late` ones"."""

    def conclude(rows: Sequence[dict]) -> Conclusion:
        runs = [{d: math.log2(appeared(row, d)) for d in range(10)} for row in rows if row.get("looks")]
        if not runs:
            return Conclusion(OPEN, ("Nothing was measured.", ""))
        apart = over_seeds([_mean(run, late) - _mean(run, early) for run in runs])
        images = {d: 2 ** _mean({i: run[d] for i, run in enumerate(runs)}, range(len(runs))) for d in range(10)}
        order = ", ".join(f"{d} ({images[d]:,.0f})" for d in sorted(images, key=images.get))
        first = f"Images seen until the F1 score of a digit reaches {APPEARED}, first to last: {order}."
        return Conclusion(verdict_of(apart, "higher"), (first, times(apart, early, late)))

    return conclude


def times(apart: Estimate, early: Sequence[int], late: Sequence[int]) -> str:
    """A difference of base-2 logarithms in words."""
    names = [" and ".join(map(str, digits)) for digits in (late, early)]
    interval = "" if apart.low is None else f" [{2**apart.low:.2f}, {2**apart.high:.2f}]"
    return f"{names[0]} take {2**apart.value:.2f}{interval} times as many images as {names[1]}, over {apart.n} seeds."


def appeared(row: dict, digit: int) -> float:
    """Images seen when a digit's F1 score is APPEARED, between looks on a log scale; twice the run's if it never is."""
    looks = [*row["looks"], row] if row["images"] > row["looks"][-1]["images"] else row["looks"]
    before = None
    for look in looks:
        share, images = look["per_class"][str(digit)]["f1"], look["images"]
        if share >= APPEARED:
            if before is None:
                return images
            part = (APPEARED - before[0]) / (share - before[0])
            return before[1] * (images / before[1]) ** part
        before = share, images
    return 2 * row["images"]


def _mean(values: dict, keys: Sequence) -> float:
    return sum(values[key] for key in keys) / len(keys)
