"""Twins: two classes that are taken for one another, from every side."""

from functools import partial
from itertools import groupby

import gradio as gr

from app import classes, figures, links, lookalikes, markup, pictures
from app.entries import alike, usable
from app.links import View
from app.request import whole
from app.store import Store
from app.verdicts import readers
from app.widgets import QUIET, Tab, among, choose, clickable, first, guarded, picker, still
from app.words import JUDGES
from diffusion_core.errors import UserError
from eval.report import Report

TITLE = "Twins"

# ---------------------------------------------------------------- pure


def page(store: Store, key, one, other, judge) -> tuple:
    """Words, figure, table by judge, table by report, samples and links. `UserError` for a bad choice."""
    if not usable(store.reports()):
        text = "There is no report yet. Score a checkpoint: python -m app score mnist"
        return markup.note(text, "empty"), None, "", "", ""
    report, two = chosen(store, key, one, other, judge)
    real = store.real_beside(report)
    words = f'<p class="lead">{markup.escape(lookalikes.lead(report, real, judge, two))}</p>'
    class_names = report.source.class_names
    names = tuple(class_names[label] for label in two)
    values = [lookalikes.odds(report, judge, label, two) for label in two]
    beside = [lookalikes.odds(real, judge, label, two) for label in two] if real and judge in real.confusions else None
    figure = figures.odds(values, beside, names, lookalikes.FARTHEST)
    tables = f"<h2>Judge by judge</h2>{lookalikes.by_judge(report, real, two)}"
    others = one_each(store, report.source.dataset)
    tables += f"<h2>Checkpoint by checkpoint</h2>{lookalikes.by_report(others, class_names, judge, two)}"
    found = pictures.note(report) + lookalikes.gallery(report, judge, *two)
    found += lookalikes.gallery(report, judge, *two[::-1])
    return words, figure, tables, found, ways_on(key, two, names, judge)


def chosen(store: Store, key, one, other, judge) -> tuple[Report, tuple[int, int]]:
    """The report and the two classes. `UserError` for anything odd."""
    report = store.report(key)
    if not report.source.labelled:
        raise UserError("These images carry no labels, so no class was asked for.")
    if judge not in tuple(JUDGES):
        raise UserError("Choose the judge from what is offered.")
    last = len(report.source.class_names) - 1
    two = whole(one, "A class", 0, last, text=True), whole(other, "A class", 0, last, text=True)
    if two[0] == two[1]:
        raise UserError("Choose two different classes.")
    return report, two


def one_each(store: Store, dataset: str) -> list[tuple[str, Report]]:
    """Name and report: the first one of every checkpoint of a data set, and of its real test images."""
    found = groupby(alike(usable(store.reports()), dataset), key=lambda entry: entry.key.split("/")[0])
    return [(entry.title.partition(" · ")[0], store.report(entry.key)) for entry in (next(group) for _, group in found)]


def ways_on(key: str, two: tuple[int, int], names: tuple[str, str], judge: str) -> str:
    """The link to this view, and one to the same two classes (`names`) out of one noise."""
    name = key.split("/")[0]
    here = links.write(tab="lookalikes", a=key, cell=two, judge=judge)
    there = links.write(tab="denoise", a=name, digits=two)
    told = f"Watch {names[0]} and {names[1]} come out of one noise"
    watch = f'<a class="quiet" href="{markup.escape(there)}">{markup.escape(told)}</a>'
    return f'<div class="chips">{watch}{markup.link_button(here)}</div>'


# ---------------------------------------------------------------- gradio


def build(store: Store) -> Tab:
    """The tab's components and how they are filled."""
    with gr.Row(elem_classes="controls"):
        key = picker(store.reports(), "Report", scale=3, min_width=280)
        one = gr.Dropdown(label="Class", filterable=False, scale=1, min_width=120)
        other = gr.Dropdown(label="Or", filterable=False, scale=1, min_width=120)
        judge = gr.Dropdown(label="Judge", filterable=False, scale=2, min_width=200)
    words = still(elem_classes="words")
    with gr.Row(elem_classes="beside"):
        with gr.Column(scale=1, min_width=320):
            figure = gr.Plot(show_label=False, container=False)
        with gr.Column(scale=1, min_width=320):
            tables = still(elem_classes="wrapped")
    found = still(elem_id="border")
    ways = clickable("", elem_classes="words")
    of = gr.State("")  # the data set that the two classes are of
    settings = [key, one, other, judge, of]
    outputs = [words, figure, tables, found, ways]

    def show(*settings):
        return page(store, *settings[:-1])

    def others(key, one, other, judge, of):
        report = store.report(key)
        two = (one, other) if report.source.dataset == of else None
        *offered, dataset = offers(report, two, judge)
        return *offered, dataset, *page(store, key, *(update["value"] for update in offered))

    tab = Tab(settings, outputs, guarded(store, show), partial(opened, store))
    key.input(guarded(store, others), settings, [one, other, judge, of, *outputs], **QUIET)
    for control in (one, other, judge):
        control.input(tab.show, settings, outputs, **QUIET)
    return tab


def offers(report: Report, two: tuple | None, judge: str | None) -> list:
    """What the pickers offer for a report, both classes and the judge; and its data set.

    Chosen are the `two` if they are two of its classes, else those to begin with.
    """
    names, known = report.source.class_names, readers(report)
    counts = report.confusions[known[0][1]] if known else [[0] * len(names)] * len(names)
    each, wanted = classes.numbered(names), [str(label) for label in two or ()]
    if len({label for _, label in each} & set(wanted)) < 2:
        wanted = [str(label) for label in classes.pair(report.source.dataset, counts)]
    return [*(among(each, label) for label in wanted), among(known, judge), report.source.dataset]


def opened(store: Store, view: View) -> list:
    """The settings that a link asks for."""
    key = store.report_key(view.a) or first(store.reports())
    if not key:
        return [choose(store.reports(), key), None, None, None, ""]
    return [choose(store.reports(), key), *offers(store.report(key), view.cell, view.judge)]
