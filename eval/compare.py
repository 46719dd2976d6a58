"""Is b better than a? Two reports under the same scorers -> differences with intervals and p-values.

Images of two checkpoints that share (label, seed) grew from the same noise: they are compared pair by
pair, which cancels what the noise contributes. Everything else is compared as independent groups.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import NamedTuple

import pandas as pd

from eval.errors import UserError
from eval.metrics import Estimate, difference, paired_difference
from eval.report import Report
from eval.significance import LEVEL, holm, p_value
from eval.summary import METRICS, estimate, values


class Row(NamedTuple):
    """One metric in one scope; `difference` is b - a. `tuned`: a or b was trained against that scorer."""

    metric: str
    scope: str  # "overall", or "0".."9"
    a: Estimate
    b: Estimate
    difference: Estimate
    p: float | None  # two-sided; per digit after Holm's correction over the digits
    paired: bool
    significant: bool
    tuned: bool

    def to_dict(self) -> dict:
        estimates = {key: getattr(self, key).to_dict() for key in ("a", "b", "difference")}
        return self._asdict() | estimates


@dataclass(frozen=True)
class Comparison:
    """b against a. `n`: pairs, or where not paired the images of the smaller report."""

    a: str
    b: str
    paired: bool
    n: int
    class_names: tuple[str, ...]
    rows: tuple[Row, ...]

    def row(self, metric: str, scope: str = "overall") -> Row:
        """The row of a metric in a scope; KeyError where there is none."""
        for row in self.rows:
            if (row.metric, row.scope) == (metric, scope):
                return row
        raise KeyError((metric, scope))

    @property
    def verdict(self) -> str:
        """One sentence about accuracy (CLIP's where the classifier did not run)."""
        return _verdict(self)

    def to_dict(self) -> dict:
        """Plain JSON types, the verdict included."""
        rows = [row.to_dict() for row in self.rows]
        return asdict(self) | {"class_names": list(self.class_names), "rows": rows, "verdict": self.verdict}


def compare(a: Report, b: Report) -> Comparison:
    """b - a for every metric, overall and for each digit.

    `significant` means p < 0.05; for the digits of one metric after Holm's correction, so that the
    chance of any false alarm among them is 5 %. `UserError` where the reports cannot be compared.
    """
    _check(a, b)
    table_a, table_b, paired = _tables(a, b)
    classes = len(a.source.class_names)
    tuned = a.tuned | b.tuned
    rows: list[Row] = []
    for metric in a.metrics["overall"]:
        is_tuned = METRICS[metric].scorer in tuned
        groups_a = _groups(table_a, metric, classes)
        groups_b = _groups(table_b, metric, classes)
        p = [p_value(x, y, paired) for x, y in zip(groups_a, groups_b, strict=True)]
        p = p[:1] + holm(p[1:])
        for i, (x, y) in enumerate(zip(groups_a, groups_b, strict=True)):
            scope = "overall" if i == 0 else str(i - 1)
            one, other = estimate(x, metric), estimate(y, metric)
            d = paired_difference(x, y) if paired else difference(one, other)
            significant = p[i] is not None and p[i] < LEVEL
            rows.append(Row(metric, scope, one, other, d, p[i], paired, significant, is_tuned))
    n = min(len(table_a), len(table_b))
    return Comparison(*_names(a, b), paired, n, a.source.class_names, tuple(rows))


def _check(a: Report, b: Report) -> None:
    if a.source.dataset != b.source.dataset:
        raise UserError(f"These reports are about different data sets: {a.source.dataset} and {b.source.dataset}.")
    if set(a.scorers) != set(b.scorers):
        ours, theirs = set(a.scorers), set(b.scorers)
        only_a, only_b = (", ".join(sorted(x)) or "none of its own" for x in (ours - theirs, theirs - ours))
        raise UserError(
            f"Different judges scored these reports ({a.source.name}: {only_a}; {b.source.name}: {only_b}). "
            "Score both with the same ones."
        )


def _tables(a: Report, b: Report) -> tuple[pd.DataFrame, pd.DataFrame, bool]:
    """The rows to compare. Paired (row i with row i) where both come from checkpoints and most match.

    A few chance matches of seeds are not enough to throw all other images away.
    """
    if not a.source.kind == b.source.kind == "checkpoint":
        return a.table, b.table, False
    keys = ["label", "seed"]
    rows_a, rows_b = (r.table.reset_index(names="row").set_index(keys)["row"] for r in (a, b))
    both = rows_a.index.intersection(rows_b.index)
    if 2 * len(both) < min(len(rows_a), len(rows_b)):
        return a.table, b.table, False
    return a.table.iloc[rows_a[both]], b.table.iloc[rows_b[both]], True


def _groups(table: pd.DataFrame, metric: str, classes: int) -> list:
    """Scores of all images, then those of each label."""
    scores, labels = values(table, metric), table["label"].to_numpy()
    return [scores, *(scores[labels == d] for d in range(classes))]


def _names(a: Report, b: Report) -> tuple[str, str]:
    """Names of the sources, with the report's id where the names alone do not tell them apart."""
    if a.source.name != b.source.name:
        return a.source.name, b.source.name
    return f"{a.source.name} {a.id}", f"{b.source.name} {b.id}"


# ---------------------------------------------------------------- the verdict


def _verdict(c: Comparison) -> str:
    scored = {row.metric for row in c.rows}
    metric = next((m for m in ("accuracy", "clip_accuracy") if m in scored), None)
    if metric is None:
        return f"{c.b} and {c.a} have no accuracy in common to compare."
    row, name = c.row(metric), metric.replace("_", " ").replace("clip", "CLIP")
    d = row.difference
    if d.value is None:
        return f"{c.b} and {c.a} cannot be compared: there are no images."
    n = f"{c.n:,} pairs" if c.paired else f"{row.b.n:,} and {row.a.n:,} images"
    size = f"{name} {_points(d.value)} points (95 % {_points(d.low)} to {_points(d.high)}, n = {n})"
    if row.significant:
        head = f"{c.b} is {'better' if d.value > 0 else 'worse'} than {c.a}: {size}"
    else:
        head = f"{c.b} and {c.a} cannot be told apart: {size}"
    digits = [r for r in c.rows if r.metric == metric and r.scope != "overall" and r.significant]
    better = _list(c.class_names[int(r.scope)] for r in digits if r.difference.value > 0)
    worse = _list(c.class_names[int(r.scope)] for r in digits if r.difference.value < 0)
    mark = f" One of them was trained against this judge, so its {name} is no evidence." if row.tuned else ""
    return f"{head}; better on {better}, worse on {worse}.{mark}"


def _points(share: float) -> str:
    """0.081 -> "+8.1" percentage points."""
    return f"{100 * share:+.1f}"


def _list(names: Iterable[str]) -> str:
    """("3", "8", "9") -> "3, 8 and 9"; nothing -> "none"."""
    *first, last = list(names) or ["none"]
    return f"{', '.join(first)} and {last}" if first else last
