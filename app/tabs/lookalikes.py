"""5 or 6: two digits that are taken for one another, from every side."""

from functools import partial
from itertools import groupby

import gradio as gr

from app import figures, links, lookalikes, markup
from app.links import View
from app.request import whole
from app.store import Store, usable
from app.widgets import QUIET, Tab, choose, clickable, first, guarded, picker, still
from app.words import JUDGES
from diffusion_core.errors import UserError
from eval.report import Report

TITLE = "5 or 6"

# ---------------------------------------------------------------- pure


def page(store: Store, key, one, other, judge) -> tuple:
    """Words, figure, table by judge, table by report, samples and links. `UserError` for a bad choice."""
    if not usable(store.reports()):
        text = "There is no report yet. Score a checkpoint: python -m app score mnist"
        return markup.note(text, "empty"), None, "", "", ""
    report, two = chosen(store, key, one, other, judge)
    real = store.real_beside(report)
    words = f'<p class="lead">{markup.escape(lookalikes.lead(report, real, judge, two))}</p>'
    names = tuple(f"{digit}s" for digit in two)
    values = [lookalikes.odds(report, judge, digit, two) for digit in two]
    beside = [lookalikes.odds(real, judge, digit, two) for digit in two] if real and judge in real.confusions else None
    figure = figures.odds(values, beside, names, lookalikes.FARTHEST)
    tables = f"<h2>Judge by judge</h2>{lookalikes.by_judge(report, real, two)}"
    tables += f"<h2>Checkpoint by checkpoint</h2>{lookalikes.by_report(one_each(store), judge, two)}"
    found = lookalikes.gallery(report, judge, *two) + lookalikes.gallery(report, judge, *two[::-1])
    return words, figure, tables, found, ways_on(key, two, judge)


def chosen(store: Store, key, one, other, judge) -> tuple[Report, tuple[int, int]]:
    """The report and the two digits. `UserError` for anything odd."""
    report = store.report(key)
    if not report.source.labelled:
        raise UserError("These images carry no labels, so no digit was asked for.")
    if judge not in tuple(JUDGES):
        raise UserError("Choose the judge from what is offered.")
    last = len(report.source.class_names) - 1
    two = whole(one, "A digit", 0, last, text=True), whole(other, "A digit", 0, last, text=True)
    if two[0] == two[1]:
        raise UserError("Choose two different digits.")
    return report, two


def one_each(store: Store) -> list[tuple[str, Report]]:
    """Name and report: the first one of every checkpoint, and of the real test digits."""
    found = groupby(usable(store.reports()), key=lambda entry: entry.key.split("/")[0])
    return [(entry.title.partition(" · ")[0], store.report(entry.key)) for entry in (next(group) for _, group in found)]


def ways_on(key: str, two: tuple[int, int], judge: str) -> str:
    """The link to this view, and one to the same two digits out of one noise."""
    name = key.split("/")[0]
    here = links.write(tab="lookalikes", a=key, cell=two, judge=judge)
    there = links.write(tab="denoise", a=name, digits=two)
    watch = f'<a class="quiet" href="{markup.escape(there)}">Watch a {two[0]} and a {two[1]} come out of one noise</a>'
    return f'<div class="chips">{watch}{markup.link_button(here)}</div>'


# ---------------------------------------------------------------- gradio


def build(store: Store) -> Tab:
    """The tab's components and how they are filled."""
    digits = [str(digit) for digit in range(10)]
    with gr.Row(elem_classes="controls"):
        key = picker(store.reports(), "Report", scale=3, min_width=280)
        one = gr.Dropdown(digits, value=str(lookalikes.PAIR[0]), label="Digit", filterable=False, scale=1, min_width=90)
        other = gr.Dropdown(digits, value=str(lookalikes.PAIR[1]), label="Or", filterable=False, scale=1, min_width=90)
        judge = gr.Dropdown(
            [(name, judge) for judge, name in JUDGES.items()], value="classifier", label="Judge", filterable=False,
            scale=2, min_width=200,
        )  # fmt: skip
    words = still(elem_classes="words")
    with gr.Row(elem_classes="beside"):
        with gr.Column(scale=1, min_width=320):
            figure = gr.Plot(show_label=False, container=False)
        with gr.Column(scale=1, min_width=320):
            tables = still()
    found = still(elem_id="border")
    ways = clickable("", elem_classes="words")
    settings = [key, one, other, judge]
    outputs = [words, figure, tables, found, ways]
    tab = Tab(settings, outputs, guarded(store, partial(page, store)), partial(opened, store))
    for control in settings:
        control.input(tab.show, settings, outputs, **QUIET)
    return tab


def opened(store: Store, view: View) -> list:
    """The settings that a link asks for."""
    key = store.report_key(view.a) or first(store.reports())
    two = view.cell if view.cell and max(view.cell) < 10 and view.cell[0] != view.cell[1] else lookalikes.PAIR
    return [choose(store.reports(), key), str(two[0]), str(two[1]), view.judge or "classifier"]
