"""Compare: is B better than A? The verdict, every number, the same seeds side by side; then up to six reports."""

from functools import partial

import gradio as gr

from app import bring, markup, scripts, several, words
from app.compare_view import opened_cell, share, show, together, turned
from app.links import View
from app.paired import ALL, ORDERS
from app.rivals import of_one_data_set, offered, offers, rival
from app.store import Store
from app.widgets import QUIET, Tab, choices, choose, clickable, first, guarded, picked, picker, still

TITLE = "Compare"
MORE_THAN_TWO = (
    "<h2>More than two</h2>"
    + markup.note("The same scores of up to six reports, each in the colour that its checkpoint has in every figure.")
)  # fmt: skip
TRADEOFF = "<h2>Accuracy against diversity</h2>" + markup.note(
    "Recall is the share of real images that lie among the generated ones: further right means more of their variety, "
    "further up means more images read right."
)


def build(store: Store) -> Tab:
    """The tab's components and how they are filled."""
    with gr.Row(elem_classes="controls"):
        a, b = picker(offered(store), "A", scale=3), picker(offered(store), "B", scale=3)
        metric = gr.Dropdown(words.titled(words.METRICS), value="accuracy", label="Score", filterable=False, scale=2)
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
