"""Tuning: a reward that is followed, what guards it, and what it did to the images."""

from functools import partial

import gradio as gr

from app import classes, frontier, links, markup, tuned
from app.entries import usable
from app.links import View
from app.store import Store
from app.widgets import QUIET, Tab, choose, clickable, guarded, picker, still
from app.words import JUDGES
from diffusion_core.errors import UserError

TITLE = "Tuning"
NONE = "Nothing was tuned yet. Tune a checkpoint: python -m app finetune mnist --out checkpoints/mine"

# ---------------------------------------------------------------- pure


def page(store: Store, key, judge) -> tuple:
    """Words, figure, numbers, matrix, pairs, words, two figures and link. `UserError` for a bad choice."""
    if not usable(store.tunings()):
        return markup.note(NONE, "empty"), None, "", "", "", "", None, None, ""
    found = store.tuning(key)
    if judge not in tuple(JUDGES):
        raise UserError("Choose the judge from what is offered.")
    counts = next(iter(found.looks[0]["confusions"].values()))
    names = classes.names(next(entry.dataset for entry in store.tunings() if entry.key == key), len(counts))
    heading = "<h2>What changed, cell by cell</h2>"
    pairs = "<h2>Changed most</h2>" + markup.note(
        "The same label and noise, drawn by the parent and by what was kept, and what the classifier reads."
        if found.summary["guarded"]
        else "The same label and noise, drawn by the parent and at the end, and what the classifier reads. Each may "
        "look better: what is lost is in the recall, the coverage and the distance above."
    )
    link = markup.link_button(links.write(tab="tuning", a=key, judge=judge))
    return (
        tuned.lead(found), tuned.figure(found), tuned.numbers(found), heading + tuned.confusions(found, judge, names),
        pairs + tuned.gallery(found, names), *beside(found), link,
    )  # fmt: skip


def beside(found: tuned.Tuning) -> tuple:
    """Words and two figures: other ways to fewer misread images; nothing where none was measured."""
    if not found.ways:
        return "", None, None
    n = found.ways[-1].scores["accuracy"].n
    told = (
        f"The same {n:,} labels and seeds, drawn by the parent with guidance, by the parent led by CLIP where it does "
        "not read what was asked, and by the tuned weights, alone and with guidance. Up is truer, right more varied."
    )
    figures = (frontier.figure(found.ways, metric) for metric in frontier.AXES)
    return f"<h2>Beside guidance</h2>{markup.note(told)}", *figures


# ---------------------------------------------------------------- gradio


def build(store: Store) -> Tab:
    """The tab's components and how they are filled."""
    with gr.Row(elem_classes="controls"):
        key = picker(store.tunings(), "Run", scale=2)
        judge = gr.Radio(
            [(name, k) for k, name in JUDGES.items() if k != "knn"], value="classifier", label="Judge of the matrix",
            scale=3, min_width=340,
        )  # fmt: skip
    words = still(elem_classes="words")
    with gr.Row(elem_classes="beside"):
        with gr.Column(scale=3, min_width=320):
            figure = gr.Plot(show_label=False, container=False)
        with gr.Column(scale=2, min_width=320):
            numbers = still()
    with gr.Row(elem_classes="beside"):
        with gr.Column(scale=1, min_width=320):
            grid = still(elem_classes="words")
        with gr.Column(scale=1, min_width=320):
            others = still(elem_classes="words")
            coverage = gr.Plot(show_label=False, container=False)
            recall = gr.Plot(show_label=False, container=False)
    pairs = still(elem_classes="words")
    link = clickable("", elem_classes="words")
    show = guarded(store, partial(page, store))
    tab = Tab(
        [key, judge],
        [words, figure, numbers, grid, pairs, others, coverage, recall, link],
        show,
        partial(opened, store),
    )
    for control in tab.settings:
        control.input(tab.show, tab.settings, tab.outputs, **QUIET)
    return tab


def opened(store: Store, view: View) -> list:
    """The settings that a link asks for."""
    known = [entry.key for entry in usable(store.tunings())]
    name = view.a if view.tab == "tuning" and view.a in known else None
    return [choose(store.tunings(), name), view.judge if view.judge and view.judge != "knn" else "classifier"]
