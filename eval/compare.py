"""Is b better than a? Two reports under the same scorers -> differences with intervals and p-values.

Images of two checkpoints that share (label, seed) grew from the same noise: they are compared pair by
pair, which cancels what the noise contributes. So are other images whose labels and seeds are given and the
same; everything else is compared as independent groups.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import pandas as pd

from eval.difference import Row, by_scope, entry, image_rows, is_tuned, same_size, scopes, set_rows
from eval.errors import UserError
from eval.metrics import Estimate
from eval.pairs import are_pairs, paired_rows, unpaired
from eval.report import Report
from eval.significance import bootstrap_mean
from eval.summary import METRICS
from eval.verdict import verdict

__all__ = ["Comparison", "Row", "compare"]

BOOTSTRAPPED = "clip_margin"


@dataclass(frozen=True)
class Comparison:
    """b against a. `n`: pairs, or where not paired the images of the smaller report.

    `bootstrap`: {scope: mean difference of the CLIP margin with its bootstrap interval}, of pairs only.
    `notes`: what was not paired or not compared, and why.
    """

    a: str
    b: str
    paired: bool
    n: int
    class_names: tuple[str, ...]
    rows: tuple[Row, ...]
    bootstrap: dict[str, Estimate]
    notes: tuple[str, ...]

    def row(self, metric: str, scope: str = "overall") -> Row:
        """The row of a metric in a scope; KeyError where there is none."""
        for row in self.rows:
            if (row.metric, row.scope) == (metric, scope):
                return row
        raise KeyError((metric, scope))

    @property
    def verdict(self) -> str:
        """One sentence, about the accuracy of the first judge that neither was trained against."""
        return verdict(self)

    def to_dict(self) -> dict:
        """Plain JSON types, the verdict included."""
        return asdict(self) | {
            "class_names": list(self.class_names),
            "rows": [row.to_dict() for row in self.rows],
            "bootstrap": {scope: estimate.to_dict() for scope, estimate in self.bootstrap.items()},
            "notes": list(self.notes),
            "verdict": self.verdict,
        }


def compare(a: Report, b: Report) -> Comparison:
    """b - a for every metric that both have, overall and for each class.

    `significant` means p < 0.05; for the classes of one metric after Holm's correction, so that the
    chance of any false alarm among them is 5 %. `UserError` where the reports cannot be compared:
    other data, other judges, or two checkpoints on different plans.
    """
    _check(a, b)
    table_a, table_b, paired = _tables(a, b)
    classes = len(a.source.class_names)
    tuned = a.tuned | b.tuned
    rows: list[Row] = []
    for metric in a.metrics["overall"]:
        if metric not in b.metrics["overall"]:
            continue
        if metric in METRICS:
            rows += image_rows(table_a, table_b, metric, classes, paired, is_tuned(metric, tuned))
        elif same_size(a, b, metric):
            rows += set_rows(a, b, metric, is_tuned(metric, tuned))
    compared = {row.metric for row in rows}
    bootstrap = {}
    if paired and BOOTSTRAPPED in compared:
        margins = zip(*(by_scope(table, BOOTSTRAPPED, classes) for table in (table_a, table_b)), strict=True)
        bootstrap = {scope: bootstrap_mean(y - x) for scope, (x, y) in zip(scopes(classes), margins, strict=True)}
    n = min(len(table_a), len(table_b))
    notes = tuple(_notes(a, b, compared))
    return Comparison(*_names(a, b), paired, n, a.source.class_names, tuple(rows), bootstrap, notes)


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
    """The rows to compare, and whether row i and row i are a pair."""
    if not are_pairs(a, b):
        return a.table, b.table, False
    rows_a, rows_b = paired_rows(a, b)
    return a.table.iloc[rows_a], b.table.iloc[rows_b], True


def _names(a: Report, b: Report) -> tuple[str, str]:
    """Names of the sources, with the report's id where the names alone do not tell them apart."""
    if a.source.name != b.source.name:
        return a.source.name, b.source.name
    return f"{a.source.name} {a.id}", f"{b.source.name} {b.id}"


# ---------------------------------------------------------------- what was not compared


def _notes(a: Report, b: Report, compared: set[str]) -> Iterator[str]:
    """Why the images are no pairs, and one note for each reason why metrics of either report have no row."""
    if reason := unpaired(a, b):
        yield f"Compared as independent groups: {reason}."
    reasons: dict[str, list[str]] = {}
    for metric in a.metrics["overall"] | b.metrics["overall"]:
        if metric not in compared:
            reasons.setdefault(_reason(a, b, metric), []).append(metric)
    for reason, metrics in reasons.items():
        yield f"Not compared: {', '.join(metrics)}. {reason}"


def _reason(a: Report, b: Report, metric: str) -> str:
    estimates = [entry(report, metric) for report in (a, b)]
    for report, estimate in zip((a, b), estimates, strict=True):
        if estimate is None or estimate.value is None:
            why = report.reasons["overall"].get(metric, "it was not measured")
            return f"Of {report.source.name}: {why}."
    one, other = (f"{estimate.n:,}" for estimate in estimates)
    return f"Such a value depends on the number of images, and these are of {one} and of {other}."
