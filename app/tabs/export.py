"""Export: a synthetic data set, filtered, with its card, to take away."""

import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import gradio as gr

from app import export_view, markup, scripts
from app.entries import usable
from app.export_command import weights
from app.export_folder import RECORD, read_json, zipped
from app.exporting import CARD, Job, export
from app.links import View
from app.request import amount, whole
from app.store import Store
from app.widgets import LANE, QUIET, Tab, choices, choose, clickable, first, guarded, picker, still
from app.zerogpu import on_gpu
from diffusion_core.errors import UserError
from eval.filters import FILTERS
from eval.sources import CheckpointSource
from eval.synthesis import MAX_SEED, Request
from eval.writers import FORMATS

TITLE = "Export"
COUNT, MAX_COUNT = 200, 2000
DEADLINE = 120.0  # seconds one request may compute
ROUND = 96  # candidates between two looks at Stop
LONGEST = 200  # characters of a balance
SLIDERS = {"confidence": (1, 0.01), "clip_margin": (0.6, 0.02), "from_training": (1.5, 0.05), "diversity": (1.5, 0.05)}
BALANCES = [("Equal", "equal"), ("As in the training data", "data"), ("Three of class 5 to one of 6", "5=3,6=1")]


# ---------------------------------------------------------------- pure


def job(store: Store, key, count, balance, form, seed, *least) -> Job:
    """What a visitor asks for; a filter at 0 is none. `UserError` for a bad value."""
    count = whole(count, "The count", 1, MAX_COUNT)
    seed = whole(seed, "The seed", 0, MAX_SEED)
    if not isinstance(balance, str) or len(balance) > LONGEST:
        raise UserError("The balance is equal, data, or parts such as 0=10,1=20.")
    found = {}
    for (name, (most, _)), value in zip(SLIDERS.items(), least, strict=True):
        if amount(value, FILTERS[name].title, 0, most):
            found[name] = value
    source = CheckpointSource(store.checkpoint(key))
    return Job(source, Request(count, weights(balance, source.info.dataset), seed, found), form).validate()


def run(store: Store, key, count, balance, form, seed, *least) -> Iterator[str]:
    """HTML again and again: how far it is, then the finished set."""
    asked = job(store, key, count, balance, form, seed, *least)
    sight, start = export_view.Sight(tuple(asked.request.filters), asked.source.checkpoint.spec), time.monotonic()
    yield markup.progress(0, 1, "loading …", f"{start:.6f}")
    with tempfile.TemporaryDirectory() as folder:
        out, since = Path(folder) / "set", {}
        for state in export(asked, out, ROUND):
            now = time.monotonic()
            if now - start > DEADLINE:
                raise UserError(
                    f"This took more than {DEADLINE:.0f} seconds and was stopped. Ask for fewer images, or lower the "
                    "filters; the command line has no such limit."
                )
            sight.see(state)
            yield export_view.running(state, sight, now - since.setdefault(state.stage, now), f"{start:.6f}")
        made = export_view.Finished(asked, read_json(out / RECORD), (out / CARD).read_text("utf-8"), zipped(out))
    yield export_view.finished(made, sight)


def opening(store: Store, key, count, *_settings) -> str:
    """What stands there before anything was drawn."""
    if not usable(store.checkpoints()):
        return markup.note("There is no checkpoint yet. Train one: python -m app train --minutes 5", "empty")
    return markup.note(READY, "empty")


# ---------------------------------------------------------------- gradio

WHAT = (
    "A data set that the model draws: as many images as you ask for after filtering, with a card that says what was "
    f"left out and why. Here at most {MAX_COUNT:,}; the command below the result makes 60,000."
)
READY = "Press Export: what is drawn, and what the filters leave out, appears here."
ENDED = "Nothing of it was kept. Press Export to start again."


def build(store: Store) -> Tab:
    """The tab's components and how they are filled."""
    with gr.Row(elem_classes="bench"):
        with gr.Column(scale=0, min_width=300):
            settings, go, stop = controls(store)
        with gr.Column(scale=1, min_width=320):
            still(markup.note(WHAT))
            show = clickable("", scripts.HALT + scripts.COPY, elem_id="export")
    tab = Tab(settings, [show], guarded(store, partial(opening, store)), partial(opened, store))

    def occupied(*asked):
        job(store, *asked)  # a mistake is told here, before anything waits
        return gr.Button(visible=False), gr.Button(visible=True), markup.progress(0, 1, "waiting …")

    def ready():
        return gr.Button(visible=True), gr.Button(visible=False)

    def ended():  # stopped; or it failed, and the reason is told as a notice
        return *ready(), markup.note(ENDED, "empty")

    make = on_gpu(guarded(store, partial(run, store)))
    busy = go.click(guarded(store, occupied), settings, [go, stop, show], **QUIET)
    running = busy.success(make, settings, show, **LANE, **QUIET)
    running.success(ready, None, [go, stop], queue=False, **QUIET)
    running.failure(ended, None, [go, stop, show], queue=False, **QUIET)
    # A cancelled run is a failed one, whose end brings Export back: before that it would be pressed in vain.
    stop.click(None, cancels=[running], js=scripts.stop("export"), **QUIET)
    return tab


def controls(store: Store) -> tuple[list, gr.Button, gr.Button]:
    """(settings in the order of `job`, the button that starts, the button that stops); the filters are folded away."""
    key = picker(store.checkpoints(), "Checkpoint")
    count = gr.Number(value=COUNT, precision=0, label="How many images", info=f"at most {MAX_COUNT:,}")
    told = "or parts, such as 0=10,1=20"
    balance = gr.Dropdown(BALANCES, value="equal", label="Balance", info=told, allow_custom_value=True)
    formats = [(form.title, name) for name, form in FORMATS.items()]
    form = gr.Dropdown(formats, value="parquet", label="Format", filterable=False)
    seed = gr.Number(value=0, precision=0, label="First seed")
    with gr.Accordion("Filters", open=False):
        sliders = [
            gr.Slider(0, most, value=0, step=step, label=FILTERS[name].title, info=f"{FILTERS[name].words} 0: off.")
            for name, (most, step) in SLIDERS.items()
        ]
    with gr.Row(elem_classes="go-row"):
        go = gr.Button("Export", variant="primary", elem_id="export-go")
        stop = gr.Button("Stop", variant="stop", visible=False, elem_id="export-stop")
    return [key, count, balance, form, seed, *sliders], go, stop


def opened(store: Store, view: View) -> list:
    """The settings that a link asks for."""
    if view == View():
        return [gr.update(choices=choices(store.checkpoints())), *[gr.skip()] * (4 + len(SLIDERS))]
    known = [entry.key for entry in usable(store.checkpoints())]
    name = (view.a or "").split("/")[0]
    key = name if name in known else first(store.checkpoints())
    ours = view.tab == "export"  # the count of another tab is one of each class
    count = view.n if ours and view.n and view.n <= MAX_COUNT else COUNT
    seed = view.seed if ours and view.seed is not None and view.seed <= MAX_SEED else 0
    return [choose(store.checkpoints(), key), count, "equal", "parquet", seed, *[0] * len(SLIDERS)]
