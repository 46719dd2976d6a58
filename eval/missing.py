"""Which shapes of real images are rare among generated ones, class by class. Pure functions of two tables.

A table is a pandas DataFrame (or a dict of arrays) with `label` and the columns of `shape.MEASURES`. Where a table has
no labels (-1 everywhere), all images are taken together, as label -1.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import hypergeom

from eval.metrics import Estimate, wilson
from eval.shape import MEASURES
from eval.significance import LEVEL, holm

ALL = -1  # the label of tables without labels
MANY = 100  # images of a class from which its range is cut into tenths; below, into fifths
PAIR = ("thickness", "slant")  # seen together as well, in thirds of each


class Span(NamedTuple):
    """low <= measure < high; -inf and inf where a side is open."""

    measure: str
    low: float
    high: float


class Region(NamedTuple):
    """Shapes of a class: how often they were generated (`share`), and how often they are real (`expected`)."""

    label: int
    measure: str
    low: float  # inclusive; -inf and inf where a side is open
    high: float
    share: Estimate
    expected: float
    also: Span | None = None  # what holds of a second measure, where two are seen together


class _Cut(NamedTuple):
    """A region with the counts behind it: `hits` of `n` generated images, `real_hits` of `real_n` real ones."""

    region: Region
    hits: int
    n: int
    real_hits: int
    real_n: int


# ---------------------------------------------------------------- regions


def regions(table: Mapping, real: Mapping) -> list[Region]:
    """Every class's range of every measure, cut at tenths of the REAL images; then thirds of `PAIR` together.

    Fifths where a class has fewer than 100 images of either kind. `share` has its Wilson interval, and no value
    where nothing was generated. Classes that `real` does not have are left out.
    """
    return [cut.region for cut in _cuts(table, real)]


def missing(table: Mapping, real: Mapping) -> list[Region]:
    """Regions that are surely rarer than among real images, and at most half as frequent; the largest gap first.

    One-sided Fisher's exact test of the two counts, Holm over all regions of all classes. For a region between
    values of the real sample that test is exact although its borders are drawn too: it then is the precedence
    test (the k-th generated value against the m-th real one). Neighbours of one measure are joined into one region.
    """
    cuts = _cuts(table, real)
    adjusted = holm(_rarer(cuts))
    rare = [
        cut for cut, p in zip(cuts, adjusted, strict=True)
        if p is not None and p < LEVEL and cut.region.share.value <= cut.region.expected / 2
    ]  # fmt: skip
    return sorted(_joined(rare), key=lambda r: r.share.value - r.expected)


def _cuts(table: Mapping, real: Mapping) -> list[_Cut]:
    out = []
    for label, fake, true in _by_class(table, real):
        parts = 10 if min(_size(fake), _size(true)) >= MANY else 5
        spans = [(s,) for m in MEASURES for s in _spans(m, true[m], parts)]
        spans += product(*(_spans(m, true[m], 3) for m in PAIR))
        out += [_cut(label, s, fake, true) for s in spans if _size(true)]
    return out


def _by_class(table: Mapping, real: Mapping) -> Iterator[tuple[int, dict, dict]]:
    """(label, generated measures, real measures), for every label of `real`."""
    labels = [np.asarray(t["label"]) for t in (table, real)]
    unlabelled = any(len(x) and (x == ALL).all() for x in labels)
    for label in [ALL] if unlabelled else np.unique(labels[1]).tolist():
        rows = [np.ones(len(x), bool) if unlabelled else x == label for x in labels]
        yield label, *({m: np.asarray(t[m])[r] for m in MEASURES} for t, r in zip((table, real), rows, strict=True))


def _size(columns: dict) -> int:
    return len(columns[MEASURES[0]])


def _spans(measure: str, real: NDArray, parts: int) -> list[Span]:
    """`parts` spans with the same number of `real` values [N] each; fewer where values are tied."""
    inner = np.unique(np.quantile(real, np.arange(1, parts) / parts)).tolist() if len(real) else []
    edges = [-np.inf, *inner, np.inf]
    return [Span(measure, low, high) for low, high in zip(edges[:-1], edges[1:], strict=True)]


def _cut(label: int, spans: Sequence[Span], fake: dict, real: dict) -> _Cut:
    """The region where all (one or two) spans hold."""
    hits, real_hits = (
        int(np.logical_and.reduce([(s.low <= c[s.measure]) & (c[s.measure] < s.high) for s in spans]).sum())
        for c in (fake, real)
    )
    n, real_n = _size(fake), _size(real)
    region = Region(label, *spans[0], wilson(hits, n), real_hits / real_n, *spans[1:])
    return _Cut(region, hits, n, real_hits, real_n)


def _rarer(cuts: list[_Cut]) -> list[float | None]:
    """P(so few generated hits | all hits), if both kinds hit equally often; None where nothing was generated."""
    hits, n, real_hits, real_n = np.array([cut[1:] for cut in cuts], dtype=np.int64).reshape(-1, 4).T
    p = hypergeom.cdf(hits, n + real_n, n, hits + real_hits)
    return [float(v) if many else None for v, many in zip(p, n, strict=True)]


def _joined(cuts: list[_Cut]) -> list[Region]:
    """Spans that touch, of the same class and measure, as one. `cuts` in the order of `_cuts`."""
    out: list[_Cut] = []
    for cut in cuts:
        r, last = cut.region, out[-1].region if out else None
        if last and (last.label, last.measure, last.high, last.also, r.also) == (r.label, r.measure, r.low, None, None):
            before = out.pop()
            hits, real_hits = before.hits + cut.hits, before.real_hits + cut.real_hits
            r = last._replace(high=r.high, share=wilson(hits, cut.n), expected=real_hits / cut.real_n)
            cut = _Cut(r, hits, cut.n, real_hits, cut.real_n)
        out.append(cut)
    return [cut.region for cut in out]


# ---------------------------------------------------------------- in words

WORDS = {  # below a value, above one, between two
    "thickness": ("strokes thinner than {1} px", "strokes thicker than {0} px", "strokes {0} to {1} px thick"),
    "slant": ("slants below {1}°", "slants above {0}°", "slants of {0}° to {1}°"),
    "width": ("shapes narrower than {1} px", "shapes wider than {0} px", "shapes {0} to {1} px wide"),
    "height": ("shapes lower than {1} px", "shapes taller than {0} px", "shapes {0} to {1} px tall"),
    "length": ("strokes shorter than {1} px", "strokes longer than {0} px", "strokes {0} to {1} px long"),
    "ink": (
        "shapes with less than {1} px of ink",
        "shapes with over {0} px of ink",
        "shapes with {0} to {1} px of ink",
    ),
}


def describe(region: Region, class_names: Sequence[str]) -> str:
    """ "5: strokes thicker than 5.1 px are rare: 1.0 % [0.3 %, 3.6 %] of the generated images, 10.0 % of the real".

    Slants in degrees, positive to the right. ValueError where nothing was generated.
    """
    if region.share.value is None:
        raise ValueError("nothing was generated")
    name = "all" if region.label == ALL else class_names[region.label]
    what = _words(Span(*region[1:4])) + (f" and {_words(region.also)}" if region.also else "")
    share, low, high, expected = (f"{100 * x:.1f} %" for x in (*region.share[:3], region.expected))
    return f"{name}: {what} are rare: {share} [{low}, {high}] of the generated images, {expected} of the real"


def _words(span: Span) -> str:
    below, above, between = WORDS[span.measure]
    form = below if span.low == -np.inf else above if span.high == np.inf else between
    return form.format(*(_number(span.measure, x) for x in (span.low, span.high)))


def _number(measure: str, value: float) -> str:
    return f"{np.degrees(value):.0f}" if measure == "slant" else f"{value:.1f}"
