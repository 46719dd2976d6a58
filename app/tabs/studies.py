"""Studies: what a report on such a model claimed, and what small grids of runs measured."""

from functools import partial

import gradio as gr

from app import links, markup, scripts, study_charts, study_view
from app.links import View
from app.store import Store
from app.widgets import QUIET, Tab, clickable, guarded, picked, still
from diffusion_core.errors import UserError
from eval.studies import STUDIES
from eval.study_table import METRICS

TITLE = "Studies"
ABOUT = (
    "A student's report on such a model, which this project grew out of, made claims. Each study trains a small grid "
    "of networks on the same images in the same order, several seeds each, and judges their digits by judges that had "
    "no say in any setting. A claim held if its whole 95 % interval, paired by seed, lies on its side."
)

# ---------------------------------------------------------------- pure


def page(store: Store, name, metric) -> tuple:
    """Cards, words, choices of metrics, figure, table, losses, pictures, command. `UserError` for a bad choice."""
    if name not in STUDIES:
        raise UserError("Choose a study from the list.")
    found = store.studied(name)
    cards = study_view.cards([(one, store.studied(key)) for key, one in STUDIES.items()], name)
    study = STUDIES[name]
    words, end = study_view.lead(study, found), study_view.command(study)
    if found is None or not found.lines:
        return cards, words, gr.update(choices=[], value=None, visible=False), None, "", None, "", end
    if metric is not None and metric not in METRICS:
        raise UserError("Choose the metric from what is offered.")
    chosen = metric if metric in found.metrics else found.metrics[0]
    choices = gr.update(choices=[(METRICS[m].words, m) for m in found.metrics], value=chosen, visible=True)
    end += markup.link_button(links.write(tab="studies", study=name))
    return (
        cards, words, choices, study_charts.figure(found, chosen), study_view.numbers(found),
        study_charts.losses(found), study_view.pictures(found), end,
    )  # fmt: skip


# ---------------------------------------------------------------- gradio


def build(store: Store) -> Tab:
    """The tab's components and how they are filled."""
    still(markup.note(ABOUT), elem_classes="words")
    name = gr.State(next(iter(STUDIES)))
    cards = clickable("", scripts.STUDY)
    words = still(elem_classes="words")
    with gr.Row(elem_classes="beside"):
        with gr.Column(scale=3, min_width=320):
            metric = gr.Dropdown([], value=None, label="Metric", filterable=False)
            figure = gr.Plot(show_label=False, container=False)
        with gr.Column(scale=2, min_width=320):
            losses = gr.Plot(show_label=False, container=False)
    table = still()
    pictures = still(elem_classes="words")
    end = clickable("", elem_classes="words")
    outputs = [cards, words, metric, figure, table, losses, pictures, end]
    tab = Tab([name, metric], outputs, guarded(store, partial(page, store)), partial(opened, store))

    def select(event: gr.EventData):
        return picked(event), *page(store, picked(event), None)

    cards.select(guarded(store, select), None, [name, *outputs], **QUIET)
    metric.input(tab.show, tab.settings, tab.outputs, **QUIET)
    return tab


def opened(store: Store, view: View) -> list:
    """The settings that a link asks for."""
    return [view.study or next(iter(STUDIES)), None]
