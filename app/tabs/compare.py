"""Compare: is B better than A? The verdict, every number, the same seeds side by side; then up to six reports."""

from collections.abc import Iterable
from functools import partial
from html import escape

import gradio as gr

from app import bring, changes, classes, figures, links, markup, paired, scripts, several, words
from app.colours import colours, pair_colours
from app.comparison_text import MAIN
from app.entries import REAL, Entry, alike, usable
from app.links import View
from app.pair_view import side_by_side
from app.paired import ALL, ORDERS
from app.shelf import is_own
from app.store import Store
from app.tabs.confusion import checked_cell
from app.tabs.scores import available, titled
from app.tradeoff import tradeoff
from app.widgets import QUIET, Tab, among, choices, choose, clickable, first, guarded, picked, picker, still
from diffusion_core.errors import UserError
from eval.compare import Comparison, compare
from eval.pairs import unpaired
from eval.report import Report

TITLE = "Compare"


# ---------------------------------------------------------------- where reports come from


def offered(store: Store, beside: str | None = None) -> list[Entry]:
    """What may be chosen as A; `beside` a report as B and for the table, which must be of the same data set."""
    entries = store.reports()
    dataset = next((entry.dataset for entry in entries if entry.key == beside), None)
    return entries if dataset is None else alike(entries, dataset)


# ---------------------------------------------------------------- pure


def numbers(comparison: Comparison, keys: list[str]) -> str:
    """One row a metric, over all images: A, B, the difference and its interval; the less common ones folded away."""
    rows = {}
    for key in keys:
        row, unit = comparison.row(key), words.METRICS[key].unit
        a, b = ((words.show(e.value, unit), words.show_interval(e, unit)) for e in (row.a, row.b))
        title = words.long_title(words.METRICS[key])
        rows[key] = (title, a, b, paired.difference(row, unit), paired.told_apart(row))
    head = ("over all images", "A", "B", "B − A", "better")
    main = markup.table(head, [rows[k] for k in keys if k in MAIN], "The main metrics of A and B")
    rest = markup.table(head, [rows[k] for k in keys if k not in MAIN], "All other metrics of A and B")
    notes = "".join(map(markup.note, comparison.notes))
    return f"{main}<details><summary>All {len(rows)} metrics</summary>{rest}{notes}</details>"


def judge_of(metric: str, report: Report) -> str:
    """Whose reading decides which side is right: that of the metric's judge, or of the first one that ran."""
    judge = words.METRICS[metric].judge
    return judge if judge in report.confusions else next(iter(report.confusions), "classifier")


def page(store: Store, key_a, key_b, metric, label, order, number):
    """What the tab shows: verdict, figure, classes, pairs, all numbers. `UserError` for a bad choice."""
    if not key_a or not key_b:
        return markup.note("Two reports are needed: python -m app score CHECKPOINT", "empty"), None, "", "", ""
    a, b = bring.pair(store, key_a, key_b)
    try:
        comparison = compare(a, b)
    except UserError as error:  # said where the comparison would stand: a message that passes would leave nothing
        return markup.note(store.explain(error), "empty"), None, "", "", ""
    keys = [key for key in available(a) if any(row.metric == key for row in comparison.rows)]
    if metric not in keys:
        raise UserError("These reports have no such metric. Choose another one.")
    how = (
        f"{comparison.n:,} pairs of the same label and seed" if comparison.paired else "compared as independent groups"
    )
    verdict = f'<p class="lead">{escape(words.minus(comparison.verdict))}</p>' + markup.note(
        f"A is {comparison.a}, B is {comparison.b}; {how}. Intervals are 95 %; "
        "all classes of a metric together share one 5 % chance of a false alarm."
    )
    per_class = (a.metrics["per_class"], b.metrics["per_class"])
    sides, hues = (comparison.a, comparison.b), pair_colours(store, key_a, key_b)
    figure = figures.compare_bars(*per_class, sides, metric, comparison.class_names, hues)
    below = paired.by_class(comparison, metric)
    more = numbers(comparison, keys) + paired.made_differently(a, b)
    return verdict, figure, below, turned(store, key_a, key_b, metric, label, order, number), more


def turned(store: Store, key_a, key_b, metric, label, order, number) -> str:
    """One page of the pairs alone."""
    a, b = bring.pair(store, key_a, key_b)
    labels = (ALL, *map(str, range(len(a.source.class_names))))
    if label not in labels or order not in tuple(ORDERS) or metric not in available(a):
        raise UserError("Choose the score, the class and the order from what is offered.")
    judge = judge_of(metric, a)
    if reason := unpaired(a, b):
        return markup.note(f"There is nothing to show side by side: {reason}.", "empty")
    found = paired.pairs(a, b, label, order, judge)
    if not found:
        return markup.note(f"There is no such pair under {words.the(judge)}.", "empty")
    return side_by_side(a, b, found, number if type(number) is int else 0)


def cells(store: Store, key_a, key_b, metric, cell, number) -> tuple[str, str, str]:
    """The matrix of what changed, the words about the chosen cell (None: what changed most), and its pairs."""
    if not key_a or not key_b:
        return "", "", ""
    a, b = bring.pair(store, key_a, key_b)
    judge = judge_of(metric, a)
    if not changes.comparable(a, b, judge):
        return "", "", ""
    cell = changes.default_cell(a, b, judge) if cell is None else checked_cell(cell, len(a.source.class_names))
    return f"{CELLS}{changes.grid(a, b, judge, cell)}", *opened_cell(store, key_a, key_b, metric, cell, number)


def opened_cell(store: Store, key_a, key_b, metric, cell, number) -> tuple[str, str]:
    """The words about one cell of it, and one page of its pairs. `UserError` where there are no such cells."""
    a, b = bring.pair(store, key_a, key_b)
    judge = judge_of(metric, a)
    if not changes.comparable(a, b, judge):
        raise UserError("A and B have no cells to hold against each other. Choose two that share labels and seeds.")
    cell = checked_cell(cell, len(a.source.class_names))
    link = "" if is_own(key_b) else links.write(tab="compare", a=key_a, b=key_b, metric=metric, cell=cell)
    found = changes.pairs_of(a, b, judge, cell)
    shown = side_by_side(a, b, found, number if type(number) is int else 0) if found else ""
    return changes.heading(a, b, judge, cell, link), shown


def together(store: Store, keys) -> tuple:
    """Up to six reports: their table, the figure of accuracy against recall, and what is said below it."""
    if not keys:
        text = "No report is chosen. Choose one, or make the first: python -m app score CHECKPOINT"
        return markup.note(text, "empty"), None, ""
    colour = colours(store)
    shown = several.chosen(keys, offered(store), store.report, colour)
    sweeps, problems = [], []
    for name in dict.fromkeys(key.split("/")[0] for key in keys):
        try:
            if found := store.sweep(name):
                sweeps.append((name, colour[name], found))
        except UserError as error:
            problems.append(store.explain(error))
    said = markup.note(FAINT) if sweeps else ""
    said += "".join(markup.note(problem, "problem") for problem in problems)
    return several.table(shown), tradeoff(shown, sweeps), said


def share(key_a, key_b, metric, keys) -> str:
    """The button that copies the address of what is shown; a visitor's own samples have none."""
    if is_own(key_b):
        return ""
    return markup.link_button(
        links.write(tab="compare", a=key_a, b=key_b, metric=metric, reports=tuple(keys) if keys else None)
    )


def show(store: Store, key_a, key_b, metric, label, order, number, cell, turn, keys) -> tuple:
    """All that the tab shows."""
    shown = page(store, key_a, key_b, metric, label, order, number)
    changed = ("", "", "") if shown[1] is None else cells(store, key_a, key_b, metric, cell, turn)
    return *shown, *changed, *together(store, keys), share(key_a, key_b, metric, keys)


# ---------------------------------------------------------------- gradio

CELLS = "<h2>What changed, cell by cell</h2>"
MORE_THAN_TWO = (
    "<h2>More than two</h2>"
    + markup.note("The same scores of up to six reports, each in the colour that its checkpoint has in every figure.")
)  # fmt: skip
TRADEOFF = "<h2>Accuracy against diversity</h2>" + markup.note(
    "Recall is the share of real images that lie among the generated ones: further right means more of their variety, "
    "further up means more images read right."
)
FAINT = (
    "Faint: the settings that were tried on a checkpoint, a line for each sampler and number of steps, read by the "
    "judge that chooses settings, and as many real test images. Recall depends on how many there are: hold the lines "
    "against these."
)


def rival(store: Store, key: str | None) -> str | None:
    """What to compare `key` with unless told: a report of another checkpoint of its data set, else any other of it."""
    others = [e.key for e in usable(offered(store, key)) if e.key != key]
    name = (key or "").split("/")[0]
    return next((k for k in others if k.split("/")[0] not in (name, REAL)), others[0] if others else None)


def build(store: Store) -> Tab:
    """The tab's components and how they are filled."""
    with gr.Row(elem_classes="controls"):
        a, b = picker(offered(store), "A", scale=3), picker(offered(store), "B", scale=3)
        metric = gr.Dropdown(titled(words.METRICS), value="accuracy", label="Score", filterable=False, scale=2)
    brought = bring.build(store, a, b)
    verdict = still(elem_classes="words")
    with gr.Row(elem_classes="beside"):
        with gr.Column(scale=5, min_width=320):
            figure = gr.Plot(show_label=False, container=False)
        with gr.Column(scale=6, min_width=320):
            below = still(elem_classes="wrapped")
    with gr.Row(elem_classes="controls"):
        side = "The same label and seed, side by side"
        label = gr.Radio([("All", ALL)], value=ALL, label=side, scale=4, min_width=560)
        orders = [(title, key) for key, title in ORDERS.items()]
        order = gr.Dropdown(orders, value="differ", label="Which pairs", filterable=False, scale=1, min_width=240)
    found = clickable("", scripts.WIPE, elem_id="pairs")
    more = still(elem_classes="words")
    with gr.Row(elem_classes="beside"):
        with gr.Column(scale=1, min_width=320):
            grid = clickable("", scripts.MATRIX, elem_id="changes", elem_classes="grid words")
        with gr.Column(scale=1, min_width=320):
            about = clickable("", elem_id="change-words", elem_classes="cell-words")
            inside = clickable("", scripts.WIPE, elem_id="change-pairs")
    still(MORE_THAN_TWO, elem_classes="words")
    keys = gr.Dropdown(choices(offered(store)), value=[], multiselect=True,
                       max_choices=several.MOST, label="Reports", filterable=False)  # fmt: skip
    table = still(elem_id="several")
    still(TRADEOFF, elem_classes="words")
    scatter = gr.Plot(show_label=False, container=False, elem_id="tradeoff")
    said = still(elem_classes="words")
    link = clickable("", elem_classes="words")
    number, cell, page_of_cell = gr.State(0), gr.State(None), gr.State(0)
    chosen = [a, b, metric, label, order]

    def turn(event: gr.EventData, *settings):
        return picked(event), turned(store, *settings, picked(event))

    def sift(*settings):
        return 0, turned(store, *settings, 0)

    def select(event: gr.EventData, *settings):
        cell = picked(event) or ()
        return cell, 0, *opened_cell(store, *settings, cell, 0)

    def turn_cell(event: gr.EventData, *settings):
        return picked(event), *opened_cell(store, *settings, picked(event))

    def gather(key_a, key_b, metric, keys):
        return *together(store, keys), share(key_a, key_b, metric, keys)

    def other(key_a, key_b, metric, label, order, number, cell, turn, keys):
        if of_one_data_set(store, key_a, key_b):
            return *[gr.skip()] * 5, *show(store, key_a, key_b, metric, label, order, number, cell, turn, keys)
        pickers = offers(store, key_a, rival(store, key_a), metric, ())
        key_b, metric, label, keys = (update["value"] for update in pickers)
        return *pickers, None, *show(store, key_a, key_b, metric, label, order, 0, None, 0, keys)

    tab = Tab(
        [*chosen, number, cell, page_of_cell, keys],
        [verdict, figure, below, found, more, grid, about, inside, table, scatter, said, link],
        guarded(store, partial(show, store)),
        partial(opened, store),
    )
    brought.success(tab.show, tab.settings, tab.outputs, **QUIET)
    a.input(guarded(store, other), tab.settings, [b, metric, label, keys, cell, *tab.outputs], **QUIET)
    for control in (b, metric):
        control.input(tab.show, tab.settings, tab.outputs, **QUIET)
    keys.input(guarded(store, gather), [a, b, metric, keys], [table, scatter, said, link], **QUIET)
    for control in (label, order):
        control.input(guarded(store, sift), chosen, [number, found], **QUIET)
    found.select(guarded(store, turn), chosen, [number, found], **QUIET)
    grid.select(guarded(store, select), [a, b, metric], [cell, page_of_cell, about, inside], **QUIET)
    inside.select(guarded(store, turn_cell), [a, b, metric, cell], [page_of_cell, about, inside], **QUIET)
    return tab


def of_one_data_set(store: Store, key_a: str, key_b) -> bool:
    """Whether B, as it is chosen now, may stand beside A. A's own key has to be one."""
    dataset = store.report(key_a).source.dataset
    try:
        return store.report(key_b).source.dataset == dataset
    except UserError:  # there is none, or a visitor's own is gone
        return False


def offers(store: Store, key_a: str, key_b: str | None, metric: str, keys: Iterable[str]) -> list[dict]:
    """What the pickers of B, score, class and table offer beside A; `key_b`, `metric` and `keys` where they may be."""
    entries, report = offered(store, key_a), store.report(key_a)
    known = [entry.key for entry in usable(entries)]
    table = [key for key in keys if key in known][: several.MOST] or several.default(entries)
    return [
        among(choices(entries), key_b if key_b in known else rival(store, key_a)),
        among(titled(available(report)), metric),
        among([("All", ALL), *classes.numbered(report.source.class_names)], ALL),
        gr.update(choices=choices(entries), value=table),
    ]


def opened(store: Store, view: View) -> list:
    """The settings that a link asks for; without one, B is the favourite, A its rival, and all are in the table."""
    a, b = store.report_key(view.a), store.report_key(view.b)
    if a and not b:
        b = rival(store, a)
    b = b or first(offered(store))
    a = a or rival(store, b) or b
    metric, wanted = view.metric or "accuracy", dict.fromkeys(filter(None, map(store.report_key, view.reports or ())))
    if not a:
        nothing = choose(offered(store), None)
        return [nothing, nothing, metric, ALL, "differ", 0, None, 0, gr.update(choices=[], value=[])]
    report = store.report(a)
    known = b and view.tab == "compare" and view.cell and max(view.cell) < len(report.source.class_names)
    cell = list(view.cell) if known else None
    b, metric, label, table = offers(store, a, b, metric, wanted)
    return [choose(offered(store), a), b, metric, label, "differ", 0, cell, 0, table]
