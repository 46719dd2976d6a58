"""What the page calls each metric, and what a metric can and cannot say. No gradio."""

import math
import re
from typing import NamedTuple

from eval.metrics import Estimate


class Metric(NamedTuple):
    """How one metric of a report is shown. `unit` is "%" (values in [0, 1]) or "" (as it is)."""

    key: str
    title: str
    judge: str  # "classifier" or "clip"
    unit: str
    can: str
    cannot: str


CLASSIFIER_CANNOT = (
    "It was trained on clean digits only: a shape nobody would draw may still get a confident answer, "
    "and it says nothing about variety."
)
CLIP_CANNOT = "Values of different CLIP models are not comparable, and only the distance to real digits means much."

METRICS = {
    m.key: m
    for m in (
        Metric(
            "accuracy",
            "Classifier accuracy",
            "classifier",
            "%",
            "Share of the digits that a classifier trained on MNIST reads as the digit asked for.",
            CLASSIFIER_CANNOT,
        ),
        Metric(
            "confidence",
            "Classifier probability",
            "classifier",
            "%",
            "Mean probability the classifier gives to the digit asked for: it falls before accuracy does.",
            CLASSIFIER_CANNOT,
        ),
        Metric(
            "clip_accuracy",
            "CLIP accuracy",
            "clip",
            "%",
            "Share of the digits whose nearest caption names the digit asked for.",
            CLIP_CANNOT,
        ),
        Metric(
            "clip_probability",
            "CLIP probability",
            "clip",
            "%",
            "Mean probability CLIP gives to the caption of the digit asked for, among the ten captions.",
            CLIP_CANNOT,
        ),
        Metric(
            "clip_margin",
            "CLIP margin",
            "clip",
            "",
            "How much closer the right caption is than the best wrong one, in cosine; below 0 is a mistake.",
            CLIP_CANNOT,
        ),
        Metric(
            "clip_cosine",
            "CLIP cosine",
            "clip",
            "",
            "Mean cosine between the image and the caption of the digit asked for.",
            "Each caption has a level of its own, so compare a digit with its real digits, never with another digit.",
        ),
    )
}

JUDGES = {"classifier": "Classifier", "clip": "CLIP"}


def show(value: float | None, unit: str = "%") -> str:
    """A value of a metric as text: "97.5 %", "0.213", or an en dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    if unit == "%":
        return f"{100 * value:.1f} %"
    return minus(f"{value:.3f}")


def show_interval(entry: Estimate, unit: str = "%") -> str:
    """An estimate's 95 % interval as text: "96.1 to 98.3 %", or an en dash where there is none."""
    if entry.low is None:
        return "–"
    if unit == "%":
        return f"{100 * entry.low:.1f} to {100 * entry.high:.1f} %"
    return minus(f"{entry.low:.3f} to {entry.high:.3f}")


def minus(text: str) -> str:
    """Minus signs for the hyphens that stand before numbers; those within names stay."""
    return re.sub(r"(?<!\w)-(?=\d)", "−", text)


def probability(p: float) -> str:
    """A probability of one judge for one image, never rounded up to certainty: "99 %", ">99 %", "<1 %"."""
    if p > 0.995:
        return ">99 %"
    if p < 0.005:
        return "<1 %"
    return f"{100 * p:.0f} %"


def plural(n: int, noun: str) -> str:
    """ "1 digit", "2 digits", "1,000 digits"."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
