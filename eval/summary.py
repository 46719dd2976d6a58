"""The table of per-image scores -> every aggregate that is shown. A pure function of the table.

A table is a pandas DataFrame (or a dict of arrays) with `label`, `seed` and the scorers' columns.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eval.metrics import Estimate, confusion, mean, proportion


class Metric(NamedTuple):
    """Which column a metric reads. `hit`: it counts where that column equals `label`."""

    scorer: str  # the kind of scorer that writes the column: "classifier" or "clip"
    column: str
    hit: bool = False
    low: float = 0.0  # range of one image's score
    high: float = 1.0


METRICS = {
    "accuracy": Metric("classifier", "classifier_label", hit=True),
    "confidence": Metric("classifier", "classifier_confidence"),
    "clip_accuracy": Metric("clip", "clip_label", hit=True),
    "clip_probability": Metric("clip", "clip_probability"),
    "clip_margin": Metric("clip", "clip_margin", low=-2.0, high=2.0),
    "clip_cosine": Metric("clip", "clip_cosine", low=-1.0, high=1.0),
}


@dataclass(frozen=True)
class Summary:
    """All aggregates of one table.

    `metrics`: {"overall": {metric: Estimate}, "per_class": {"0": {metric: Estimate}, ...}}.
    `confusion`, `clip_confusion`: K x K counts, rows = digit asked for, columns = digit judged; None
    where that scorer did not run.
    """

    metrics: dict[str, dict]
    confusion: list[list[int]] | None
    clip_confusion: list[list[int]] | None

    def to_dict(self) -> dict:
        """The JSON form."""
        overall, per_class = self.metrics["overall"], self.metrics["per_class"]
        metrics = {
            "overall": {m: e.to_dict() for m, e in overall.items()},
            "per_class": {d: {m: e.to_dict() for m, e in row.items()} for d, row in per_class.items()},
        }
        return {"metrics": metrics, "confusion": self.confusion, "clip_confusion": self.clip_confusion}

    @classmethod
    def from_dict(cls, data: dict) -> "Summary":
        """The inverse of `to_dict`; TypeError, KeyError or AttributeError where the form is another."""
        overall, per_class = data["metrics"]["overall"], data["metrics"]["per_class"]
        metrics = {
            "overall": {m: Estimate(**e) for m, e in overall.items()},
            "per_class": {d: {m: Estimate(**e) for m, e in row.items()} for d, row in per_class.items()},
        }
        return cls(metrics, data["confusion"], data["clip_confusion"])


def values(table: Mapping, metric: str) -> NDArray:
    """What a metric averages, per image: bool [N] for a hit rate, float64 [N] otherwise."""
    entry = METRICS[metric]
    column = np.asarray(table[entry.column])
    return column == np.asarray(table["label"]) if entry.hit else column.astype(np.float64)


def estimate(scores: NDArray, metric: str) -> Estimate:
    """Scores of one metric ([N], from `values`) -> their aggregate."""
    entry = METRICS[metric]
    return proportion(scores) if entry.hit else mean(scores, entry.low, entry.high)


def summarise(table: Mapping, classes: int) -> Summary:
    """Every metric whose column the table has, over all images and for each label 0..classes-1."""
    labels = np.asarray(table["label"])
    scores = {name: values(table, name) for name, entry in METRICS.items() if entry.column in table}
    per_class = {str(d): {m: estimate(v[labels == d], m) for m, v in scores.items()} for d in range(classes)}
    return Summary(
        metrics={"overall": {m: estimate(v, m) for m, v in scores.items()}, "per_class": per_class},
        confusion=_confusion(table, "classifier_label", classes),
        clip_confusion=_confusion(table, "clip_label", classes),
    )


def _confusion(table: Mapping, column: str, classes: int) -> list[list[int]] | None:
    return confusion(table["label"], table[column], classes).tolist() if column in table else None
