"""What the report page says in numbers: each function turns a report into plain rows for the template."""

from collections.abc import Sequence
from math import log1p

from eval.formats import NOTHING, decimals, show, show_brackets, show_estimate, show_interval
from eval.html_parts import axis, interval
from eval.metrics import Estimate, difference, mistakes
from eval.report import Report
from eval.summary import JUDGES as READERS
from eval.summary import METRICS
from eval.words import JUDGES, WORDS, Word, full_title

HEADLINE = (
    "accuracy", "second_accuracy", "knn_accuracy", "clip_accuracy", "disagreement", "fd", "recall", "memorised",
    "precision", "coverage",
)  # fmt: skip
CARDS = 8
READ = ("accuracy", "second_accuracy", "knn_accuracy", "clip_accuracy", "clip_probability", "disagreement")
SHAPES = ("thickness", "slant", "width", "height", "length", "ink")
DEEP = 0.6  # cells shaded more than this need light text


def classes(report: Report) -> list[tuple[str, str]]:
    """(key in per_class, name) of each class that was asked for; none where images carry no labels."""
    return [(str(d), report.source.class_names[d]) for d in report.plan["labels"] if d >= 0]


def against(ours: Estimate, real: Estimate | None, better: str | None) -> tuple[str, str]:
    """Words and a kind ("good", "bad" or "same") for a value beside that of real images; empty where unknown.

    Above or below only where the 95 % interval of the difference leaves out 0.
    """
    if real is None or ours.low is None or real.low is None:
        return "", ""
    d = difference(real, ours)
    if d.low <= 0 <= d.high:
        return "no difference from real images", "same"
    above = d.value > 0
    kind = "same" if better is None else "good" if above == (better == "higher") else "bad"
    return f"{'above' if above else 'below'} real images", kind


def headline(report: Report) -> list[dict]:
    """The main numbers, each beside what real test images score."""
    ours, real = report.metrics["overall"], report.reference.metrics["overall"]
    found = [WORDS[m] for m in HEADLINE if m in ours and ours[m].value is not None]
    return [_card(word, ours[word.key], real.get(word.key), report.tuned) for word in found[:CARDS]]


def _card(word: Word, ours: Estimate, real: Estimate | None, tuned: frozenset[str]) -> dict:
    words, kind = against(ours, real, word.better)
    return {
        "title": full_title(word),
        "value": show(ours.value, word.unit, decimals([ours], word.unit)),
        "interval": show_interval(ours, word.unit, decimals([ours], word.unit)),
        "n": f"{ours.n:,}",
        "real": show_estimate(real, word.unit),
        "real_n": f"{real.n:,}" if real else "",
        "bar": interval(ours, real, axis([ours, real] if real else [ours], word.unit), _says(word, ours, real)),
        "against": words,
        "kind": kind,
        "tuned": word.key in METRICS and METRICS[word.key].scorer in tuned,
        "can": word.can,
    }


def _says(word: Word, ours: Estimate, real: Estimate | None) -> str:
    beside = f"; real images {show_estimate(real, word.unit)}" if real else ""
    return f"{word.title} {show_estimate(ours, word.unit)}, n = {ours.n:,}{beside}"


# ---------------------------------------------------------------- class by class


def table(report: Report, metrics: Sequence[str]) -> dict | None:
    """A row a class and one for all, a column a metric of those that were measured: bars on one axis a column."""
    rows = classes(report)
    found = [WORDS[m] for m in metrics if m in report.metrics["overall"] and rows]
    if not found:
        return None
    columns = [_column(report, word, [key for key, _ in rows]) for word in found]
    counts = report.table["label"].value_counts()
    ns = [f"{counts.get(int(key), 0):,}" for key, _ in rows] + [f"{report.plan['count']:,}"]
    names = [name for _, name in rows] + ["all"]
    lines = enumerate(zip(names, ns, strict=True))
    cells = [cell for column in columns for cell in column["cells"]]
    return {
        "reasons": sorted({cell["reason"] for cell in cells if cell.get("reason")}),
        "heads": [{"title": word.title, "axis": c["axis"]} for word, c in zip(found, columns, strict=True)],
        "rows": [{"name": name, "n": n, "cells": [c["cells"][i] for c in columns]} for i, (name, n) in lines],
    }


def _column(report: Report, word: Word, keys: Sequence[str]) -> dict:
    """The cells of one metric, class by class and last for all; and what its axis reaches from and to."""

    def every(found: dict[str, dict]) -> list:
        scopes = [*(found["per_class"].get(key, {}) for key in keys), found["overall"]]
        return [scope.get(word.key) for scope in scopes]

    ours, real = every(report.metrics), every(report.reference.metrics)
    places = decimals([e for e in ours if e], word.unit)
    ends = axis([e for e in (*ours, *real) if e], word.unit)
    cells = [
        cell(word, mine, theirs, places, ends, reason or "")
        for mine, theirs, reason in zip(ours, real, every(report.reasons), strict=True)
    ]
    return {"cells": cells, "axis": f"{show(ends[0], word.unit, 0)} to {show(ends[1], word.unit, 0)}"}


def cell(
    word: Word, ours: Estimate | None, real: Estimate | None, places: int, ends: tuple[float, float], reason: str
) -> dict:
    """One estimate beside real images: texts, a bar, and whether the two differ."""
    if ours is None or ours.value is None:
        return {"value": NOTHING, "reason": reason, "kind": ""}
    return {
        "value": show(ours.value, word.unit, places),
        "interval": show_brackets(ours, word.unit, places),
        "real": show(real.value, word.unit, places) if real else "",
        "bar": interval(ours, real, ends, _says(word, ours, real)),
        "kind": against(ours, real, word.better)[1],
    }


def matrices(report: Report) -> list[dict]:
    """For each judge the confusion counts with a shade from 0 to 1 on a log scale, and the commonest mistakes."""
    return [_matrix(report, judge) for judge in READERS if judge in report.confusions]


def _matrix(report: Report, judge: str) -> dict:
    counts, names = report.confusions[judge], report.source.class_names
    top = log1p(max(1, *(n for row in counts for n in row)))
    worst = [f"{names[r]} read as {names[c]} ({n} of {sum(counts[r])})" for r, c, n in mistakes(counts)]
    rows = []
    for r, row in enumerate(counts):
        cells = [
            {
                "n": n,
                "shade": f"{log1p(n) / top:.2f}",
                "kind": " ".join(filter(None, ("right" if r == c else "miss", n and log1p(n) / top > DEEP and "deep"))),
                "says": f"asked {names[r]}, read {names[c]}: {n} of {sum(row)}",
            }
            for c, n in enumerate(row)
        ]
        rows.append({"name": names[r], "cells": cells})
    misread = sum(n for r, row in enumerate(counts) for c, n in enumerate(row) if r != c)
    return {"judge": JUDGES[judge], "names": names, "rows": rows, "worst": worst, "misread": misread}
