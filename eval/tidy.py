"""A report as plain rows: CSV for a spreadsheet, a Markdown table for a document."""

import csv
import io
from collections.abc import Iterator, Sequence

from eval.formats import show_estimate
from eval.metrics import Estimate
from eval.report import Report
from eval.summary import Summary
from eval.words import WORDS, asserted_by, full_title

COLUMNS = (
    "scope", "metric", "title", "judge", "unit", "value", "low", "high", "n",
    "reference_value", "reference_low", "reference_high", "reference_n", "detectable", "reason",
)  # fmt: skip
UNITS = {"%": "share", "°": "radians"}  # what a value is counted in where people are shown something else
NOTHING = Estimate(None, None, None, 0)
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet runs a cell that begins like this


def rows(report: Report) -> list[dict]:
    """One row a metric and scope, keys `COLUMNS`: first "overall", then each class that was asked for, by name.

    `reference_*` is what real test images score; `detectable` the smallest difference from it that this many
    images can show; `reason` why there is no value. Numbers are as they are stored; None where there is none.
    """
    return [_row(name, metric, entry, where) for name, where in _scopes(report) for metric, entry in _entries(where)]


def to_csv(report: Report) -> str:
    """`rows` with a header line; floats to the last bit, nothing in it that a spreadsheet takes for a formula."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, COLUMNS)
    writer.writeheader()
    writer.writerows({key: _harmless(value) for key, value in row.items()} for row in rows(report))
    return out.getvalue()


def markdown_table(reports: Sequence[Report], real: Summary, metrics: Sequence[str]) -> str:
    """Overall values for a document: a row a metric of `metrics`, a column a report, `real` in the last one.

    A cell is "99.35 % [98.89, 99.62]"; n stands in the head, and beside what real images score, which is the
    ceiling of what is scored image by image and the floor of what compares sets.
    """
    heads = [f"{plain(r.source.name)}, n = {r.plan['count']:,}" for r in reports]
    lines = [["", *heads, "real test images"], ["---"] * (len(reports) + 2)]
    for metric in metrics:
        word, floor = WORDS[metric], real.metrics["overall"].get(metric)
        found = [show_estimate(r.metrics["overall"].get(metric), word.unit) for r in reports]
        beside = show_estimate(floor, word.unit) + (f", n = {floor.n:,}" if floor and floor.n else "")
        lines.append([full_title(word), *found, beside])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _scopes(report: Report) -> Iterator[tuple[str, dict[str, dict]]]:
    """A name, and by kind of number {metric: x}, for all images and for each class asked for."""
    kinds = {
        "ours": report.metrics,
        "real": report.reference.metrics,
        "detectable": report.detectable,
        "reasons": report.reasons,
    }
    yield "overall", {kind: found["overall"] for kind, found in kinds.items()}
    for label in report.plan["labels"]:
        if label >= 0:
            found = {kind: found["per_class"].get(str(label), {}) for kind, found in kinds.items()}
            yield report.source.class_names[label], found


def _entries(where: dict[str, dict]) -> list[tuple[str, Estimate]]:
    """Every metric that has a value or a reason for having none, in the order of `WORDS`."""
    order = {metric: i for i, metric in enumerate(WORDS)}
    found = where["ours"].keys() | where["reasons"].keys()
    return [(m, where["ours"].get(m, NOTHING)) for m in sorted(found, key=lambda m: (order.get(m, len(order)), m))]


def _row(scope: str, metric: str, entry: Estimate, where: dict[str, dict]) -> dict:
    word, real = WORDS.get(metric), where["real"].get(metric, NOTHING)
    about = (full_title(word), asserted_by(word), UNITS.get(word.unit, word.unit)) if word else (metric, "", "")
    numbers = (entry.value, entry.low, entry.high, entry.n, real.value, real.low, real.high, real.n)
    last = (where["detectable"].get(metric), where["reasons"].get(metric))
    return dict(zip(COLUMNS, (scope, metric, *about, *numbers, *last), strict=True))


def _harmless(value):
    """Text that a spreadsheet would run gets an apostrophe before it; numbers stay numbers."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def plain(text: str) -> str:
    """Foreign text on one line, without what Markdown or HTML would act on."""
    return "".join(f"\\{c}" if c in r"\`*_[]<>|#" else c for c in " ".join(text.split()))
