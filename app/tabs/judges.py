"""Judges: how far each judge itself can be trusted, measured on real test images."""

from functools import partial

import gradio as gr

from app import classes, figures, markup, matrix, scripts, words
from app.entries import FAVOURITE
from app.links import View
from app.store import Store
from app.tabs import confusion
from app.widgets import QUIET, Tab, among, clickable, guarded, picked, still
from diffusion_core.errors import UserError
from eval.judge import JUDGES as FOLDER
from eval.judge import read_card
from eval.metrics import Estimate

TITLE = "Judges"


# ---------------------------------------------------------------- pure


def judged() -> list[str]:
    """The data sets that there are judges of, the favourite first."""
    found = {path.parent.parent.name for path in FOLDER.glob("*/*/card.json")}
    return sorted(found, key=lambda name: (name != FAVOURITE, name))


def measured(card: dict) -> dict:
    """What a card says of real test images; a text judge's with its default prompts."""
    return card["test"].get("default", card["test"])


def overview(cards: dict[str, dict]) -> str:
    """A row a judge: accuracy, calibration error, the class it reads worst."""
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
                f"{card['class_names'][int(worst)]} ({words.show(per_class[worst]['value'])})",
                f"{accuracy.n:,}",
                (card["architecture"], card["role"]),
            )
        )
    head = ("judge", "accuracy", "calibration error", "reads worst", "n", "what it is")
    return markup.table(head, rows, "The judges on real test images")


def page(store: Store, dataset, judge, cell, number) -> tuple:
    """Table of all judges; figure, classes, matrix and one opened cell of one. `UserError` for a bad choice."""
    cards = _cards(dataset)
    card = _card(cards, judge)
    test, names = measured(card), card["class_names"]
    found = {label: Estimate(**e) for label, e in test["per_class"].items()}
    rows = [(names[int(d)], words.show(e.value), words.show_interval(e), f"{e.n:,}") for d, e in found.items()]
    each = markup.table(("class", "accuracy", "95 % interval", "n"), rows, f"{words.JUDGES[judge]} by class")
    counts, pair = test["confusion"], classes.pair(dataset, test["confusion"])
    cell = matrix.checked_cell(matrix.default_cell(counts, pair) if cell is None else cell, len(names))
    grid = matrix.matrix(counts, names, pair, cell, True, words.the(judge))
    figure = figures.reliability(test["reliability"], words.JUDGES[judge])
    return overview(cards), figure, each, grid, *opened_cell(store, dataset, judge, cell, number)


def opened_cell(store: Store, dataset, judge, cell, number) -> tuple[str, str]:
    """The words about a cell, and one page of the real test images in it."""
    counts = measured(_card(_cards(dataset), judge))["confusion"]
    for entry in store.real_entries(dataset):
        if store.report(entry.key).confusions.get(judge) == counts:
            return confusion.opened_cell(store, entry.key, "real", judge, cell, number)
    return markup.note(confusion.no_real(dataset), "empty"), ""


def known(dataset: str) -> list[tuple[str, str]]:
    """(name, key) of the judges that there are of a data set."""
    return [(words.JUDGES[judge], judge) for judge in _cards(dataset)]


def _cards(dataset) -> dict[str, dict]:
    """The cards of a data set's judges, in the order of the page."""
    if dataset not in judged():
        raise UserError("Choose a data set from what is offered.")
    there = (FOLDER / dataset / judge for judge in words.JUDGES)
    return {folder.name: read_card(folder) for folder in there if (folder / "card.json").is_file()}


def _card(cards: dict[str, dict], judge) -> dict:
    if judge not in tuple(cards):
        raise UserError("Choose one of the judges.")
    return cards[judge]


# ---------------------------------------------------------------- gradio

ABOUT = (
    "Several judges read every image, and none of them is right about all real ones. All learned from the training "
    "images and none chose the settings of a checkpoint. Where judges disagree about an image, look at it: the share "
    "of such images is a score of its own."
)
HOW = (
    "Of the images that a judge is 70 to 80 % sure of, 70 to 80 % should be read rightly: points on the line. Bars are "
    "95 % intervals; where few images lie, they are wide."
)


def build(store: Store) -> Tab:
    """The tab's components and how they are filled."""
    still(markup.note(ABOUT), elem_classes="words")
    sets = judged()
    pairs = [(name, name) for name in sets]
    dataset = gr.Radio(pairs, value=next(iter(sets), None), label="Data set", visible=len(sets) > 1)
    table = still()
    judge = gr.Radio(known(sets[0]) if sets else [], value="classifier", label="Judge")
    with gr.Row(elem_classes="beside"):
        with gr.Column(scale=1, min_width=320):
            figure = gr.Plot(show_label=False, container=False)
            still(markup.note(HOW), elem_classes="words")
        with gr.Column(scale=1, min_width=300):
            each = still(elem_classes="wrapped")
    cell, number = gr.State(None), gr.State(0)
    with gr.Row(elem_classes="beside"):
        with gr.Column(scale=1, min_width=320):
            grid = clickable("", scripts.MATRIX, elem_classes="grid")
        with gr.Column(scale=1, min_width=300):
            about = clickable("", elem_classes="cell-words")
            found = clickable("", scripts.PAGER)

    def select(event: gr.EventData, dataset, judge):
        chosen = picked(event) or ()
        return chosen, 0, *opened_cell(store, dataset, judge, chosen, 0)

    def turn(event: gr.EventData, dataset, judge, cell):
        return picked(event), *opened_cell(store, dataset, judge, cell, picked(event))

    def other(dataset, judge):
        offered = among(known(dataset), judge)
        return offered, None, 0, *page(store, dataset, offered["value"], None, 0)

    tab = Tab(
        [dataset, judge, cell, number],
        [table, figure, each, grid, about, found],
        guarded(store, partial(page, store)),
        partial(opened, store),
    )
    judge.input(tab.show, tab.settings, tab.outputs, **QUIET)
    dataset.input(guarded(store, other), [dataset, judge], [judge, cell, number, *tab.outputs], **QUIET)
    grid.select(guarded(store, select), [dataset, judge], [cell, number, about, found], **QUIET)
    found.select(guarded(store, turn), [dataset, judge, cell], [number, about, found], **QUIET)
    return tab


def opened(store: Store, view: View) -> list:
    """The settings that a link asks for: `a` names a data set, or a checkpoint whose data set is meant."""
    meant = next((entry.dataset for entry in store.checkpoints() if entry.key == view.a), view.a)
    dataset = meant if meant in judged() else next(iter(judged()), None)
    return [dataset, among(known(dataset) if dataset else [], view.judge), None, 0]
