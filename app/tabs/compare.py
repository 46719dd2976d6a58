"""Compare: is B better than A? The verdict, every number, and the same seeds side by side."""

from functools import partial
from html import escape

import gradio as gr
import numpy as np

from app import figures, links, markup, scripts, sprites, words
from app.links import View
from app.store import REAL, Store, usable
from app.tabs.scores import available
from app.verdicts import verdicts
from app.widgets import QUIET, Tab, choose, clickable, first, guarded, picked, picker, still
from diffusion_core.errors import UserError
from eval.compare import Comparison, Row, compare
from eval.report import Report

TITLE = "Compare"
PAGE = 24  # pairs at a time
ALL = "all"


# ---------------------------------------------------------------- pure


def numbers(comparison: Comparison, keys: list[str]) -> str:
    """One row a metric, over all digits: A, B, the difference and its interval."""
    rows = []
    for key in keys:
        row, unit = comparison.row(key), words.METRICS[key].unit
        a, b = ((words.show(e.value, unit), words.show_interval(e, unit)) for e in (row.a, row.b))
        rows.append((words.METRICS[key].title, a, b, difference(row, unit), told_apart(row)))
    return markup.table(("over all digits", "A", "B", "B − A", "higher"), rows, "All metrics of A and B")


def difference(row: Row, unit: str) -> tuple[str, str]:
    """("+1.2 points", "+0.3 to +2.1")."""
    d = row.difference
    if d.value is None:
        return "–", ""
    scale, suffix, digits = (100, " points", 1) if unit == "%" else (1, "", 3)
    interval = "" if d.low is None else f"{scale * d.low:+.{digits}f} to {scale * d.high:+.{digits}f}"
    return words.minus(f"{scale * d.value:+.{digits}f}{suffix}"), words.minus(interval)


def told_apart(row: Row) -> tuple[str, str]:
    """Which side is higher beyond chance, and the p-value."""
    if row.p is None:
        return "–", "too few images"
    chance = "p < 0.001" if row.p < 0.001 else f"p = {row.p:.3f}"
    if not row.significant:
        return "neither", chance
    return "B" if row.difference.value > 0 else "A", chance


def pairs(a: Report, b: Report, digit: str) -> list[tuple[int, int]]:
    """(row of A, row of B) with the same label and seed: those a judge reads differently come first."""
    table_a, table_b = a.table, b.table
    rows_b = {key: i for i, key in enumerate(zip(table_b["label"], table_b["seed"], strict=True))}
    both = [
        (i, rows_b[key])
        for i, key in enumerate(zip(table_a["label"], table_a["seed"], strict=True))
        if key in rows_b and (digit == ALL or key[0] == int(digit))
    ]
    if not both:
        return []
    rows = np.array(both)  # [N, 2]
    differ = np.zeros(len(rows), int)
    for judge in words.JUDGES:
        column = f"{judge}_label"
        if column in table_a and column in table_b:
            left, right = table_a[column].to_numpy()[rows[:, 0]], table_b[column].to_numpy()[rows[:, 1]]
            asked = table_a["label"].to_numpy()[rows[:, 0]]
            differ += 2 * ((left == asked) != (right == asked)) + (left != right)
    return [both[i] for i in np.argsort(-differ, kind="stable")]


def side_by_side(a: Report, b: Report, digit: str, page: int) -> str:
    """One page of pairs as HTML: label and seed, A, B, each with its verdicts."""
    if {a.source.kind, b.source.kind} != {"checkpoint"}:
        return markup.note("Images side by side need two checkpoints: a seed means nothing elsewhere.", "empty")
    found = pairs(a, b, digit)
    if not found:
        return markup.note("These two reports share no seed. Score both with the same plan.", "empty")
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


def page(store: Store, key_a, key_b, metric, digit, number):
    """What the tab shows: verdict, figure, numbers, pairs. `UserError` for a bad choice."""
    if not key_a or not key_b:
        return markup.note("Two reports are needed: python -m app score CHECKPOINT", "empty"), None, "", ""
    a, b = store.report(key_a), store.report(key_b)
    comparison = compare(a, b)
    keys = [key for key in available(a) if key in available(b)]
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
    below = numbers(comparison, keys) + markup.link_button(links.write(tab="compare", a=key_a, b=key_b, metric=metric))
    return verdict, figure, below, turned(store, key_a, key_b, digit, number)


def turned(store: Store, key_a, key_b, digit, number) -> str:
    """One page of the pairs alone."""
    a, b = store.report(key_a), store.report(key_b)
    if digit not in (ALL, *a.source.class_names):
        raise UserError("Choose one of the digits, or all.")
    return side_by_side(a, b, digit, number if type(number) is int else 0)


# ---------------------------------------------------------------- gradio


def rival(store: Store, key: str | None) -> str | None:
    """What to compare `key` with unless told: a report of another checkpoint, else any other report."""
    others = [e.key for e in usable(store.reports()) if e.key != key]
    name = (key or "").split("/")[0]
    return next((k for k in others if k.split("/")[0] not in (name, REAL)), others[0] if others else None)


def build(store: Store) -> Tab:
    """The tab's components and how they are filled."""
    metrics = [(m.title, m.key) for m in words.METRICS.values()]
    digits = [("All", ALL), *((str(d), str(d)) for d in range(10))]
    with gr.Row(elem_classes="controls"):
        a, b = picker(store.reports(), "A", scale=3), picker(store.reports(), "B", scale=3)
        metric = gr.Dropdown(metrics, value="accuracy", label="Score", filterable=False, scale=2)
    verdict = still(elem_classes="words")
    with gr.Row(elem_classes="beside"):
        with gr.Column(scale=5, min_width=320):
            figure = gr.Plot(show_label=False, container=False)
        with gr.Column(scale=6, min_width=320):
            below = clickable("")
    digit = gr.Radio(digits, value=ALL, label="The same label and seed, side by side; different readings first")
    found = clickable("", scripts.PAGER, elem_id="pairs")
    number = gr.State(0)

    def turn(event: gr.EventData, key_a, key_b, which):
        return picked(event), turned(store, key_a, key_b, which, picked(event))

    def sift(key_a, key_b, which):
        return 0, turned(store, key_a, key_b, which, 0)

    tab = Tab(
        [a, b, metric, digit, number],
        [verdict, figure, below, found],
        guarded(store, partial(page, store)),
        partial(opened, store),
    )
    for control in (a, b, metric):
        control.input(tab.show, tab.settings, tab.outputs, **QUIET)
    digit.input(guarded(store, sift), [a, b, digit], [number, found], **QUIET)
    found.select(guarded(store, turn), [a, b, digit], [number, found], **QUIET)
    return tab


def opened(store: Store, view: View) -> list:
    """The settings that a link asks for; without one, B is the favourite and A its rival."""
    a, b = store.report_key(view.a), store.report_key(view.b)
    if a and not b:
        b = rival(store, a)
    b = b or first(store.reports())
    a = a or rival(store, b)
    return [choose(store.reports(), a), choose(store.reports(), b), view.metric or "accuracy", ALL, 0]
