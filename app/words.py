"""What the page calls metrics and judges: the words of the reports, told apart where a list shows them. No gradio."""

from collections.abc import Iterable

from eval.formats import minus, plural, probability, show, show_interval
from eval.report import Report
from eval.summary import JUDGES as READERS
from eval.words import JUDGES as NAMES
from eval.words import WORDS
from eval.words import Word as Metric
from eval.words import full_title as long_title

__all__ = [
    "JUDGES",
    "LETTERS",
    "LONGEST",
    "METRICS",
    "REAL_IMAGES",
    "Metric",
    "available",
    "long_title",
    "minus",
    "plural",
    "probability",
    "show",
    "show_interval",
    "the",
    "titled",
]

JUDGES = {judge: NAMES[judge] for judge in READERS}  # who reads an image
SHORT = {"classifier": "Classifier", "second": "Second", "knn": "Nearest", "clip": "CLIP"}  # where space is dear
METRICS = WORDS
LONGEST = 13  # letters of a class's name that are written out where space is dear
LETTERS = 2  # of a class's name that needs no more room than a digit
REAL_IMAGES = "real test images"  # in figures and tables


def the(judge: str) -> str:
    """A judge's name within a sentence: "the second classifier", "CLIP"."""
    return JUDGES[judge] if judge in ("clip",) else f"the {JUDGES[judge].lower()}"


def available(report: Report) -> list[str]:
    """Metrics that this report has, in the order of `METRICS`."""
    return [key for key in METRICS if key in report.metrics["overall"]]


def titled(metrics: Iterable[str]) -> list[tuple[str, str]]:
    """What a picker of a score offers: (title, metric)."""
    return [(long_title(METRICS[metric]), metric) for metric in metrics]
