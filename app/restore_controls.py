"""What a visitor sets in the Restore tab: the column beside the result."""

from typing import NamedTuple

import gradio as gr

from app import pad_html, paint, sprites
from app.restoration import MAX_CANDIDATES, real_digit
from app.restore_request import HAND, MAX_STEPS, MAX_TRAVEL, SOURCES, UNKNOWN
from app.store import Store
from app.widgets import clickable, picker
from diffusion_core.damage import KINDS
from diffusion_core.restore import METHODS, RestoreConfig

DIGIT, KIND, COUNT = 8, "box", 8  # shown first: a five, its middle gone
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
    source = gr.Radio([(words, name) for name, words in SOURCES.items()], value="test", label="Digit", elem_id="whence")
    with gr.Row(elem_classes="seed-row") as test:
        index = gr.Number(value=DIGIT, precision=0, label="Number of the test digit", min_width=120)
        dice = gr.Button("Another", size="md", min_width=100, scale=0)
    form = {"html_template": pad_html.pad(), "js_on_load": pad_html.SCRIPT, "apply_default_css": False}
    drawing = gr.HTML("", elem_id="drawing", visible=False, **form)
    with gr.Column(visible=False) as upload:
        file = gr.File(label="28x28 pixels, white on black", file_types=["image"], height=110)
        already = gr.Checkbox(label="It is damaged already, in the way below", value=False)
    kinds = [(kind.title, name) for name, kind in KINDS.items()]
    kind = gr.Dropdown([*kinds, ("Paint what is missing", HAND)], value=KIND, label="Damage", filterable=False)
    severity = gr.Dropdown(degrees(KIND), value=KINDS[KIND].middle, label="How bad", filterable=False)
    first = sprites.thumbnails(real_digit(DIGIT, "mnist")[0])[0]
    field = clickable(over(first), paint.SCRIPT, elem_id="paint", visible=False)
    digits = [("Not known: find out", UNKNOWN), *[(str(d), str(d)) for d in range(10)]]
    label = gr.Dropdown(digits, value=UNKNOWN, label="Which digit is it?", filterable=False)
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


def over(under: str) -> str:
    """The field to paint on, over the digit that is the data: URI `under`."""
    return paint.canvas("What is missing, painted over the digit", "Paint here", under)


def severities(kind) -> dict:
    """The severities of a kind for a picker: the middle one is chosen, and there are none where one paints."""
    if kind not in KINDS:
        return gr.update(visible=False)
    return gr.update(choices=degrees(kind), value=KINDS[kind].middle, visible=True)


def degrees(kind: str) -> list[tuple[str, float]]:
    """The severities of a kind in words, and as numbers."""
    return [(KINDS[kind].say.format(value), value) for value in KINDS[kind].severities]
