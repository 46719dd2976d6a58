"""Restore: a damaged image, several ways it may have been, where they differ, and which class it is."""

import time
from collections.abc import Iterator
from functools import partial

import gradio as gr

from app import markup, paint, restored_view, scripts, sprites
from app.bring import uploaded
from app.entries import usable
from app.known_classes import known_classes
from app.links import View
from app.request import MAX_SEED
from app.restoration import MAX_CANDIDATES, candidates, picture, which
from app.restore_controls import COUNT, DIGIT, KIND, Controls, controls, labels, over, severities
from app.restore_request import HAND, SOURCES, UNKNOWN, case, whole_image
from app.restored_take import Named, taken
from app.restored_work import METRICS, changed, figure, table
from app.store import Store
from app.widgets import LANE, QUIET, Tab, choices, choose, clickable, first, guarded, still
from app.zerogpu import on_gpu
from diffusion_core.damage import KINDS
from diffusion_core.errors import UserError
from diffusion_core.restore import RestoreConfig

TITLE = "Restore"
DEADLINE = 120.0  # seconds one request may compute
WHAT = (
    "Damage an image, and the model fills in what is missing: several ways it may have been, each of which agrees with "
    "what is left. Where they differ, nobody can know."
)
MEASURED = (
    "1,000 real test images, damaged in each way and restored without their labels. A class is the same if the "
    "classifier reads in the restored image what it read in the original. Beside the model: what is left, a median "
    "filter, the usual method for each kind (OpenCV's inpainting and non-local means, bicubic enlarging, "
    "Richardson-Lucy), the same network before any training, and the best there is of linear methods, a Gaussian with "
    "the covariance of the training images."
)


# ---------------------------------------------------------------- pure


def run(store: Store, key, source, index, drawing, file, already, kind, severity, *rest) -> Iterator[tuple[str, str]]:
    """(the restoration as HTML, what to take away) again and again: every step, then the verdicts."""
    checkpoint, start = store.checkpoint(key), time.monotonic()
    asked = case(checkpoint.spec, source, index, drawing, uploaded(file), already, kind, severity, *rest)
    for step, images in enumerate(candidates(checkpoint, asked)):
        if time.monotonic() - start > DEADLINE:
            raise UserError(f"This took more than {DEADLINE:.0f} seconds and was stopped. Ask for fewer steps.")
        yield restored_view.running(asked, checkpoint.spec, images, step, f"{start:.6f}"), ""
    likely = None if asked.label is not None else which(checkpoint, images, asked.seed)
    before, after = [
        store.judges.read(seen, checkpoint.spec.name) for seen in (picture(asked, checkpoint.spec), images)
    ]
    shown = restored_view.finished(asked, checkpoint.spec, images, before, after, likely)
    named = Named(key, int(index), f"{kind}:{severity:g}") if source == "test" and kind != HAND else None
    yield shown, taken(asked, images, named)


def opening(store: Store, key, source, index, drawing, file, already, kind, *rest) -> tuple[str, str]:
    """The finished restoration alone, as the tab shows it when it is opened."""
    if not usable(store.checkpoints()):
        return markup.note("There is no checkpoint yet. Train one: python -m app train --minutes 5", "empty"), ""
    if source != "test" or kind == HAND:
        return markup.note("Press Restore.", "empty"), ""
    try:
        *_, last = run(store, key, source, index, drawing, file, already, kind, *rest)
    except UserError as error:  # nobody pressed a button: it stays where the images would be
        return markup.note(store.explain(error), "problem"), ""
    return last


def ground(store: Store, key, source, index, drawing, file) -> str:
    """What a visitor paints on what is missing: the image as far as there is one, else an empty field."""
    try:
        whole = whole_image(store.checkpoint(key).spec, source, index, drawing, uploaded(file))
        under = sprites.thumbnails(whole)[0]
    except UserError:  # told when it is to be restored
        under = ""
    return over(under)


# ---------------------------------------------------------------- gradio


def works(store: Store, key, metric) -> tuple[gr.Plot, str]:
    """The figure and the table of what was measured for a checkpoint; words where nothing was."""
    if metric not in METRICS:
        raise UserError("Choose one of the measures on offer.")
    lines = store.restorations(key) if key in [entry.key for entry in usable(store.checkpoints())] else ()
    if not lines:
        return gr.Plot(visible=False), markup.note("Not measured for this checkpoint: python -m benchmarks.restore")
    names = [name for name, _ in known_classes(store, key)]
    became = f"<h2>What became of the images</h2>{changed(lines, names)}" if metric == "kept" else ""
    return gr.Plot(figure(lines, metric), visible=True), table(lines, metric) + became


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
            show = clickable("", scripts.HALT, elem_id="restored")
            take = clickable("", elem_classes="words")
            measured(store, asked.key)
    settings = list(asked)
    tab = Tab(
        settings, [show, take], on_gpu(guarded(store, partial(opening, store))), partial(opened, store), heavy=True
    )

    def whence(source):
        return [gr.update(visible=source == name) for name in SOURCES]

    def chosen(kind):
        return severities(kind), gr.update(visible=kind == HAND)

    def of_its_data(key):
        return gr.update(choices=labels(store, key), value=UNKNOWN)

    asked.key.input(guarded(store, of_its_data), [asked.key], [asked.label], **QUIET)  # a link says its own label
    below = [asked.key, asked.source, asked.index, asked.drawing, asked.file]
    on_paper = guarded(store, partial(ground, store))
    asked.source.change(whence, [asked.source], [parts.test, asked.drawing, parts.upload], **QUIET)
    asked.kind.input(chosen, [asked.kind], [asked.severity, parts.over], **QUIET)  # a link says its own severity
    events = [part.change for part in (asked.key, asked.source, asked.index, asked.file)]
    gr.on([*events, asked.drawing.input], on_paper, below, [parts.over], **QUIET)
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
    # One of the two, for a cancelled run the second: before that Restore would be pressed in vain.
    running.success(ready, None, buttons, queue=False, **QUIET)
    running.failure(ready, None, buttons, queue=False, **QUIET)
    parts.stop.click(None, cancels=[running], js=scripts.stop("restored"), **QUIET)
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
    offered = labels(store, key)
    said = str(view.digits[0]) if view.digits and len(view.digits) == 1 else UNKNOWN
    label = gr.update(choices=offered, value=said if said in dict(offered).values() else UNKNOWN)
    real = view.real if view.real is not None and view.real < 10_000 else DIGIT
    count = view.n if view.n and view.n <= MAX_CANDIDATES else COUNT
    seed = view.seed if view.seed is not None and view.seed <= MAX_SEED else 0
    own = RestoreConfig()
    rest = ["", None, False, kind, found, "", label, count, seed, own.method, own.steps, own.travel]
    return [choose(entries, key), "test", real, *rest]
