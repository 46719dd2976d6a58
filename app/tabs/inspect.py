"""Inspect: one class's samples in any order, the distribution of any score, and which classes are hardest."""

from collections.abc import Iterable
from functools import partial
from html import escape

import gradio as gr

from app import classes, figures, inspection, links, markup, pictures, scripts
from app.colours import colour_of
from app.entries import usable
from app.inspection import FILTERS, ORDERS
from app.links import View
from app.request import whole
from app.store import Store
from app.verdicts import verdicts
from app.widgets import QUIET, Tab, among, choose, clickable, first, guarded, picked, picker
from app.words import show
from diffusion_core.errors import UserError
from eval.report import Report

TITLE = "Inspect"
PAGE = 60  # thumbnails at a time
FIRST = "clip_probability"  # the order that the tab begins with
ENDS = {"worst": "Worst first", "best": "Best first"}


# ---------------------------------------------------------------- pure


def ranking(report: Report, label: int) -> str:
    """The classes as buttons, hardest first, and why the chosen one is where it is."""
    found, names = inspection.hardest(report), report.source.class_names
    buttons = "".join(
        f'<button type="button" class="chip" data-page="{hard.label}" '
        f'aria-pressed="{"true" if hard.label == label else "false"}">'
        f"<b>{escape(names[hard.label])}</b> <small>{_gap(hard.gap)}</small></button>"
        for hard in found
    )
    own = next(hard for hard in found if hard.label == label)
    text = f"{names[label]}: {own.reason}." if own.reason else ""
    return (
        f'<div class="chips" role="group" aria-label="Classes, hardest first">{buttons}</div>'
        + markup.note("Points of the classifier's accuracy below real images, hardest first.")
        + f'<p class="lead">{escape(text)}</p>'
    )


def _gap(points: float) -> str:
    return "±0" if abs(points) < 0.05 else f"{-points:+.1f}".replace("-", "−")


def gallery(report: Report, label: int, kept: str, order: str, end: str, number: int) -> str:
    """One page of the samples, each with the value it is sorted by."""
    rows, values = inspection.rows(report, label, kept, order, end == "worst")
    names, dataset = report.source.class_names, report.source.dataset
    if not len(rows):
        return markup.note(f"No {names[label]} of this kind here.", "empty")
    pages = -(-len(rows) // PAGE)
    number = min(max(number, 0), pages - 1)
    part = slice(number * PAGE, (number + 1) * PAGE)
    table = report.table.iloc[rows[part]]
    said, alt = verdicts(table, table["label"].to_numpy(), names), classes.called(names[label], dataset)
    uris, name = pictures.pictures(report, rows[part]), "no." if report.source.kind == "real" else "seed"
    items = [
        markup.sample(uri, alt, int(seed), lines, name, show(float(value), ORDERS[order].unit))
        for uri, seed, lines, value in zip(uris, table["seed"], said, values[part], strict=True)
    ]
    whole = int((report.table["label"] == label).sum())
    count = pictures.note(report) + markup.note(f"{len(rows):,} of {whole:,} samples of {names[label]}.")
    return count + markup.samples(items, f"Samples of {names[label]}") + markup.pager(number, pages)


def page(store: Store, key, kept, order, end, label, number) -> tuple:
    """Ranking, figure, gallery and link. `UserError` for a bad choice."""
    if not usable(store.reports()):
        return (
            markup.note("There is no report yet. Score a checkpoint: python -m app score mnist", "empty"),
            None,
            "",
            "",
        )
    report, label = chosen(store, key, kept, order, end, label)
    real = store.real_beside(report)
    values = inspection.of_class(report, label, order)
    beside = inspection.of_class(real, label, order) if real and order in inspection.available(real) else None
    entry, own = ORDERS[order], colour_of(store, key)
    figure = figures.distribution(values, beside, entry.title, entry.unit, report.source.class_names[label], own)
    link = markup.link_button(links.write(tab="inspect", a=key, digits=(label,), order=order))
    number = number if type(number) is int else 0
    return ranking(report, label), figure, gallery(report, label, kept, order, end, number), link


def chosen(store: Store, key, kept, order, end, label) -> tuple[Report, int]:
    """The report, and the class to show: the one asked for, or the hardest. `UserError` for anything odd."""
    report = store.report(key)
    if not report.source.labelled:
        raise UserError("These images carry no labels, so there is no class to inspect.")
    if kept not in tuple(FILTERS) or end not in tuple(ENDS) or order not in inspection.available(report):
        raise UserError("Choose filter, score and order from what is offered.")
    if label is None:
        return report, inspection.hardest(report)[0].label
    return report, whole(label, "A class", 0, len(report.source.class_names) - 1)


# ---------------------------------------------------------------- gradio


def build(store: Store) -> Tab:
    """The tab's components and how they are filled."""
    with gr.Row(elem_classes="controls"):
        key = picker(store.reports(), "Report", scale=3)
        order = gr.Dropdown(titled(ORDERS), value=FIRST, label="Sorted by", filterable=False, scale=2)
        end = gr.Dropdown([(t, k) for k, t in ENDS.items()], value="worst", label="Order", filterable=False, scale=1)
        kept = gr.Dropdown([(t, k) for k, t in FILTERS.items()], value="all", label="Which", filterable=False, scale=2)
    label, number, of = gr.State(None), gr.State(0), gr.State("")  # `of`: the data set that the class is of
    with gr.Row(elem_classes="beside"):
        with gr.Column(scale=3, min_width=320):
            ranks = clickable("", scripts.PAGER, elem_id="ranking", elem_classes="words")
        with gr.Column(scale=2, min_width=320):
            figure = gr.Plot(show_label=False, container=False)
    found = clickable("", scripts.PAGER, elem_id="inspected")
    link = clickable("", elem_classes="words")
    settings = [key, kept, order, end, label, number, of]

    def show(*settings):
        return page(store, *settings[:-1])

    tab = Tab(settings, [ranks, figure, found, link], guarded(store, show), partial(opened, store))

    def other(key, kept, order, end, label, _, of):
        report = store.report(key)
        dataset, offered = report.source.dataset, among(titled(inspection.available(report)), order)
        label = label if dataset == of else None
        return offered, label, dataset, 0, *page(store, key, kept, offered["value"], end, label, 0)

    def rank(event: gr.EventData, *settings):
        label = picked(event)
        return label, 0, *page(store, *settings, label, 0)

    def turn(event: gr.EventData, key, kept, order, end, label):
        report, label = chosen(store, key, kept, order, end, label)
        number = picked(event) if type(picked(event)) is int else 0
        return number, gallery(report, label, kept, order, end, number)

    def sift(*settings):
        return 0, *page(store, *settings, 0)

    key.input(guarded(store, other), settings, [order, label, of, number, *tab.outputs], **QUIET)
    for control in (kept, order, end):
        control.input(guarded(store, sift), settings[:5], [number, *tab.outputs], **QUIET)
    ranks.select(guarded(store, rank), settings[:4], [label, number, *tab.outputs], **QUIET)
    found.select(guarded(store, turn), settings[:5], [number, found], **QUIET)
    return tab


def opened(store: Store, view: View) -> list:
    """The settings that a link asks for."""
    key = store.report_key(view.a) or first(store.reports())
    order = view.order or FIRST
    if not key:
        return [choose(store.reports(), key), "all", order, "worst", None, 0, ""]
    report = store.report(key)
    known = view.tab == "inspect" and view.digits and view.digits[0] < len(report.source.class_names)
    label, offered = view.digits[0] if known else None, among(titled(inspection.available(report)), order)
    return [choose(store.reports(), key), "all", offered, "worst", label, 0, report.source.dataset]


def titled(orders: Iterable[str]) -> list[tuple[str, str]]:
    """What the picker of the order offers: (title, key)."""
    return [(ORDERS[order].title, order) for order in orders]
