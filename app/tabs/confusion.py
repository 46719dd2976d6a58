"""Confusion: which class is taken for which, and the very images behind each number."""

from functools import partial

import gradio as gr
import numpy as np

from app import classes, links, markup, matrix, pictures, scripts
from app.entries import FAVOURITE, usable
from app.links import View
from app.store import Store
from app.verdicts import judged, readers, verdicts, worst_first
from app.widgets import QUIET, Tab, among, choose, clickable, first, guarded, picked, picker
from app.words import JUDGES, the
from diffusion_core.errors import UserError
from eval.report import Report

TITLE = "Confusion"
PAGE = 100  # thumbnails at a time


# ---------------------------------------------------------------- pure


def counts(report: Report, judge: str) -> list[list[int]]:
    """Rows = class asked for, columns = class judged; `UserError` where that judge did not score the report."""
    if judge not in report.confusions:
        raise UserError(f"{JUDGES[judge]} did not score this report. Choose another judge.")
    return report.confusions[judge]


def rows_of(report: Report, judge: str, cell: tuple[int, int]) -> np.ndarray:
    """Rows of the table that make up one cell, worst (least probable class asked for) first."""
    asked, read = report.table["label"].to_numpy(), judged(report.table, judge)
    return worst_first(report.table, np.flatnonzero((asked == cell[0]) & (read == cell[1])), judge)


def about(report: Report, judge: str, cell: tuple[int, int]) -> str:
    """ "Asked for 5, read as 6 by CLIP: 3 of 100 (3.0 %)", and how often the same judge does that to real images."""
    (r, c), ours, names = cell, counts(report, judge)[cell[0]], report.source.class_names
    read = f"Asked for {names[r]}, read as {names[c]} by {the(judge)}"
    text = f"{read}: {_share(ours[c], sum(ours))}."
    if report.source.kind != "real":
        theirs = report.reference.confusions.get(judge)
        if theirs:
            text += f" Of real images of {names[r]}: {_share(theirs[r][c], sum(theirs[r]))}."
    return text


def thumbnails(report: Report, judge: str, cell: tuple[int, int], page: int) -> str:
    """One page of a cell's samples, with buttons to the other pages if there are any."""
    rows, names = rows_of(report, judge, cell), report.source.class_names
    one, other = (names[label] for label in cell)
    if not len(rows):
        good = "" if cell[0] == cell[1] else " Good."
        return markup.note(f"Nothing here: no {one} was read as {other}.{good}", "empty")
    pages = -(-len(rows) // PAGE)
    page = min(max(page, 0), pages - 1)
    shown = rows[page * PAGE : (page + 1) * PAGE]
    part = report.table.iloc[shown]
    labels, seeds = part["label"].to_numpy(), part["seed"].to_numpy()
    said = verdicts(part, labels, names)
    uris, alt = pictures.pictures(report, shown), classes.called(one, report.source.dataset)
    name = "no." if report.source.kind == "real" else "seed"
    items = [markup.sample(uris[i], alt, int(seeds[i]), said[i], name) for i in range(len(uris))]
    return pictures.note(report) + markup.samples(items, f"{one} judged {other}") + markup.pager(page, pages)


def chosen_report(store: Store, key: str, kind: str) -> Report:
    """The report to show: the one picked, or that of the real test images under the same judges."""
    report = store.report(key)
    if kind != "real" or report.source.kind == "real":
        return report
    real = store.real_beside(report)
    if real is None:
        raise UserError(no_real(report.source.dataset))
    return real


def no_real(dataset: str) -> str:
    """Why no real images are shown, and what to do."""
    data = "" if dataset == FAVOURITE else f" --data {dataset}"
    told = f"Real images were not scored under these judges yet. Score them: python -m app score real{data}"
    return classes.away(dataset) or told


def chosen(store: Store, key, kind, judge, cell) -> tuple[Report, list[list[int]], tuple[int, int]]:
    """What the settings mean: report, counts and cell (None: the commonest mistake). `UserError` for bad ones."""
    if kind not in tuple(matrix.KINDS) or judge not in tuple(JUDGES):
        raise UserError("Choose the images and the judge from what is offered.")
    report = chosen_report(store, key, kind)
    table = counts(report, judge)
    if cell is None:
        return report, table, matrix.default_cell(table, classes.pair(report.source.dataset, table))
    return report, table, matrix.checked_cell(cell, len(table))


def page(store: Store, key, kind, judge, shares, hide, cell, number) -> tuple[str, str, str]:
    """The matrix, the words about the chosen cell, and its samples."""
    if not usable(store.reports()):
        return (
            markup.note("There is no report yet. Score a checkpoint: python -m app score mnist", "empty"),
            "",
            "",
        )
    report, table, cell = chosen(store, key, kind, judge, cell)
    names, pair = report.source.class_names, classes.pair(report.source.dataset, table)
    if kind == "difference":
        real = counts(chosen_report(store, key, "real"), judge)
        grid = matrix.difference(table, real, names, pair, cell, bool(hide), the(judge))
    else:
        grid = matrix.matrix(table, names, pair, cell, bool(hide), the(judge), bool(shares))
    return grid, *opened_cell(store, key, kind, judge, cell, number)


def opened_cell(store: Store, key, kind, judge, cell, number) -> tuple[str, str]:
    """The words about one cell, and one page of its samples."""
    report, table, cell = chosen(store, key, kind, judge, cell)
    asked = report.source.class_names[cell[0]]
    order = f"Worst first: what looks least like {asked} to this judge." if table[cell[0]][cell[1]] > 1 else ""
    link = links.write(tab="confusion", a=key, cell=cell, judge=judge, kind=None if kind == "generated" else kind)
    head = f"<h2>{markup.escape(about(report, judge, cell))}</h2>{markup.note(order)}"
    number = number if type(number) is int else 0
    return head + markup.link_button(link), thumbnails(report, judge, cell, number)


def _share(n: int, whole: int) -> str:
    return f"{n:,} of {whole:,} ({100 * n / whole:.1f} %)" if whole else "none were asked for"


# ---------------------------------------------------------------- gradio


def build(store: Store) -> Tab:
    """The tab's components and how they are filled."""
    with gr.Row(elem_classes="controls"):
        report = picker(store.reports(), "Report", scale=3, min_width=280)
        kinds = [(name, key) for key, name in matrix.KINDS.items()]
        kind = gr.Radio(kinds, value="generated", label="Images", scale=2, min_width=340)
    with gr.Row(elem_classes="controls"):
        judge = gr.Radio(
            [(name, key) for key, name in JUDGES.items()], value="classifier", label="Judge", scale=3, min_width=340
        )
        shares = gr.Checkbox(label="Per cent of a row", scale=1, min_width=170, elem_classes="lone")
        hide = gr.Checkbox(label="Hide diagonal", scale=1, min_width=170, elem_classes="lone")
    cell, number, of = gr.State(None), gr.State(0), gr.State("")  # `of`: the data set that the cell is of
    with gr.Row(elem_classes="beside"):
        with gr.Column(scale=1, min_width=320):
            grid = clickable("", scripts.MATRIX, elem_id="confusion", elem_classes="grid")
        with gr.Column(scale=1, min_width=300):
            words = clickable("", elem_id="cell-words", elem_classes="cell-words")
            found = clickable("", scripts.PAGER, elem_id="cell-samples")

    def select(event: gr.EventData, *settings):
        cell = picked(event) or ()
        return cell, 0, *opened_cell(store, *settings, cell, 0)

    def turn(event: gr.EventData, *settings):
        return picked(event), *opened_cell(store, *settings, picked(event))

    def show(*settings):
        return page(store, *settings[:-1])

    def other(key, kind, judge, shares, hide, cell, number, of):
        report = store.report(key)
        dataset, offered = report.source.dataset, among(readers(report), judge)
        cell = cell if dataset == of else None
        return offered, cell, dataset, *page(store, key, kind, offered["value"], shares, hide, cell, number)

    tab = Tab(
        [report, kind, judge, shares, hide, cell, number, of],
        [grid, words, found],
        guarded(store, show),
        partial(opened, store),
    )
    report.input(guarded(store, other), tab.settings, [judge, cell, of, *tab.outputs], **QUIET)
    for control in (kind, judge, shares, hide):
        control.input(tab.show, tab.settings, tab.outputs, **QUIET)
    grid.select(guarded(store, select), [report, kind, judge], [cell, number, words, found], **QUIET)
    found.select(guarded(store, turn), [report, kind, judge, cell], [number, words, found], **QUIET)
    return tab


def opened(store: Store, view: View) -> list:
    """The settings that a link asks for."""
    key, kind, judge = store.report_key(view.a) or first(store.reports()), view.kind or "generated", view.judge
    if not key:
        return [choose(store.reports(), key), kind, judge or "classifier", False, False, None, 0, ""]
    report = store.report(key)
    known = view.cell and max(view.cell) < len(report.source.class_names)
    cell, offered = list(view.cell) if known else None, among(readers(report), judge)
    return [choose(store.reports(), key), kind, offered, False, False, cell, 0, report.source.dataset]
