"""Compare: is B better than A? The verdict, every number, and the same seeds side by side."""

from functools import partial
from html import escape

import gradio as gr

from app import bring, figures, links, markup, paired, scripts, sprites, words
from app.comparison_text import MAIN
from app.links import View
from app.paired import ALL, ORDERS
from app.shelf import is_own
from app.store import REAL, Store, usable
from app.tabs.scores import available
from app.verdicts import verdicts
from app.widgets import QUIET, Tab, choose, clickable, first, guarded, picked, picker, still
from diffusion_core.errors import UserError
from eval.compare import Comparison, compare
from eval.pairs import unpaired
from eval.report import Report

TITLE = "Compare"
PAGE = 24  # pairs at a time


# ---------------------------------------------------------------- pure


def numbers(comparison: Comparison, keys: list[str]) -> str:
    """One row a metric, over all digits: A, B, the difference and its interval; the less common ones folded away."""
    rows = {}
    for key in keys:
        row, unit = comparison.row(key), words.METRICS[key].unit
        a, b = ((words.show(e.value, unit), words.show_interval(e, unit)) for e in (row.a, row.b))
        title = words.long_title(words.METRICS[key])
        rows[key] = (title, a, b, paired.difference(row, unit), paired.told_apart(row))
    head = ("over all digits", "A", "B", "B − A", "better")
    main = markup.table(head, [rows[k] for k in keys if k in MAIN], "The main metrics of A and B")
    rest = markup.table(head, [rows[k] for k in keys if k not in MAIN], "All other metrics of A and B")
    notes = "".join(map(markup.note, comparison.notes))
    return f"{main}<details><summary>All {len(rows)} metrics</summary>{rest}{notes}</details>"


def judge_of(metric: str, report: Report) -> str:
    """Whose reading decides which side is right: that of the metric's judge, or of the first one that ran."""
    judge = words.METRICS[metric].judge
    return judge if judge in report.confusions else next(iter(report.confusions), "classifier")


def side_by_side(a: Report, b: Report, digit: str, order: str, judge: str, page: int) -> str:
    """One page of pairs as HTML: label and seed, A, B, each with its verdicts."""
    if reason := unpaired(a, b):
        return markup.note(f"There is nothing to show side by side: {reason}.", "empty")
    found = paired.pairs(a, b, digit, order, judge)
    if not found:
        return markup.note(f"There is no such pair under {words.the(judge)}.", "empty")
    pages = -(-len(found) // PAGE)
    page = min(max(page, 0), pages - 1)
    shown = found[page * PAGE : (page + 1) * PAGE]
    left, right = _half(a, [i for i, _ in shown], "A"), _half(b, [j for _, j in shown], "B")
    items = []
    for (i, _), one, other in zip(shown, left, right, strict=True):
        label, seed = int(a.table["label"].iloc[i]), int(a.table["seed"].iloc[i])
        name = f'<span class="asked"><b>{label}</b><span class="seed">seed {seed}</span></span>'
        items.append(f'<li class="pair">{name}{one}{other}</li>')
    return f'<ul class="pairs" aria-label="Same label and seed">{"".join(items)}</ul>' + markup.pager(page, pages)


def _half(report: Report, rows: list[int], side: str) -> list[str]:
    """One side's image and verdicts, for each of `rows`."""
    part = report.table.iloc[rows]
    labels, uris = part["label"].to_numpy(), sprites.thumbnails(report.images[rows])
    halves = []
    for label, seed, uri, said in zip(labels, part["seed"], uris, verdicts(part, labels), strict=True):
        lines = "".join(map(markup.verdict_line, said))
        picture = markup.image(uri, f"{side}: digit {label}, seed {seed}")
        halves.append(f'<span class="half">{picture}<span class="caption"><em>{side}</em>{lines}</span></span>')
    return halves


def page(store: Store, key_a, key_b, metric, digit, order, number):
    """What the tab shows: verdict, figure, digits, pairs, all numbers. `UserError` for a bad choice."""
    if not key_a or not key_b:
        return markup.note("Two reports are needed: python -m app score CHECKPOINT", "empty"), None, "", "", ""
    a, b = bring.pair(store, key_a, key_b)
    comparison = compare(a, b)
    keys = [key for key in available(a) if any(row.metric == key for row in comparison.rows)]
    if metric not in keys:
        raise UserError("These reports have no such metric. Choose another one.")
    how = (
        f"{comparison.n:,} pairs of the same label and seed" if comparison.paired else "compared as independent groups"
    )
    verdict = f'<p class="lead">{escape(words.minus(comparison.verdict))}</p>' + markup.note(
        f"A is {comparison.a}, B is {comparison.b}; {how}. Intervals are 95 %; "
        "all digits of a metric together share one 5 % chance of a false alarm."
    )
    per_class = (a.metrics["per_class"], b.metrics["per_class"])
    figure = figures.compare_bars(*per_class, (comparison.a, comparison.b), metric)
    below = paired.digits(comparison, metric)
    more = numbers(comparison, keys) + paired.matrices(a, b, judge_of(metric, a)) + paired.made_differently(a, b)
    if not is_own(key_b):
        more += markup.link_button(links.write(tab="compare", a=key_a, b=key_b, metric=metric))
    return verdict, figure, below, turned(store, key_a, key_b, metric, digit, order, number), more


def turned(store: Store, key_a, key_b, metric, digit, order, number) -> str:
    """One page of the pairs alone."""
    a, b = bring.pair(store, key_a, key_b)
    if digit not in (ALL, *a.source.class_names) or order not in tuple(ORDERS) or metric not in available(a):
        raise UserError("Choose the score, the digit and the order from what is offered.")
    return side_by_side(a, b, digit, order, judge_of(metric, a), number if type(number) is int else 0)


# ---------------------------------------------------------------- gradio


def rival(store: Store, key: str | None) -> str | None:
    """What to compare `key` with unless told: a report of another checkpoint, else any other report."""
    others = [e.key for e in usable(store.reports()) if e.key != key]
    name = (key or "").split("/")[0]
    return next((k for k in others if k.split("/")[0] not in (name, REAL)), others[0] if others else None)


def build(store: Store) -> Tab:
    """The tab's components and how they are filled."""
    metrics = [(words.long_title(m), m.key) for m in words.METRICS.values()]
    digits = [("All", ALL), *((str(d), str(d)) for d in range(10))]
    with gr.Row(elem_classes="controls"):
        a, b = picker(store.reports(), "A", scale=3), picker(store.reports(), "B", scale=3)
        metric = gr.Dropdown(metrics, value="accuracy", label="Score", filterable=False, scale=2)
    brought = bring.build(store, a, b)
    verdict = still(elem_classes="words")
    with gr.Row(elem_classes="beside"):
        with gr.Column(scale=5, min_width=320):
            figure = gr.Plot(show_label=False, container=False)
        with gr.Column(scale=6, min_width=320):
            below = still()
    with gr.Row(elem_classes="controls"):
        digit = gr.Radio(digits, value=ALL, label="The same label and seed, side by side", scale=4, min_width=560)
        orders = [(title, key) for key, title in ORDERS.items()]
        order = gr.Dropdown(orders, value="differ", label="Which pairs", filterable=False, scale=1, min_width=240)
    found = clickable("", scripts.PAGER, elem_id="pairs")
    more = clickable("", elem_classes="words")
    number = gr.State(0)
    chosen = [a, b, metric, digit, order]

    def turn(event: gr.EventData, *settings):
        return picked(event), turned(store, *settings, picked(event))

    def sift(*settings):
        return 0, turned(store, *settings, 0)

    tab = Tab(
        [*chosen, number],
        [verdict, figure, below, found, more],
        guarded(store, partial(page, store)),
        partial(opened, store),
    )
    brought.success(tab.show, tab.settings, tab.outputs, **QUIET)
    for control in (a, b, metric):
        control.input(tab.show, tab.settings, tab.outputs, **QUIET)
    for control in (digit, order):
        control.input(guarded(store, sift), chosen, [number, found], **QUIET)
    found.select(guarded(store, turn), chosen, [number, found], **QUIET)
    return tab


def opened(store: Store, view: View) -> list:
    """The settings that a link asks for; without one, B is the favourite and A its rival."""
    a, b = store.report_key(view.a), store.report_key(view.b)
    if a and not b:
        b = rival(store, a)
    b = b or first(store.reports())
    a = a or rival(store, b)
    return [choose(store.reports(), a), choose(store.reports(), b), view.metric or "accuracy", ALL, "differ", 0]
