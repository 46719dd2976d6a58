"""Reports: every evaluation there is, to open, to take away, and where each comes from."""

import json
from functools import partial
from html import escape

from app import classes, files, markup, words
from app.entries import Entry, usable
from app.links import View
from app.store import Store
from app.widgets import Tab, clickable, guarded
from eval.report import Report

TITLE = "Reports"
METRICS = ("accuracy", "clip_probability", "fd", "recall")


# ---------------------------------------------------------------- pure


def page(store: Store) -> tuple[str]:
    """A card a report; damaged ones with what is wrong with them."""
    entries = store.reports()
    if not entries:
        return (markup.note("There is no report yet. Score a checkpoint: python -m app score mnist", "empty"),)
    missing = filter(None, map(classes.away, dict.fromkeys(entry.dataset for entry in usable(entries))))
    told = "".join(markup.note(f"{why} Until then no real image is shown.") for why in missing)
    items = "".join(damaged(entry) if entry.problem else item(entry, store) for entry in entries)
    return (f'{told}<ul class="reports" aria-label="Reports">{items}</ul>',)


def damaged(entry: Entry) -> str:
    return f'<li class="report"><h2>{escape(entry.title)}</h2>{markup.note(entry.problem or "", "problem")}</li>'


def item(entry: Entry, store: Store) -> str:
    """Title, main numbers, files, and the provenance folded away."""
    report = store.report(entry.key)
    found = report.metrics["overall"]
    numbers = " · ".join(
        f"{words.METRICS[key].title} {words.show(found[key].value, words.METRICS[key].unit)}"
        for key in METRICS
        if key in found and found[key].value is not None
    )
    there = store.report_files(entry.key)
    links = "".join(
        f'<a class="quiet" href="{escape(files.address(entry.key, name))}"'
        f"{' target=_blank rel=noopener' if name == 'report.html' else ''}>{title}</a>"
        for name, (title, _) in files.FILES.items()
        if name in there
    )
    return (
        f'<li class="report"><h2>{escape(entry.title)}</h2><p class="numbers-line">{escape(numbers)}</p>'
        f'<div class="take">{links}</div><details><summary>Where these numbers come from</summary>'
        f"{provenance(report)}</details></li>"
    )


def provenance(report: Report) -> str:
    """Everything that is needed to make the report again."""
    source = report.source
    rows = [
        ("images from", source.id),
        ("weights", source.sha256 or "–"),
        ("drawn with", json.dumps(source.sample) if source.sample else "–"),
        ("labels and seeds", json.dumps(report.plan)),
        ("judges", ", ".join(report.scorers)),
        ("scored", report.created),
        ("revision", report.revision or "–"),
        ("packages", ", ".join(f"{name} {version}" for name, version in report.packages.items())),
    ]
    lines = "".join(f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>" for name, value in rows)
    return f'<dl class="facts">{lines}</dl>'


# ---------------------------------------------------------------- gradio


def build(store: Store) -> Tab:
    """The tab's components and how they are filled."""
    show = clickable("", elem_id="reports")
    return Tab([], [show], guarded(store, partial(page, store)), opened)


def opened(view: View) -> list:
    """There is nothing to choose."""
    return []
