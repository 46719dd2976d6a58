"""Judges: how far each judge itself can be trusted, measured on real test digits."""

from functools import partial

import gradio as gr

from app import figures, markup, matrix, scripts, words
from app.links import View
from app.store import REAL, Store, usable
from app.tabs import confusion
from app.widgets import QUIET, Tab, clickable, guarded, picked, still
from diffusion_core.errors import UserError
from eval.judge import JUDGES as FOLDER
from eval.judge import read_card
from eval.metrics import Estimate

TITLE = "Judges"


# ---------------------------------------------------------------- pure


def measured(card: dict) -> dict:
    """What a card says of real test digits; a text judge's with its default prompts."""
    return card["test"].get("default", card["test"])


def overview(cards: dict[str, dict]) -> str:
    """A row a judge: accuracy, calibration error, the digit it reads worst."""
    rows = []
    for judge, card in cards.items():
        test = measured(card)
        accuracy, per_class = Estimate(**test["accuracy"]), test["per_class"]
        worst = min(per_class, key=lambda d: per_class[d]["value"])
        rows.append(
            (
                words.JUDGES[judge],
                (f"{100 * accuracy.value:.2f} %", f"{100 * accuracy.low:.2f} to {100 * accuracy.high:.2f} %"),
                f"{100 * test['calibration_error']:.2f} %",
                f"{worst} ({words.show(per_class[worst]['value'])})",
                f"{accuracy.n:,}",
                (card["architecture"], card["role"]),
            )
        )
    head = ("judge", "accuracy", "calibration error", "reads worst", "n", "what it is")
    return markup.table(head, rows, "The judges on real test digits")


def page(store: Store, judge, cell, number) -> tuple:
    """Table of all judges; figure, digits, matrix and one opened cell of one. `UserError` for a bad choice."""
    test, cards = measured(_card(judge)), {name: _card(name) for name in words.JUDGES}
    per_class = {d: Estimate(**e) for d, e in test["per_class"].items()}
    rows = [(d, words.show(e.value), words.show_interval(e), f"{e.n:,}") for d, e in per_class.items()]
    digits = markup.table(("digit", "accuracy", "95 % interval", "n"), rows, f"{words.JUDGES[judge]} by digit")
    cell = matrix.default_cell(test["confusion"]) if cell is None else cell
    grid = matrix.matrix(test["confusion"], confusion.checked_cell(cell, len(per_class)), True, words.the(judge))
    figure = figures.reliability(test["reliability"], words.JUDGES[judge])
    return overview(cards), figure, digits, grid, *opened_cell(store, judge, cell, number)


def opened_cell(store: Store, judge, cell, number) -> tuple[str, str]:
    """The words about a cell, and one page of the real test digits in it."""
    counts = measured(_card(judge))["confusion"]
    for entry in usable(store.reports()):
        if entry.key.split("/")[0] == REAL and store.report(entry.key).confusions.get(judge) == counts:
            return confusion.opened_cell(store, entry.key, "real", judge, cell, number)
    return markup.note("To see these digits, score them first: python -m app score real", "empty"), ""


def _card(judge) -> dict:
    if judge not in tuple(words.JUDGES):
        raise UserError("Choose one of the judges.")
    return read_card(FOLDER / judge)


# ---------------------------------------------------------------- gradio

ABOUT = (
    "Four judges read every digit, and none of them is right about all real ones. All learned from the training digits "
    "and none chose the settings of a checkpoint. Where judges disagree about a digit, look at it: the share of such "
    "digits is a score of its own."
)
HOW = (
    "Of the digits that a judge is 70 to 80 % sure of, 70 to 80 % should be read rightly: points on the line. Bars are "
    "95 % intervals; few digits lie in the middle, so theirs are wide."
)


def build(store: Store) -> Tab:
    """The tab's components and how they are filled."""
    still(markup.note(ABOUT), elem_classes="words")
    table = still()
    judge = gr.Radio([(name, key) for key, name in words.JUDGES.items()], value="classifier", label="Judge")
    with gr.Row(elem_classes="beside"):
        with gr.Column(scale=1, min_width=320):
            figure = gr.Plot(show_label=False, container=False)
            still(markup.note(HOW), elem_classes="words")
        with gr.Column(scale=1, min_width=300):
            digits = still()
    cell, number = gr.State(None), gr.State(0)
    with gr.Row(elem_classes="beside"):
        with gr.Column(scale=1, min_width=320):
            grid = clickable("", scripts.MATRIX, elem_classes="grid")
        with gr.Column(scale=1, min_width=300):
            about = clickable("", elem_classes="cell-words")
            found = clickable("", scripts.PAGER)

    def select(event: gr.EventData, judge):
        chosen = picked(event) or ()
        return chosen, 0, *opened_cell(store, judge, chosen, 0)

    def turn(event: gr.EventData, judge, cell):
        return picked(event), *opened_cell(store, judge, cell, picked(event))

    tab = Tab(
        [judge, cell, number],
        [table, figure, digits, grid, about, found],
        guarded(store, partial(page, store)),
        partial(opened, store),
    )
    judge.input(tab.show, tab.settings, tab.outputs, **QUIET)
    grid.select(guarded(store, select), [judge], [cell, number, about, found], **QUIET)
    found.select(guarded(store, turn), [judge, cell], [number, about, found], **QUIET)
    return tab


def opened(store: Store, view: View) -> list:
    """The settings that a link asks for."""
    return [view.judge or "classifier", None, 0]
