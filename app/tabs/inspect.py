"""Inspect: one digit's samples in any order, the distribution of any score, and which digits are hardest."""

from functools import partial
from html import escape

import gradio as gr

from app import figures, inspection, links, markup, scripts, sprites
from app.colours import colour_of
from app.inspection import FILTERS, ORDERS
from app.links import View
from app.request import whole
from app.store import Store, usable
from app.verdicts import verdicts
from app.widgets import QUIET, Tab, choose, clickable, first, guarded, picked, picker
from app.words import show
from diffusion_core.errors import UserError
from eval.report import Report

TITLE = "Inspect"
PAGE = 60  # thumbnails at a time
ENDS = {"worst": "Worst first", "best": "Best first"}


# ---------------------------------------------------------------- pure


def ranking(report: Report, digit: int) -> str:
    """The digits as buttons, hardest first, and why the chosen one is where it is."""
    found = inspection.hardest(report)
    buttons = "".join(
        f'<button type="button" class="chip" data-page="{hard.digit}" '
        f'aria-pressed="{"true" if hard.digit == digit else "false"}">'
        f"<b>{hard.digit}</b> <small>{_gap(hard.gap)}</small></button>"
        for hard in found
    )
    own = next(hard for hard in found if hard.digit == digit)
    text = f"{digit}: {own.reason}." if own.reason else ""
    return (
        f'<div class="chips" role="group" aria-label="Digits, hardest first">{buttons}</div>'
        + markup.note("Points of the classifier's accuracy below real digits, hardest first.")
        + f'<p class="lead">{escape(text)}</p>'
    )


def _gap(points: float) -> str:
    return "±0" if abs(points) < 0.05 else f"{-points:+.1f}".replace("-", "−")


def gallery(report: Report, digit: int, kept: str, order: str, end: str, number: int) -> str:
    """One page of the samples, each with the value it is sorted by."""
    rows, values = inspection.rows(report, digit, kept, order, end == "worst")
    if not len(rows):
        return markup.note(f"No {digit} of this kind here.", "empty")
    pages = -(-len(rows) // PAGE)
    number = min(max(number, 0), pages - 1)
    part = slice(number * PAGE, (number + 1) * PAGE)
    table = report.table.iloc[rows[part]]
    labels, said = table["label"].to_numpy(), verdicts(table, table["label"].to_numpy())
    uris, name = sprites.thumbnails(report.images[rows[part]]), "no." if report.source.kind == "real" else "seed"
    items = [
        markup.sample(uri, int(label), int(seed), lines, name, show(float(value), ORDERS[order].unit))
        for uri, label, seed, lines, value in zip(uris, labels, table["seed"], said, values[part], strict=True)
    ]
    count = markup.note(f"{len(rows):,} of {int((report.table['label'] == digit).sum()):,} samples of {digit}.")
    return count + markup.samples(items, f"Samples of {digit}") + markup.pager(number, pages)


def page(store: Store, key, kept, order, end, digit, number) -> tuple:
    """Ranking, figure, gallery and link. `UserError` for a bad choice."""
    if not usable(store.reports()):
        return (
            markup.note("There is no report yet. Score a checkpoint: python -m app score mnist", "empty"),
            None,
            "",
            "",
        )
    report, digit = chosen(store, key, kept, order, end, digit)
    real = store.real_beside(report)
    values = inspection.of_digit(report, digit, order)
    beside = inspection.of_digit(real, digit, order) if real and order in inspection.available(real) else None
    entry, own = ORDERS[order], colour_of(store, key)
    figure = figures.distribution(values, beside, entry.title, entry.unit, digit, own)
    link = markup.link_button(links.write(tab="inspect", a=key, digits=(digit,), order=order))
    number = number if type(number) is int else 0
    return ranking(report, digit), figure, gallery(report, digit, kept, order, end, number), link


def chosen(store: Store, key, kept, order, end, digit) -> tuple[Report, int]:
    """The report, and the digit to show: the one asked for, or the hardest. `UserError` for anything odd."""
    report = store.report(key)
    if not report.source.labelled:
        raise UserError("These images carry no labels, so there is no digit to inspect.")
    if kept not in tuple(FILTERS) or end not in tuple(ENDS) or order not in inspection.available(report):
        raise UserError("Choose filter, score and order from what is offered.")
    if digit is None:
        return report, inspection.hardest(report)[0].digit
    return report, whole(digit, "A digit", 0, len(report.source.class_names) - 1)


# ---------------------------------------------------------------- gradio


def build(store: Store) -> Tab:
    """The tab's components and how they are filled."""
    with gr.Row(elem_classes="controls"):
        key = picker(store.reports(), "Report", scale=3)
        order = gr.Dropdown(
            [(o.title, name) for name, o in ORDERS.items()], value="clip_probability", label="Sorted by",
            filterable=False, scale=2,
        )  # fmt: skip
        end = gr.Dropdown([(t, k) for k, t in ENDS.items()], value="worst", label="Order", filterable=False, scale=1)
        kept = gr.Dropdown([(t, k) for k, t in FILTERS.items()], value="all", label="Which", filterable=False, scale=2)
    digit, number = gr.State(None), gr.State(0)
    with gr.Row(elem_classes="beside"):
        with gr.Column(scale=3, min_width=320):
            ranks = clickable("", scripts.PAGER, elem_id="ranking", elem_classes="words")
        with gr.Column(scale=2, min_width=320):
            figure = gr.Plot(show_label=False, container=False)
    found = clickable("", scripts.PAGER, elem_id="inspected")
    link = clickable("", elem_classes="words")
    settings = [key, kept, order, end, digit, number]
    tab = Tab(settings, [ranks, figure, found, link], guarded(store, partial(page, store)), partial(opened, store))

    def other(event: gr.EventData, *settings):
        digit = picked(event)
        return digit, 0, *page(store, *settings, digit, 0)

    def turn(event: gr.EventData, key, kept, order, end, digit):
        report, digit = chosen(store, key, kept, order, end, digit)
        number = picked(event) if type(picked(event)) is int else 0
        return number, gallery(report, digit, kept, order, end, number)

    def sift(*settings):
        return 0, *page(store, *settings, 0)

    for control in (key, kept, order, end):
        control.input(guarded(store, sift), settings[:5], [number, *tab.outputs], **QUIET)
    ranks.select(guarded(store, other), settings[:4], [digit, number, *tab.outputs], **QUIET)
    found.select(guarded(store, turn), settings[:5], [number, found], **QUIET)
    return tab


def opened(store: Store, view: View) -> list:
    """The settings that a link asks for."""
    key = store.report_key(view.a) or first(store.reports())
    digit = view.digits[0] if view.tab == "inspect" and view.digits and view.digits[0] < 10 else None
    return [choose(store.reports(), key), "all", view.order or "clip_probability", "worst", digit, 0]
