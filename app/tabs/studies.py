"""Studies: what a report on such a model claimed, and what small grids of runs measured."""

from functools import partial

import gradio as gr

from app import links, markup, scripts, study_charts, study_view
from app.links import View
from app.store import Store
from app.studied import Studied
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


def cards(store: Store, name: str) -> str:
    """All studies; `UserError` for a name that is none."""
    if name not in tuple(STUDIES):
        raise UserError("Choose a study from the list.")
    return study_view.cards([(one, whole(store, key)) for key, one in STUDIES.items()], name)


def whole(store: Store, name: str) -> Studied | str | None:
    """A study, or what is wrong with it: one that is damaged must not take the others away."""
    try:
        return store.studied(name)
    except UserError as error:
        return store.explain(error)


def chosen(found: Studied, metric) -> str:
    """The metric to show: what was asked for where the study has it, else its own. `UserError` for a bad choice."""
    if metric is not None and metric not in tuple(METRICS):
        raise UserError("Choose the metric from what is offered.")
    return metric if metric in found.metrics else found.metrics[0]


# ---------------------------------------------------------------- gradio


def page(store: Store, name, metric) -> tuple:
    """Cards, words, metrics, figure, losses and their column, table, pictures, command."""
    top, study, found = cards(store, name), STUDIES[name], store.studied(name)
    words, end = study_view.lead(study, found), study_view.command(study)
    if found is None or not found.lines:
        return top, words, gr.update(visible=False), None, None, gr.update(visible=False), "", "", end
    metric = chosen(found, metric)
    choices = gr.update(choices=[(METRICS[m].words, m) for m in found.metrics], value=metric, visible=True)
    losses = study_charts.losses(found)
    end += markup.link_button(links.write(tab="studies", study=name))
    return (
        top, words, choices, study_charts.figure(found, metric), losses, gr.update(visible=losses is not None),
        study_view.numbers(found), study_view.pictures(found), end,
    )  # fmt: skip


def build(store: Store) -> Tab:
    """The tab's components and how they are filled."""
    still(markup.note(ABOUT), elem_classes="words")
    name = gr.State(next(iter(STUDIES)))
    top = clickable("", scripts.STUDY)
    words = still(elem_classes="words")
    with gr.Row(elem_classes="beside"):
        with gr.Column(scale=3, min_width=320):
            metric = gr.Dropdown([], value=None, label="Metric", filterable=False)
            figure = gr.Plot(show_label=False, container=False)
        with gr.Column(scale=2, min_width=320) as aside:
            losses = gr.Plot(show_label=False, container=False)
    table = still(elem_classes="study-table")
    pictures = still(elem_classes="words")
    end = clickable("", elem_classes="words")
    outputs = [top, words, metric, figure, losses, aside, table, pictures, end]
    tab = Tab([name, metric], outputs, guarded(store, partial(page, store)), partial(opened, store))

    def select(event: gr.EventData):
        return picked(event), *page(store, picked(event), None)

    top.select(guarded(store, select), None, [name, *outputs], **QUIET)
    metric.input(tab.show, tab.settings, tab.outputs, **QUIET)
    return tab


def opened(store: Store, view: View) -> list:
    """The settings that a link asks for."""
    return [view.study or next(iter(STUDIES)), None]
