"""Stops a tuning before it spoils what it was not tuned by. Decided by what was never optimised, and never by the judge
that reports: the second classifier, captions held out, the distance and spread of the whole set, the ink where
strokes are measured, and another CLIP where there is one.

The first look, at the parent, sets the limits; a recall or coverage above that of as many real images, which comes of
odd ones that lie far out, may be lost down to theirs. Among the looks within the limits the best is the one with the
most images read right by the second classifier, then with the largest held-out margin. After PATIENCE looks in a row
beyond a limit, or STALE that were no better, the run ends, and the best is what is kept.
"""

from typing import NamedTuple

PATIENCE = 2
STALE = 8
LOSS = {"second_recall": 0.01, "second_coverage": 0.01}  # how far below the parent
RISE = {"second_fd": 0.05, "ink": 0.03, "thickness": 0.03}  # share of the parent's, to either side but for fd
FALL = {"second_vendi": 0.05, "independent_margin": 0.02}  # share of the parent's; the last where another CLIP looks
WORDS = {
    "second_vendi": "the Vendi score",
    "independent_margin": "the other CLIP's margin",
    "second_recall": "recall",
    "second_coverage": "coverage",
    "second_fd": "the Frechet distance",
    "ink": "the ink",
    "thickness": "the thickness of strokes",
}


class Decision(NamedTuple):
    """What a look means for the run. `beyond`: the limits it breaks, in words; `best`: whether it is the best so far;
    `stop`: None, or why the run ends."""

    beyond: tuple[str, ...]
    best: bool
    stop: str | None


def beyond(base: dict, row: dict) -> tuple[str, ...]:
    """The limits that a look breaks, each as a few words."""
    found = []
    for key, allowed in LOSS.items():
        if row[key] < min(base[key] - allowed, base.get("real", {}).get(key, 1.0)):
            found.append(f"{WORDS[key]} fell from {base[key]:.3f} to {row[key]:.3f}")
    for key, share in RISE.items():
        ratio = row[key] / base[key] - 1 if key in base else 0.0
        if ratio > share or (key != "second_fd" and ratio < -share):
            found.append(f"{WORDS[key]} went from {base[key]:.3g} to {row[key]:.3g}")
    for key, share in FALL.items():
        if key in base and row[key] < base[key] - share * abs(base[key]):
            found.append(f"{WORDS[key]} went from {base[key]:.3g} to {row[key]:.3g}")
    return tuple(found)


def merit(row: dict) -> tuple[float, float]:
    """What the looks within the limits are ordered by."""
    return row["second_accuracy"], row["heldout_margin"]


def decisions(rows: list[dict]) -> list[Decision]:
    """What each look, in their order, meant when it was the last; none after a stop is looked at."""
    found: list[Decision] = []
    best, bad, stale = None, 0, 0
    for row in rows:
        broken = beyond(rows[0], row)
        better = not broken and (best is None or merit(row) > merit(best))
        best = row if better else best
        bad, stale = (bad + 1 if broken else 0), (0 if better else stale + 1)
        stop = None
        if bad >= PATIENCE:
            stop = f"{PATIENCE} looks in a row broke a limit: {'; '.join(broken)}"
        elif stale >= STALE:
            stop = f"{STALE} looks in a row were no better"
        found.append(Decision(broken, better, stop))
        if stop:
            break
    return found


def progress(rows: list[dict], patience: int | None = None) -> list[Decision]:
    """The same for a network in training: the best look has the least distance by the second classifier.

    After `patience` looks in a row that were no better the run ends (None: never).
    """
    found: list[Decision] = []
    least, stale = float("inf"), 0
    for row in rows:
        better = row["second_fd"] < least
        least, stale = min(least, row["second_fd"]), (0 if better else stale + 1)
        stop = f"{stale} looks in a row were no better" if patience is not None and stale >= patience else None
        found.append(Decision((), better, stop))
        if stop:
            break
    return found


def best(rows: list[dict]) -> int:
    """The place of the look to keep: the parent's own, 0, where no other is better."""
    return max(i for i, decision in enumerate(decisions(rows)) if decision.best)
