"""Shapes unlike those of real images: strokes too thin, slanted, small, narrow or short, and the reverse."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from eval.faults import Fault, Faults, Scope, alarms


class Measure(NamedTuple):
    """Kinds of finding and words for too little and too much; a `least` standard deviation of real images."""

    below: str
    above: str
    say_below: str
    say_above: str
    unit: str
    least: float


MEASURES = {
    "thickness": Measure("thin", "thick", "strokes too thin", "strokes too thick", " px", 0.5),
    "slant": Measure("slanted", "slanted", "leaning too far left", "leaning too far right", "°", 5.0),
    "size": Measure("small", "large", "too small", "too large", " px", 1.0),
    "proportion": Measure("narrow", "wide", "too narrow for their height", "too wide for their height", "", 0.1),
    "length": Measure("short", "long", "strokes too short", "strokes too long", " px", 3.0),
}


def _measured(table: Mapping) -> dict[str, NDArray]:
    """The columns of eval/shape.py as `MEASURES`: slant in degrees, size the longer side, proportion width / height."""
    found = {m: np.asarray(table[m], dtype=np.float64) for m in ("thickness", "slant", "length") if m in table}
    if "slant" in found:
        found["slant"] = np.degrees(found["slant"])
    if "width" in table and "height" in table:
        width, height = (np.asarray(table[m], dtype=np.float64) for m in ("width", "height"))
        found |= {"size": np.maximum(width, height), "proportion": width / np.maximum(height, 1)}
    return found


def find_shapes(
    table: Mapping, real_table: Mapping, scopes: Sequence[Scope], flat: NDArray
) -> dict[tuple[str, bool], Faults]:
    """Means that differ from those of real images by more than half of their standard deviation (Cohen's d > 0.5).

    By measure, and whether there is too much of it (True) or too little.
    """
    own, real = _measured(table), _measured(real_table)
    tests = {}
    for s in scopes:
        for m in MEASURES:
            if s.label is not None and m in own and m in real:
                a, b = own[m][s.rows & ~flat], real[m][s.real]
                if min(a.size, b.size) > 1:
                    tests[s.label, m] = (a, b, _welch(a, b))
    accused = alarms(np.array([p for *_, p in tests.values()]), np.ones(len(tests), dtype=bool))
    found: dict[tuple[str, bool], Faults] = {}
    for ((label, m), (a, b, _)), alarm in zip(tests.items(), accused, strict=True):
        gap = a.mean() - b.mean()
        if alarm and abs(gap) > max(b.std(ddof=1), MEASURES[m].least) / 2:
            fault = Fault(a.size, a.size, {m: (float(a.mean()), float(b.mean()))})
            found.setdefault((m, bool(gap > 0)), {})[label] = fault
    return found


def _welch(a: NDArray, b: NDArray) -> float:
    """As `significance.welch`, but from the moments: scipy warns of values that are all but equal."""
    if a.std() == b.std() == 0:
        return float(a.mean() == b.mean())
    moments = (f(x) for x in (a, b) for f in (np.mean, lambda y: np.std(y, ddof=1), len))
    return float(stats.ttest_ind_from_stats(*moments, equal_var=False).pvalue)
