"""What a visitor sets in the Restore tab: the column beside the result."""

from typing import NamedTuple

import gradio as gr

from app import pad_html, paint, sprites
from app.known_classes import known_classes
from app.restoration import MAX_CANDIDATES, real_image
from app.restore_request import HAND, MAX_STEPS, MAX_TRAVEL, SOURCES, UNKNOWN
from app.store import Store
from app.widgets import clickable, first, picker
from diffusion_core import data
from diffusion_core.damage import KINDS
from diffusion_core.restore import METHODS, RestoreConfig

DIGIT, KIND, COUNT = 8, "box", 8  # shown first: of MNIST a five, its middle gone
METHOD_NAMES = {"pigdm": "Guided by the pseudo-inverse (ΠGDM)", "ddnm": "Null space, no gradient (DDNM, DDRM)"}


class Controls(NamedTuple):
    """What a visitor sets, in the order in which `run` takes it."""

    key: gr.Dropdown
    source: gr.Radio
    index: gr.Number
    drawing: gr.HTML
    file: gr.File
    already: gr.Checkbox
    kind: gr.Dropdown
    severity: gr.Dropdown
    mask: gr.Textbox
    label: gr.Dropdown
    count: gr.Slider
    seed: gr.Number
    method: gr.Dropdown
    steps: gr.Slider
    travel: gr.Slider


class Parts(NamedTuple):
    """What shows and hides, and what is pressed."""

    test: gr.Row
    dice: gr.Button
    upload: gr.Column
    over: gr.HTML
    go: gr.Button
    stop: gr.Button


def controls(store: Store) -> tuple[Controls, Parts]:
    """The column beside the result."""
    source = gr.Radio([(words, name) for name, words in SOURCES.items()], value="test", label="Image", elem_id="whence")
    with gr.Row(elem_classes="seed-row") as test:
        index = gr.Number(value=DIGIT, precision=0, label="Number of the test image", min_width=120)
        dice = gr.Button("Another", size="md", min_width=100, scale=0)
    form = {"html_template": pad_html.pad(), "js_on_load": pad_html.SCRIPT, "apply_default_css": False}
    drawing = gr.HTML("", elem_id="drawing", visible=False, **form)
    with gr.Column(visible=False) as upload:
        file = gr.File(label="As large as the data set's; digits white on black", file_types=["image"], height=110)
        already = gr.Checkbox(label="It is damaged already, in the way below", value=False)
    kinds = [(kind.title, name) for name, kind in KINDS.items()]
    kind = gr.Dropdown([*kinds, ("Paint what is missing", HAND)], value=KIND, label="Damage", filterable=False)
    severity = gr.Dropdown(degrees(KIND), value=KINDS[KIND].middle, label="How bad", filterable=False)
    field = clickable(over(under(store)), paint.SCRIPT, elem_id="paint", visible=False)
    label = gr.Dropdown(
        labels(store, first(store.checkpoints())), value=UNKNOWN, label="Which is it?", filterable=False
    )
    with gr.Row(elem_classes="go-row"):
        go = gr.Button("Restore", variant="primary", elem_id="restore-go")
        stop = gr.Button("Stop", variant="stop", visible=False, elem_id="restore-stop")
    key = picker(store.checkpoints(), "Checkpoint")
    with gr.Accordion("Advanced", open=False):
        own = RestoreConfig()
        count = gr.Slider(1, MAX_CANDIDATES, value=COUNT, step=1, label="Candidates")
        seed = gr.Number(value=0, precision=0, label="Seed", min_width=120)
        methods = [(METHOD_NAMES[name], name) for name in METHODS]
        method = gr.Dropdown(methods, value=own.method, label="Method", filterable=False)
        steps = gr.Slider(1, MAX_STEPS, value=own.steps, step=1, label="Steps")
        told = "each step is taken so often, with noise put back in between"
        travel = gr.Slider(1, MAX_TRAVEL, value=own.travel, step=1, label="Time travel", info=told)
    mask = gr.Textbox(visible=False)
    asked = Controls(
        key, source, index, drawing, file, already, kind, severity, mask, label, count, seed, method, steps, travel
    )
    return asked, Parts(test, dice, upload, field, go, stop)


def labels(store: Store, key) -> list[tuple[str, str]]:
    """What an image may be said to show, for a picker: each class of a checkpoint's data set, or that nobody knows."""
    return [("Not known: find out", UNKNOWN), *known_classes(store, key)]


def under(store: Store) -> str:
    """The image that is shown first, as a data: URI; "" where the data set's images are not here."""
    key = first(store.checkpoints())
    dataset = store.meta(key).dataset if key else "mnist"
    return sprites.thumbnails(real_image(DIGIT, dataset)[0])[0] if data.present(dataset) else ""


def over(shown: str) -> str:
    """The field to paint on, over the image that is the data: URI `shown`."""
    return paint.canvas("What is missing, painted over the image", "Paint here", shown)


def severities(kind) -> dict:
    """The severities of a kind for a picker: the middle one is chosen, and there are none where one paints."""
    if kind not in KINDS:
        return gr.update(visible=False)
    return gr.update(choices=degrees(kind), value=KINDS[kind].middle, visible=True)


def degrees(kind: str) -> list[tuple[str, float]]:
    """The severities of a kind in words, and as numbers."""
    return [(KINDS[kind].say.format(value), value) for value in KINDS[kind].severities]
