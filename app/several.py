"""Up to six reports in one table, each in the colour of its checkpoint. No gradio."""

from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

from app import markup, words
from app.colours import REAL_COLOUR
from app.entries import REAL, Entry, usable
from diffusion_core.errors import UserError
from eval.difference import entry, is_tuned
from eval.formats import decimals, minus, show, show_brackets
from eval.metrics import Estimate, difference
from eval.report import Report
from eval.summary import Summary

MOST = 6
COLUMNS = {
    "accuracy": "Classifier accuracy",
    "clip_margin": "CLIP margin",
    "fd": "FD above floor",
    "recall": "Recall",
    "coverage": "Coverage",
}
HOW = (
    "Intervals are 95 %. FD above floor is the Frechet distance less that of as many real test images. A value is "
    "marked best only where its interval overlaps none of the others in its column; compare two reports as A and B "
    "for the sharper test of pairs."
)
SIZES = (
    "These reports are of different numbers of images, on which FD, recall and coverage depend: none is marked there."
)


class Shown(NamedTuple):
    """A report with what to call it, how its images were made, and its colour."""

    name: str
    made: str
    colour: str
    report: Report


def default(entries: list[Entry]) -> list[str]:
    """The first report of every checkpoint, at most `MOST`."""
    firsts: dict[str, str] = {}
    for found in usable(entries):
        firsts.setdefault(found.key.split("/")[0], found.key)
    return [key for name, key in firsts.items() if name != REAL][:MOST]


def chosen(keys, entries: list[Entry], take: Callable[[str], Report], colour: dict[str, str]) -> list[Shown]:
    """The reports of `keys`, each once. `UserError` for too many, one that is not on offer, or several data sets."""
    if not isinstance(keys, list | tuple):
        raise UserError("Choose the reports from what is offered.")
    keys = [key for i, key in enumerate(keys) if key not in keys[:i]]
    if len(keys) > MOST:
        raise UserError(f"Choose at most {MOST} reports at a time.")
    reports, titles = [take(key) for key in keys], {found.key: found.title for found in entries}
    if len({report.source.dataset for report in reports}) > 1:
        raise UserError("These reports are of different data sets. Choose reports of one of them.")
    parts = [titles[key].partition(" · ") for key in keys]
    return [
        Shown(name, made, colour[key.split("/")[0]], report)
        for key, (name, _, made), report in zip(keys, parts, reports, strict=True)
    ]


def value(report: Report, metric: str) -> Estimate | None:
    """A cell's estimate: the metric over all images; of FD what lies above its floor; None where not measured."""
    found = entry(report, metric)
    if metric != "fd" or found is None:
        return found if found and found.value is not None else None
    floor = report.reference.metrics["overall"].get("fd")
    return difference(floor, found) if floor and None not in (floor.value, found.value) else None


def best(shown: Sequence[Shown], metric: str) -> int | None:
    """Which report's interval lies on the better side of all others; None where none does.

    None too where a report was trained against the judge, or where sets of different sizes are held side by side.
    """
    if any(is_tuned(metric, one.report.tuned) for one in shown):
        return None
    if words.METRICS[metric].group == "sets" and not same_size(shown):
        return None
    found = {i: e for i, one in enumerate(shown) if (e := value(one.report, metric))}
    if len(found) < 2 or any(e.low is None for e in found.values()):
        return None
    higher = words.METRICS[metric].better == "higher"
    first = (max if higher else min)(found, key=lambda i: found[i].value)
    rest = [e for i, e in found.items() if i != first]
    apart = found[first].low > max(e.high for e in rest) if higher else found[first].high < min(e.low for e in rest)
    return first if apart else None


def same_size(shown: Sequence[Shown]) -> bool:
    """Whether all reports are of as many images."""
    return len({len(one.report.table) for one in shown}) == 1


def real_images(shown: Sequence[Shown]) -> Summary | None:
    """What as many real test images score; None where they are shown themselves, or no one number is as many."""
    if any(one.report.source.kind == "real" for one in shown) or not same_size(shown):
        return None
    return shown[0].report.reference


def table(shown: Sequence[Shown]) -> str:
    """One row a report, real test images last; values and intervals of a column have the same decimals."""
    columns = [_column(shown, metric) for metric in COLUMNS]
    heads = [(one.name, one.made, f"--hue:{one.colour}") for one in shown]
    if real_images(shown):
        heads.append((words.REAL_IMAGES, "for reference", f"--hue:{REAL_COLOUR}"))
    body = "".join(
        f'<tr><th scope="row"><i class="swatch" style="{style}"></i>{escape(name)}<small>{escape(made)}</small></th>'
        + "".join(column[row] for column in columns)
        + "</tr>"
        for row, (name, made, style) in enumerate(heads)
    )
    top = "".join(f'<th scope="col">{escape(title)}</th>' for title in ("over all images", *COLUMNS.values()))
    caption = "The chosen reports side by side"
    return (
        f'<div class="scroll" role="region" aria-label="{caption}" tabindex="0"><table class="numbers several">'
        f'<caption class="visually-hidden">{caption}</caption>'
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
        + markup.note(HOW)
        + ("" if same_size(shown) else markup.note(SIZES))
    )


def _column(shown: Sequence[Shown], metric: str) -> list[str]:
    found, unit = [value(one.report, metric) for one in shown], words.METRICS[metric].unit
    places, marked = decimals([e for e in found if e], unit), best(shown, metric)
    cells = [_cell(e, unit, places, _aside(one.report, metric), i == marked)
             for i, (one, e) in enumerate(zip(shown, found, strict=True))]  # fmt: skip
    if real := real_images(shown):
        there = real.metrics["overall"].get(metric)
        if metric == "fd" and there:
            cells.append("<td>0<small>the floor itself</small></td>")
        else:
            cells.append(_cell(there, unit, places, "" if there else "not measured", False))
    return cells


def _aside(report: Report, metric: str) -> str:
    """What is said of a cell besides its interval: why there is no value, or that it is no evidence."""
    if value(report, metric) is None:
        return report.reasons["overall"].get(metric, "not measured")
    return "trained against it" if is_tuned(metric, report.tuned) else ""


def _cell(e: Estimate | None, unit: str, places: int, aside: str, marked: bool) -> str:
    shown = minus(show(e.value, unit, places)) if e else "–"
    small = " ".join(filter(None, (minus(show_brackets(e, unit, places)) if e else "", aside)))
    mark = '<em class="best">best</em> ' if marked else ""
    return f"<td>{mark}{escape(shown)}<small>{escape(small)}</small></td>"
