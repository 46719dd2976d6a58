"""Which classes are hardest and why, and the samples of one class in any order. No gradio."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from app.verdicts import judged
from app.words import JUDGES, plural, the
from eval.formats import minus
from eval.metrics import difference
from eval.report import Report

READERS = ("classifier", "second", "clip")  # whose probability of the class asked for is a score


class Order(NamedTuple):
    """A way to sort samples: `value` of a table's rows for a class; `bad_first` is +1 where small values are bad."""

    title: str
    value: Callable[[pd.DataFrame, int], np.ndarray]
    bad_first: int
    unit: str = ""


def _asked(judge: str) -> Callable:
    return lambda table, label: table[f"{judge}_p{label}"].to_numpy()


def _column(name: str) -> Callable:
    return lambda table, label: table[name].to_numpy()


ORDERS = {
    "clip_probability": Order("CLIP score", _asked("clip"), 1, "%"),
    "clip_margin": Order("CLIP margin", _column("clip_margin"), 1),
    "classifier": Order("Classifier's probability", _asked("classifier"), 1, "%"),
    "second": Order("Second classifier's probability", _asked("second"), 1, "%"),
    "disagreement": Order("Disagreement of the judges", _column("disagreement"), -1, "%"),
    "rarity": Order("Rarity: distance to the nearest training image", _column("train_distance"), -1),
    "thickness": Order("Stroke thickness", _column("thickness"), 1, "px"),
    "slant": Order("Slant", _column("slant"), 1, "°"),
    "ink": Order("Ink", _column("ink"), 1, "px"),
}
FILTERS = {
    "all": "All",
    "misread": "Misread by the classifier",
    "disputed": "Judges disagree",
    "right": "Read right by all",
}


def available(report: Report) -> list[str]:
    """The orders that this report has the columns for."""
    found = []
    for key, order in ORDERS.items():
        try:
            order.value(report.table.iloc[:0], 0)
        except KeyError:
            continue
        found.append(key)
    return found


def rows(report: Report, label: int, kept: str, order: str, worst: bool) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the table that are of the class `label` and pass the filter, sorted, and their values."""
    table = report.table
    mask = table["label"].to_numpy() == label
    read = [found for judge in JUDGES if (found := judged(table, judge)) is not None]
    if kept == "misread":
        mask &= read[0] != label
    elif kept == "right":
        mask &= np.all([found == label for found in read], axis=0)
    elif kept == "disputed":
        mask &= np.any([found != read[0] for found in read], axis=0)
    found = np.flatnonzero(mask)
    values = ORDERS[order].value(table.iloc[found], label)
    sign = ORDERS[order].bad_first * (1 if worst else -1)
    places = np.argsort(sign * values, kind="stable")
    return found[places], values[places]


def of_class(report: Report, label: int, order: str) -> np.ndarray:
    """The values of all samples of one class, for their distribution."""
    table = report.table[report.table["label"] == label]
    return ORDERS[order].value(table, label)


class Hard(NamedTuple):
    """A class, how many points of the classifier's accuracy it lies below real ones, and why."""

    label: int
    gap: float
    reason: str


def hardest(report: Report) -> list[Hard]:
    """All classes, the one furthest below its real images first."""
    ours, real = report.metrics["per_class"], report.reference.metrics["per_class"]
    found = []
    for label in range(len(report.source.class_names)):
        gap = difference(ours[str(label)]["accuracy"], real[str(label)]["accuracy"])
        found.append(Hard(label, 100 * gap.value if gap.value is not None else 0.0, reason(report, label)))
    return sorted(found, key=lambda hard: -hard.gap)


def reason(report: Report, label: int) -> str:
    """What it is taken for, by whom, and which shapes are missing."""
    parts = []
    for judge in READERS:
        if judge not in report.confusions:
            continue
        counts = list(report.confusions[judge][label])
        whole, counts[label] = sum(counts), -1
        other = int(np.argmax(counts))
        if counts[other] > 0:
            parts.append(f"{the(judge)} reads {counts[other]} of {whole:,} as {report.source.class_names[other]}")
    missing = [entry for entry in report.details.get("missing", []) if entry["digit"] == label]
    if missing:
        parts.append(f"{plural(len(missing), 'shape')} of real ones rare")
    return minus("; ".join(parts)) if parts else "nothing stands out"
