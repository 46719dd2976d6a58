"""The rows of a comparison: each metric of two reports, overall and for each class, with b - a and its p-value."""

from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd
from numpy.typing import NDArray

from eval.metrics import Estimate, difference, paired_difference
from eval.report import Report
from eval.significance import LEVEL, holm, p_value, z_test
from eval.summary import estimate, values
from eval.words import WORDS


class Row(NamedTuple):
    """One metric in one scope; `difference` is b - a. `tuned`: a or b was trained against that scorer."""

    metric: str
    scope: str  # "overall", or the label of a class: "0", "1", ...
    a: Estimate
    b: Estimate
    difference: Estimate
    p: float | None  # two-sided; of a class after Holm's correction over the classes
    paired: bool
    significant: bool
    tuned: bool

    @property
    def better(self) -> str | None:
        """ "a" or "b" where one is better beyond chance; None elsewhere, and where no side is the better one."""
        side = WORDS[self.metric].better
        if not self.significant or side is None:
            return None
        return "b" if (self.difference.value > 0) == (side == "higher") else "a"

    def to_dict(self) -> dict:
        estimates = {key: getattr(self, key).to_dict() for key in ("a", "b", "difference")}
        return self._asdict() | estimates | {"better": self.better}


def image_rows(a: pd.DataFrame, b: pd.DataFrame, metric: str, classes: int, paired: bool, tuned: bool) -> Iterator[Row]:
    """A metric that averages scores of images, in every scope. `paired`: row i of a belongs to row i of b."""
    groups = list(zip(by_scope(a, metric, classes), by_scope(b, metric, classes), strict=True))
    p = _corrected([p_value(x, y, paired) for x, y in groups])
    for scope, (x, y), value in zip(scopes(classes), groups, p, strict=True):
        one, other = estimate(x, metric), estimate(y, metric)
        d = paired_difference(x, y) if paired else difference(one, other)
        yield Row(metric, scope, one, other, d, value, paired, _certain(value), tuned)


def set_rows(a: Report, b: Report, metric: str, tuned: bool) -> Iterator[Row]:
    """A metric of whole sets (a distance, a variety) in the scopes that fit: the estimates are held apart.

    They are taken as independent. What shared noise and the shared real images contribute moves both the
    same way, so that errs on the safe side.
    """
    fitting = [scope for scope in scopes(len(a.source.class_names)) if same_size(a, b, metric, scope)]
    found = [(entry(a, metric, scope), entry(b, metric, scope)) for scope in fitting]
    p = _corrected([z_test(x, y) for x, y in found])
    for scope, (x, y), value in zip(fitting, found, p, strict=True):
        yield Row(metric, scope, x, y, difference(x, y), value, False, _certain(value), tuned)


def scopes(classes: int) -> list[str]:
    return ["overall", *map(str, range(classes))]


def by_scope(table: pd.DataFrame, metric: str, classes: int) -> list[NDArray]:
    """Scores of all images, then those of each label."""
    scores, labels = values(table, metric), table["label"].to_numpy()
    return [scores, *(scores[labels == d] for d in range(classes))]


def entry(report: Report, metric: str, scope: str = "overall") -> Estimate | None:
    """A report's own estimate, or None where it has none."""
    metrics = report.metrics
    return (metrics["overall"] if scope == "overall" else metrics["per_class"].get(scope, {})).get(metric)


def same_size(a: Report, b: Report, metric: str, scope: str = "overall") -> bool:
    """Both have a value, of as many images: the bias of a distance between sets depends on how many."""
    x, y = entry(a, metric, scope), entry(b, metric, scope)
    return x is not None and y is not None and None not in (x.value, y.value) and x.n == y.n


def is_tuned(metric: str, tuned: frozenset[str]) -> bool:
    """Whether one of the `tuned` scorers has a say in a metric; in what all judges say together each has."""
    judge = WORDS[metric].judge
    return judge in tuned or (judge == "judges" and bool(tuned))


def _corrected(p: list[float | None]) -> list[float | None]:
    """The first, overall, is one test; the others are those of the classes, together."""
    return p[:1] + holm(p[1:])


def _certain(p: float | None) -> bool:
    return p is not None and p < LEVEL
