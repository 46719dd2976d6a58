"""Restore: a damaged digit, several ways it may have been, where they differ, and which digit it is."""

import time
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import gradio as gr

from app import links, markup, pad_html, paint, restored_view, sprites
from app.bring import uploaded
from app.links import View
from app.request import MAX_SEED, whole
from app.restoration import MAX_CANDIDATES, candidates, picture, real_digit, which
from app.restore_request import HAND, MAX_STEPS, MAX_TRAVEL, SOURCES, UNKNOWN, case
from app.restored_work import METRICS, figure, table
from app.store import Store, usable
from app.widgets import LANE, QUIET, Tab, choices, choose, clickable, first, guarded, picker, still
from app.zerogpu import on_gpu
from diffusion_core.damage import KINDS
from diffusion_core.data import spec
from diffusion_core.errors import UserError
from diffusion_core.restore import METHODS, RestoreConfig

TITLE = "Restore"
DEADLINE = 120.0  # seconds one request may compute
DIGIT, KIND, COUNT = 8, "box", 8  # shown first: a five, its middle gone
METHOD_NAMES = {"pigdm": "Guided by the pseudo-inverse (ΠGDM)", "ddnm": "Null space, no gradient (DDNM, DDRM)"}
WHAT = (
    "Damage a digit, and the model fills in what is missing: several ways it may have been, each of which agrees with "
    "what is left. Where they differ, nobody can know."
)
MEASURED = (
    "1,000 real test digits, damaged in each way and restored without their labels. A digit is the same if the "
    "classifier reads in the restored image what it read in the original. Beside the model: what is left, a median "
    "filter, the usual method for each kind (OpenCV's inpainting and non-local means, bicubic enlarging, "
    "Richardson-Lucy), the same network before any training, and the best there is of linear methods, a Gaussian with "
    "the covariance of the training digits."
)


# ---------------------------------------------------------------- pure


def run(store: Store, key, source, index, drawing, file, *rest) -> Iterator[tuple[str, str]]:
    """(the restoration as HTML, the link) again and again: every step, then the verdicts."""
    checkpoint, start = store.checkpoint(key), time.monotonic()
    asked = case(checkpoint.spec, source, index, drawing, uploaded(file), *rest)
    for step, images in enumerate(candidates(checkpoint, asked)):
        if time.monotonic() - start > DEADLINE:
            raise UserError(f"This took more than {DEADLINE:.0f} seconds and was stopped. Ask for fewer steps.")
        yield restored_view.running(asked, checkpoint.spec, images, step), ""
    likely = None if asked.label is not None else which(checkpoint, images, asked.seed)
    before, after = store.judges.read(picture(asked, checkpoint.spec)), store.judges.read(images)
    shown = restored_view.finished(asked, checkpoint.spec, images, before, after, likely)
    yield shown, link(key, source, index, *rest)


def opening(store: Store, *settings) -> tuple[str, str]:
    """The finished restoration alone, as the tab shows it when it is opened."""
    if not usable(store.checkpoints()):
        return markup.note("There is no checkpoint yet. Train one: python -m app train --minutes 5", "empty"), ""
    if settings[1] != "test" or settings[6] == HAND:
        return markup.note("Press Restore.", "empty"), ""
    *_, last = run(store, *settings)
    return last


def link(key, source, index, already, kind, severity, mask, label, count, seed, *_) -> str:
    """The address of this view; what a visitor drew or uploaded stays with the visitor."""
    if source != "test" or kind == HAND:
        return ""
    said = None if label == UNKNOWN else (int(label),)
    view = links.write(
        tab="restore", a=key, real=int(index), damage=f"{kind}:{severity:g}", digits=said, n=int(count), seed=int(seed)
    )
    return markup.link_button(view)


def severities(kind) -> dict:
    """The severities of a kind for a picker: the middle one is chosen, and there are none where one paints."""
    if kind not in KINDS:
        return gr.update(visible=False)
    found = KINDS[kind]
    offered = [(found.say.format(value), value) for value in found.severities]
    return gr.update(choices=offered, value=found.severities[len(offered) // 2], visible=True)


def ground(store: Store, key, source, index) -> str:
    """The pad on which a visitor paints what is missing: over the test digit where that is what is restored."""
    under = ""
    if source == "test":
        form = spec("mnist") if not key else store.checkpoint(key).spec
        image, _ = real_digit(whole(index, "The number of the test digit", 0, 10**6), form.name)
        under = sprites.thumbnails(image)[0]
    return paint.canvas("What is missing, painted over the digit", "Paint here", under)


# ---------------------------------------------------------------- gradio


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
    default = KINDS[KIND]
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
    offered = [(default.say.format(value), value) for value in default.severities]
    severity = gr.Dropdown(offered, value=default.severities[1], label="How bad", filterable=False)
    over = clickable("", paint.SCRIPT, elem_id="paint", visible=False)
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
    return asked, Parts(test, dice, upload, over, go, stop)


def works(store: Store, key, metric) -> tuple[gr.Plot, str]:
    """The figure and the table of what was measured for a checkpoint; words where nothing was."""
    if metric not in METRICS:
        raise UserError("Choose one of the measures on offer.")
    lines = store.restorations(key) if key in [entry.key for entry in usable(store.checkpoints())] else ()
    if not lines:
        return gr.Plot(visible=False), markup.note("Not measured for this checkpoint: python -m benchmarks.restore")
    return gr.Plot(figure(lines, metric), visible=True), table(lines, metric)


def measured(store: Store, key: gr.Dropdown) -> None:
    """How well it works, folded away; filled when somebody looks."""
    with gr.Accordion("How well does it work?", open=False, elem_id="restored-work") as fold:
        still(markup.note(MEASURED))
        offered = [(words, name) for name, words in METRICS.items()]
        metric = gr.Radio(offered, value="kept", label="Measure", elem_classes="lone")
        plot = gr.Plot(show_label=False, container=False)
        numbers = still()
    show = guarded(store, partial(works, store))
    gr.on([fold.expand, metric.input, key.change], show, [key, metric], [plot, numbers], **QUIET)


def build(store: Store) -> Tab:
    """The tab's components and how they are filled."""
    still(markup.note(WHAT), elem_classes="words")
    with gr.Row(elem_classes="bench"):
        with gr.Column(scale=0, min_width=300):
            asked, parts = controls(store)
        with gr.Column(scale=1, min_width=320):
            show = still(elem_id="restored")
            take = clickable("", elem_classes="words")
            measured(store, asked.key)
    settings = list(asked)
    tab = Tab(
        settings, [show, take], on_gpu(guarded(store, partial(opening, store))), partial(opened, store), heavy=True
    )

    def whence(source):
        return [gr.update(visible=source == name) for name in ("test", "draw", "file")]

    below = [asked.key, asked.source, asked.index]
    on_paper = guarded(store, partial(ground, store))
    asked.source.change(whence, [asked.source], [parts.test, asked.drawing, parts.upload], **QUIET)
    asked.kind.change(severities, [asked.kind], [asked.severity], **QUIET)
    asked.kind.change(lambda kind: gr.update(visible=kind == HAND), [asked.kind], [parts.over], **QUIET)
    for control in (asked.kind, asked.source, asked.index):
        control.change(on_paper, below, [parts.over], **QUIET)
    parts.dice.click(None, None, asked.index, js="() => Math.floor(Math.random() * 10000)", **QUIET)

    def occupied():
        return gr.Button(visible=False), gr.Button(visible=True)

    def ready():
        return gr.Button(visible=True), gr.Button(visible=False)

    buttons = [parts.go, parts.stop]
    painted = paint.reading(Controls._fields.index("mask"), "paint")
    restored = on_gpu(guarded(store, partial(run, store)))
    busy = parts.go.click(occupied, None, buttons, queue=False, **QUIET)
    running = busy.then(restored, settings, tab.outputs, js=painted, **LANE, **QUIET)
    running.then(ready, None, buttons, queue=False, **QUIET)
    running.failure(ready, None, buttons, queue=False, **QUIET)

    def stopped():
        return *ready(), markup.note("Stopped. Press Restore to begin again.", "empty")

    parts.stop.click(stopped, None, [*buttons, show], queue=False, cancels=[running], **QUIET)
    return tab


def opened(store: Store, view: View) -> list:
    """The settings that a link asks for."""
    entries = store.checkpoints()
    if view == View():
        return [gr.update(choices=choices(entries)), *[gr.skip()] * (len(Controls._fields) - 1)]
    known = [entry.key for entry in usable(entries)]
    key = view.a if view.a in known else first(entries)
    kind, _, severity = (view.damage or "").partition(":")
    kind = kind if kind in KINDS else KIND
    found = severities(kind)
    if severity in [f"{value:g}" for value in KINDS[kind].severities]:
        found["value"] = float(severity)
    label = str(view.digits[0]) if view.digits and len(view.digits) == 1 and view.digits[0] < 10 else UNKNOWN
    real = view.real if view.real is not None and view.real < 10_000 else DIGIT
    count = view.n if view.n and view.n <= MAX_CANDIDATES else COUNT
    seed = view.seed if view.seed is not None and view.seed <= MAX_SEED else 0
    own = RestoreConfig()
    rest = ["", None, False, kind, found, "", label, count, seed, own.method, own.steps, own.travel]
    return [choose(entries, key), "test", real, *rest]
