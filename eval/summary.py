"""The table of per-image scores -> every aggregate that is shown. A pure function of the table.

A table is a pandas DataFrame (or a dict of arrays) with `label`, `seed` and the scorers' columns. What
compares sets of images rather than images (eval/spaces.py) joins the same summary.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eval.metrics import Estimate, confusion, mean, proportion

JUDGES = ("classifier", "second", "knn", "clip")  # what reads a class, and so has a matrix of confusions
UNLABELLED = -1  # the label of an image of which nobody said what it should show


class Metric(NamedTuple):
    """Which column a metric reads, and how.

    `how`: "hit" counts where the column equals `label`, "share" where it is above 0, "mean" averages it.
    """

    scorer: str  # the kind of scorer that writes the column; "judges" for what all of them say together
    column: str
    how: str = "mean"
    low: float = 0.0  # range of one image's score
    high: float = 1.0


METRICS = {
    "accuracy": Metric("classifier", "classifier_label", "hit"),
    "confidence": Metric("classifier", "classifier_confidence"),
    "second_accuracy": Metric("second", "second_label", "hit"),
    "second_confidence": Metric("second", "second_confidence"),
    "knn_accuracy": Metric("knn", "knn_label", "hit"),
    "knn_confidence": Metric("knn", "knn_confidence"),
    "clip_accuracy": Metric("clip", "clip_label", "hit"),
    "clip_probability": Metric("clip", "clip_probability"),
    "clip_margin": Metric("clip", "clip_margin", low=-2.0, high=2.0),
    "clip_cosine": Metric("clip", "clip_cosine", low=-1.0, high=1.0),
    "disagreement": Metric("judges", "disagreement", "share"),
    "thickness": Metric("shape", "thickness", high=np.inf),
    "slant": Metric("shape", "slant", low=-np.inf, high=np.inf),
    "width": Metric("shape", "width", high=np.inf),
    "height": Metric("shape", "height", high=np.inf),
    "length": Metric("shape", "length", high=np.inf),
    "ink": Metric("shape", "ink", high=np.inf),
    "memorised": Metric("neighbours", "memorised", "share"),
    "nearer": Metric("neighbours", "nearer"),
    "train_distance": Metric("neighbours", "train_distance", high=np.inf),
}


@dataclass(frozen=True)
class Summary:
    """All aggregates of one table.

    `metrics`: {"overall": {metric: Estimate}, "per_class": {"0": {metric: Estimate}, ...}}.
    `confusions`: for each judge that ran K x K counts, rows = class asked for, columns = class judged.
    """

    metrics: dict[str, dict]
    confusions: dict[str, list[list[int]]]

    def joined(self, more: dict[str, dict]) -> "Summary":
        """With the metrics of `more`, which has the form of `metrics`, added."""
        mine = self.metrics
        return replace(
            self,
            metrics={
                "overall": mine["overall"] | more.get("overall", {}),
                "per_class": {d: row | more.get("per_class", {}).get(d, {}) for d, row in mine["per_class"].items()},
            },
        )

    def to_dict(self) -> dict:
        """The JSON form; a matrix is "confusion" (the classifier's) or "<judge>_confusion", null where absent."""
        return {"metrics": each(self.metrics, Estimate.to_dict)} | {
            _matrix(judge): self.confusions.get(judge) for judge in JUDGES
        }

    @classmethod
    def from_dict(cls, data: dict) -> "Summary":
        """The inverse of `to_dict`; TypeError, KeyError or AttributeError where the form is another."""
        found = {judge: data[_matrix(judge)] for judge in JUDGES}
        metrics = each(data["metrics"], lambda entry: Estimate(**entry))
        return cls(metrics, {judge: matrix for judge, matrix in found.items() if matrix is not None})


def each(metrics: dict[str, dict], function) -> dict[str, dict]:
    """{"overall": {metric: x}, "per_class": {label: {metric: x}}} with every x replaced by function(x)."""

    def row(entries: dict) -> dict:
        return {metric: function(entry) for metric, entry in entries.items()}

    return {"overall": row(metrics["overall"]), "per_class": {d: row(e) for d, e in metrics["per_class"].items()}}


def values(table: Mapping, metric: str) -> NDArray:
    """What a metric averages, per image: bool [N] for a proportion, float64 [N] otherwise."""
    entry = METRICS[metric]
    column = np.asarray(table[entry.column])
    if entry.how == "hit":
        return column == np.asarray(table["label"])
    return column > 0 if entry.how == "share" else column.astype(np.float64)


def estimate(scores: NDArray, metric: str) -> Estimate:
    """Scores of one metric ([N], from `values`) -> their aggregate."""
    entry = METRICS[metric]
    return mean(scores, entry.low, entry.high) if entry.how == "mean" else proportion(scores)


def summarise(table: Mapping, classes: int) -> Summary:
    """Every metric whose column the table has, over all images and for each label 0..classes-1.

    Images without a label are in the overall row of what needs no label, and in no matrix.
    """
    labels = np.asarray(table["label"])
    labelled = bool((labels != UNLABELLED).all())
    wanted = [m for m, entry in METRICS.items() if entry.column in table and (labelled or entry.how != "hit")]
    scores = {name: values(table, name) for name in wanted}
    per_class = {str(d): {m: estimate(v[labels == d], m) for m, v in scores.items()} for d in range(classes)}
    judges = [judge for judge in JUDGES if labelled and f"{judge}_label" in table]
    return Summary(
        metrics={"overall": {m: estimate(v, m) for m, v in scores.items()}, "per_class": per_class},
        confusions={judge: confusion(labels, table[f"{judge}_label"], classes).tolist() for judge in judges},
    )


def _matrix(judge: str) -> str:
    return "confusion" if judge == "classifier" else f"{judge}_confusion"
