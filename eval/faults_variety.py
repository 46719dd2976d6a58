"""Too little variety: images that repeat, classes collapsed to a few images, classes less varied than real ones."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from eval.faults import Fault, Faults, Scope, alarms
from eval.metrics import Estimate, Z, difference
from eval.significance import LEVEL
from eval.summary import JUDGES
from eval.words import SPACES

CAUTION = 1.5  # how much wider the intervals of sets' metrics are taken to be: far out they promise too much
PREFIX = {space.judge: prefix for prefix, space in SPACES.items()}  # of the metrics in a judge's features
ZERO = {"vendi": 1.0, "recall": 0.0, "coverage": 0.0}  # what no variety at all scores


def find_repeated(scopes: Sequence[Scope], images, flat: NDArray) -> Faults:
    """Classes most of whose images are exact repetitions; those of one grey have a finding of their own."""
    found = {}
    for s in scopes if images is not None else ():
        drawn = np.asarray(images)[s.rows & ~flat]
        n, distinct = len(drawn), len({image.tobytes() for image in drawn})
        if distinct < n / 2:
            found[s.label] = Fault(n - distinct, n, {"distinct": (distinct / n, 1.0)})
    return found


def find_collapsed(scopes: Sequence[Scope]) -> Faults:
    """Classes whose variety is far below its floor: all that is measured of `ZERO`, for at least half of the judges.

    The Vendi score must be among it: low recall alone may just as well mean images of another kind.
    """
    found = {}
    for s in scopes:
        values, far = {}, {}
        for judge in JUDGES:
            both = {m: (s.own.get(PREFIX[judge] + m), s.floor.get(PREFIX[judge] + m)) for m in ZERO}
            both = {m: pair for m, pair in both.items() if all(e and e.low is not None for e in pair)}
            if "vendi" in both:
                far[judge] = all(_far_below(*pair, ZERO[m]) for m, pair in both.items())
                values |= {PREFIX[judge] + m: (own.value, floor.value) for m, (own, floor) in both.items()}
        says, others = (tuple(j for j, yes in far.items() if yes is which) for which in (True, False))
        if says and len(says) >= len(others):
            n = int(s.rows.sum())
            found[s.label] = Fault(n, n, values, says, others)
    return found


def _far_below(own: Estimate, floor: Estimate, zero: float) -> bool:
    """Intervals apart, and less than half of what the floor has above `zero`."""
    return own.high < floor.low and own.value - zero < (floor.value - zero) / 2


def find_less_varied(scopes: Sequence[Scope]) -> Faults:
    """Classes whose Vendi score or recall is below its floor by at least a tenth.

    Recall counts only where the images lie among real ones (precision at its floor): images that are all too thick
    have no recall, and all the variety there is.
    """
    tests = {}  # (scope, judge, metric) -> own, floor
    for i, s in enumerate(scopes):
        for judge in JUDGES:
            names = {m: PREFIX[judge] + m for m in ("vendi", "recall", "precision")}
            p = {m: _below(s.own.get(name), s.floor.get(name)) for m, name in names.items()}
            if p["precision"] is not None and p["precision"] < LEVEL:
                del p["recall"]
            tests |= {(i, judge, m): p[m] for m in ("vendi", "recall") if p.get(m) is not None}
    accused = alarms(np.array(list(tests.values())), np.ones(len(tests), dtype=bool))
    found = {}
    for i, s in enumerate(scopes):
        looked = dict.fromkeys(j for at, j, _ in tests if at == i)
        low = [(j, m) for (at, j, m), yes in zip(tests, accused, strict=True) if at == i and yes]
        low = [(j, m) for j, m in low if _smaller(s.own[PREFIX[j] + m], s.floor[PREFIX[j] + m], ZERO[m])]
        if low:
            values = {PREFIX[j] + m: (s.own[PREFIX[j] + m].value, s.floor[PREFIX[j] + m].value) for j, m in low}
            n, says = int(s.rows.sum()), tuple(dict.fromkeys(j for j, _ in low))
            found[s.label] = Fault(n, n, values, says, tuple(j for j in looked if j not in says))
    return found


def _smaller(own: Estimate, floor: Estimate, zero: float) -> bool:
    return own.value - zero < 0.9 * (floor.value - zero)


def _below(own: Estimate | None, floor: Estimate | None) -> float | None:
    """One-sided p-value of "own is below the floor", from their intervals, taken as normal and `CAUTION` times wider.

    As they are, Wilson's for recall and a jackknife's for the Vendi score accused 16 of 756 pairs of 28 draws of 100
    real digits of MNIST a class; with the caution, none.
    """
    d = difference(floor, own) if own and floor else None
    if d is None or d.low is None:
        return None
    half = CAUTION * (d.high - d.value)
    return float(stats.norm.cdf(Z * d.value / half)) if half > 0 else float(d.value >= 0)
