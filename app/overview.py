"""A whole report in tables: what was found, every metric beside real images, with n. No gradio."""

from collections.abc import Sequence
from html import escape

from app import markup, words
from eval.formats import learned_from, recognised, show_estimate
from eval.metrics import Estimate
from eval.report import Report
from eval.summary import Summary
from eval.words import SPACES, WORDS, Word

SHOWN = 5  # findings before the rest is folded away
NOTHING = Estimate(None, None, None, 0)
GROUPS = {
    "judges": ("What the judges read", "score", "real test images"),
    "shape": ("Shape", "mean", "real test images"),
    "memory": ("Beside training images", "score", "real test images"),
}
SETS = ("fd", "kid", "precision", "recall", "density", "coverage", "vendi")
FLOOR = (
    "Small print: what as many real test images score, the floor. All of these depend on n, so hold each against its "
    "floor and never against a value at another n."
)


def findings(report: Report) -> str:
    """What stands out, worst first; one calm line where nothing does."""
    found = [entry["text"] for entry in report.details.get("findings", [])]
    if not found:
        return markup.note("Nothing unusual was found in these images.", "found")
    first, rest = (_list(part) for part in (found[:SHOWN], found[SHOWN:]))
    more = f"<details><summary>{len(found) - SHOWN} more</summary>{rest}</details>" if rest else ""
    return f'<div class="findings"><h2>What stands out</h2>{first}{more}</div>'


def tables(report: Report) -> str:
    """Every metric over all images: a table of each kind, what a network learns from them, when they are recognised."""
    parts = [_group(report, group, *heads) for group, heads in GROUPS.items()]
    parts.insert(2, _missing(report))
    learned = report.details.get("accuracy_score")
    steps = report.details.get("recognition")
    said = [learned_from(learned)] if learned else []
    said += recognised(steps) if steps else []
    more = "<h2>What a network learns from them, and when they are recognised</h2>" if said else ""
    return "".join([parts[0], _sets(report), *parts[1:], more, *map(markup.note, said)])


def cell(report: Summary | Report, metric: str, unit: str) -> str:
    """ "99.35 % [98.89, 99.62]", or an en dash."""
    return show_estimate(report.metrics["overall"].get(metric, NOTHING), unit)


def _group(report: Report, group: str, title: str, ours: str, real: str) -> str:
    entries = [WORDS[m] for m in WORDS if WORDS[m].group == group and m in report.metrics["overall"]]
    if not entries:
        return ""
    rows = [_row(report, entry) for entry in entries]
    return f"<h2>{escape(title)}</h2>" + markup.table(("over all images", ours, real, "detectable", "n"), rows, title)


def _row(report: Report, entry: Word) -> tuple:
    e = report.metrics["overall"][entry.key]
    real = "–" if report.source.kind == "real" else cell(report.reference, entry.key, entry.unit)
    size = report.detectable["overall"].get(entry.key)
    return entry.title, cell(report, entry.key, entry.unit), real, words.show(size, entry.unit), f"{e.n:,}"


def _sets(report: Report) -> str:
    """A row a metric, a column a space; below each value its floor."""
    prefixes = [p for p in SPACES if f"{p}fd" in report.metrics["overall"]]
    if not prefixes:
        return ""
    rows = [(WORDS[key].title, *(_with_floor(report, p + key) for p in prefixes)) for key in SETS]
    if "cmmd" in report.metrics["overall"]:
        rows.append(("CMMD", *("–" if p != "clip_" else _with_floor(report, "cmmd") for p in prefixes)))
    heads = ("", *(f"in {SPACES[p].title}" for p in prefixes))
    n = report.metrics["overall"][f"{prefixes[0]}fd"].n
    note = markup.note(f"{FLOOR} n = {n:,} here, {_floor_n(report):,} in the floor.")
    return f"<h2>As a set, beside real images</h2>{note}" + markup.table(heads, rows, "Metrics of sets")


def _with_floor(report: Report, metric: str) -> tuple[str, str]:
    unit = WORDS[metric].unit
    reason = report.reasons["overall"].get(metric)
    if reason:
        return "–", reason
    return cell(report, metric, unit), f"floor {cell(report.reference, metric, unit)}"


def _floor_n(report: Report) -> int:
    return report.details.get("floor_n", {}).get("overall", report.plan["count"])


def _missing(report: Report) -> str:
    """Shapes of real images that are rare among these, folded away where they are many."""
    found = [entry["text"] for entry in report.details.get("missing", [])]
    if len(found) <= SHOWN:
        return _list(found)
    return f"<details><summary>{len(found)} shapes of real images are rare here</summary>{_list(found)}</details>"


def _list(texts: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(words.minus(text))}</li>' for text in texts)}</ul>" if texts else ""
