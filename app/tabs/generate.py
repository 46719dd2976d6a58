"""Generate: draw images, watch them form, and read what the judges make of each."""

import time
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import gradio as gr
import numpy as np
from torch import Tensor

from app import markup, qualities, scripts, stage
from app.digit import made_with, more_like, opened_card
from app.entries import usable
from app.judging import readers
from app.known_classes import known_classes, writes
from app.links import View
from app.request import MAX_CLIP, MAX_COUNT, MAX_GUIDANCE, MAX_SEED, MAX_STEPS, request
from app.sampling import lead_of
from app.store import Store
from app.takeaway import takeaway
from app.verdicts import verdicts
from app.widgets import LANE, QUIET, Tab, choices, choose, clickable, first, guarded, picked, picker
from app.words import plural
from app.zerogpu import on_gpu
from diffusion_core.config import SampleConfig, to_dict
from diffusion_core.data import spec
from diffusion_core.errors import UserError
from diffusion_core.generate import stream
from diffusion_core.noise import MAX_WRITTEN
from diffusion_core.samplers import SAMPLERS

TITLE = "Generate"
DEADLINE = 120.0  # seconds one request may compute
SAMPLER_NAMES = {
    "dpmpp2m": "DPM-Solver++ (2M)",
    "ipndm": "iPNDM, fourth order",
    "unipc": "UniPC, second order",
    "heun": "Heun, second order",
    "euler": "Euler (DDIM)",
    "ancestral": "Ancestral (DDPM)",
    "consistency": "Consistency (for students)",
}


# ---------------------------------------------------------------- pure


def run(store: Store, key, classes, count, seed, sampler, steps, guidance, number="", clip=0) -> Iterator:
    """(stage, take-away) again and again: every step of the denoising, then the verdicts."""
    checkpoint = store.checkpoint(key)
    meta, data = checkpoint.meta, checkpoint.spec
    labels, seeds, config, clip = request(classes, count, seed, sampler, steps, guidance, meta, number, clip)
    written = bool(number)
    frames, start = [], time.monotonic()
    for frame in stream(checkpoint, labels, seeds, config, lead=lead_of(clip, data.name)):
        if time.monotonic() - start > DEADLINE:
            raise UserError(
                f"This took more than {DEADLINE:.0f} seconds and was stopped. Ask for fewer images or steps."
            )
        frames.append((frame.denoised, frame.noisy, frame.sigma))
        if frame.i < frame.total:
            text = f"step {frame.i + 1} of {frame.total} · noise {frame.sigma:.2f}"
            yield stage.running(data, labels, seeds, frame, text, f"{start:.6f}", written), ""
    images, made = frames[-1][1], made_with(key, config, clip)
    take = takeaway(key, data, labels, seeds, config, clip, images, int(seed), written, [frame[0] for frame in frames])
    reading = len(readers(data.name))
    yield stage.finished(data, labels, seeds, frames, verdicts({}, labels.numpy()), reading, made, written), take
    if clip:
        take = markup.note(f"CLIP led these {data.nouns}: what it reads in them is no evidence.") + take
    for columns, problems in store.judges.verdicts(images, labels, data.name):
        told = "".join(markup.note(line, "problem") for line in problems)
        said = verdicts(columns, labels.numpy(), data.class_names)
        waiting = reading - len(problems) - len(said[0])
        yield stage.finished(data, labels, seeds, frames, said, waiting, made, written), told + take


def opening(store: Store, key, classes, count, seed, sampler, steps, guidance, number="", clip=0) -> tuple[str, str]:
    """What the stage shows before anything was drawn: the very same images, if a shipped report has them."""
    if not usable(store.checkpoints()):
        return markup.note("There is no checkpoint yet. Train one: python -m app train --minutes 5", "empty"), ""
    meta, data = store.meta(key), spec(store.meta(key).dataset)
    labels, seeds, config, clip = request(classes, count, seed, sampler, steps, guidance, meta, number, clip)
    written = bool(number)
    for entry in store.reports():
        if clip or entry.problem or entry.key.split("/")[0] != key:
            continue
        report = store.report(entry.key)
        if report.source.sha256 != meta.sha256 or report.source.sample != to_dict(config):
            continue
        rows = rows_of(report, labels, seeds)
        if rows is not None:
            images = report.images[rows]
            said = verdicts(report.table.iloc[rows], labels.numpy(), data.class_names)
            frames = [(images, images, 0.0)]
            told = markup.note("Drawn earlier with these very settings. Press Generate to watch them form.")
            shown = stage.finished(
                data, labels, seeds, frames, said, made=made_with(key, config, clip), written=written
            )
            return shown, told + takeaway(key, data, labels, seeds, config, clip, images, int(seed), written)
    return markup.note(f"Press Generate to draw {plural(len(labels), data.noun)}.", "empty"), ""


def rows_of(report, labels: Tensor, seeds: Tensor) -> np.ndarray | None:
    """The rows of the report's table with these labels and seeds, in this order; None unless all are there."""
    names = {name: i for i, name in enumerate(zip(report.table["label"], report.table["seed"], strict=True))}
    rows = [names.get(name) for name in zip(labels.tolist(), seeds.tolist(), strict=True)]
    return None if None in rows else np.array(rows)


def recommended(store: Store, key) -> tuple[str, int, float]:
    """Sampler, steps and guidance that a checkpoint recommends; the general ones where there is none."""
    config = store.meta(key).sample if key else SampleConfig()
    return config.sampler, config.steps, config.guidance


def ready_made(store: Store, key) -> list[tuple[str, str]]:
    """The ready-made settings of a checkpoint for a picker; none where there is no checkpoint."""
    if not key:
        return []
    meta = store.meta(key)
    return qualities.choices(meta.sample, meta.distill is not None)


def made_ready(store: Store, key, quality) -> tuple[int, float]:
    """Steps and guidance of one of them. `UserError` for another."""
    meta = store.meta(key)
    for found in qualities.qualities(meta.sample, meta.distill is not None):
        if found.key == quality:
            return found.steps, found.guidance
    raise UserError("Choose one of the qualities on offer.")


# ---------------------------------------------------------------- gradio


class Controls(NamedTuple):
    """What a visitor sets and presses."""

    classes: gr.CheckboxGroup
    number: gr.Textbox
    count: gr.Slider
    seed: gr.Number
    dice: gr.Button
    go: gr.Button
    stop: gr.Button
    checkpoint: gr.Dropdown
    how: gr.Dropdown
    sampler: gr.Dropdown
    steps: gr.Slider
    guidance: gr.Slider
    clip: gr.Slider


def controls(store: Store) -> Controls:
    """The column beside the stage; what few need is folded away."""
    entries = store.checkpoints()
    key = first(entries)
    sampler_now, steps_now, guidance_now = recommended(store, key)
    known = known_classes(store, key)
    every = [label for _, label in known]
    classes = gr.CheckboxGroup(known, value=every, label="Classes", elem_classes="digits", show_select_all=True)
    told, there = "… or a number to write", writes(store, key)
    number = gr.Textbox(label=told, placeholder="2026", max_length=MAX_WRITTEN, visible=there)
    count = gr.Slider(1, MAX_COUNT, value=1, step=1, label="How many of each")
    with gr.Row(elem_classes="seed-row"):
        seed = gr.Number(value=0, precision=0, label="Seed", min_width=120)
        dice = gr.Button("Randomise", size="md", min_width=110, scale=0)
    with gr.Row(elem_classes="go-row"):
        go = gr.Button("Generate", variant="primary", elem_id="go")
        stop = gr.Button("Stop", variant="stop", visible=False, elem_id="stop")
    checkpoint = picker(entries, "Checkpoint")
    offered, own = ready_made(store, key), qualities.RECOMMENDED if key else None
    how = gr.Dropdown(offered, value=own, label="Quality", filterable=False, elem_id="how")
    with gr.Accordion("Advanced", open=False):
        names = [(SAMPLER_NAMES.get(name, name), name) for name in SAMPLERS]
        sampler = gr.Dropdown(names, value=sampler_now, label="Sampler", filterable=False)
        steps = gr.Slider(1, MAX_STEPS, value=steps_now, step=1, label="Steps")
        told = "1 = none, 0 = ignore the label"
        guidance = gr.Slider(0, MAX_GUIDANCE, value=guidance_now, step=0.05, label="Guidance", info=told)
        told = "0 = none; leads images to what CLIP reads as asked, and takes about four times as long"
        clip = gr.Slider(0, MAX_CLIP, value=0, step=0.5, label="CLIP guidance", info=told)
    return Controls(classes, number, count, seed, dice, go, stop, checkpoint, how, sampler, steps, guidance, clip)


def build(store: Store) -> Tab:
    """The tab's components and how they are filled."""
    with gr.Row(elem_classes="bench"):
        with gr.Column(scale=0, min_width=300):
            classes, number, count, seed, dice, go, stop, checkpoint, how, sampler, steps, guidance, clip = controls(
                store
            )
        with gr.Column(scale=1, min_width=320):
            there, with_it = first_sight(store)
            show = clickable(there, scripts.STAGE, elem_id="stage")
            detail = clickable("", scripts.CARD, elem_id="card")
            alike = clickable("", scripts.CARD, elem_id="alike")
            take = clickable(with_it, elem_id="take")

    settings = [checkpoint, classes, count, seed, sampler, steps, guidance, number, clip]
    tab = Tab(settings, [show, take], guarded(store, partial(opening, store)), partial(opened, store))

    def offered_now(key):
        return gr.update(choices=ready_made(store, key), value=qualities.RECOMMENDED)

    def of_its_data(key, chosen):
        """The classes that it knows, those chosen as far as it knows them, and whether it can write numbers."""
        known = known_classes(store, key)
        kept = [label for label in chosen or () if label in dict(known).values()]
        return gr.update(choices=known, value=kept), gr.update(visible=writes(store, key))

    checkpoint.change(guarded(store, offered_now), [checkpoint], [how], **QUIET)  # by a link, too
    checkpoint.change(guarded(store, of_its_data), [checkpoint, classes], [classes, number], **QUIET)
    checkpoint.input(guarded(store, partial(recommended, store)), [checkpoint], [sampler, steps, guidance], **QUIET)
    how.input(guarded(store, partial(made_ready, store)), [checkpoint, how], [steps, guidance], **QUIET)
    dice.click(None, None, seed, js=scripts.DICE, **QUIET)

    def occupied():
        return gr.Button(visible=False), gr.Button(visible=True), "", ""  # a card belongs to the images before

    busy = gr.on([go.click, number.submit], occupied, None, [go, stop, detail, alike], queue=False, **QUIET)

    card_of = on_gpu(guarded(store, partial(opened_card, store)))
    alike_of = on_gpu(guarded(store, partial(more_like, store)))

    def open_card(event: gr.EventData):
        return card_of(picked(event)), ""

    def vary(event: gr.EventData):
        return alike_of(picked(event))

    show.select(guarded(store, open_card), None, [detail, alike], **LANE, **QUIET)
    detail.select(guarded(store, vary), None, alike, **LANE, **QUIET)
    draw = on_gpu(guarded(store, partial(run, store)))
    running = busy.then(draw, settings, tab.outputs, **LANE, **QUIET)

    def ready():
        return gr.Button(visible=True), gr.Button(visible=False)

    # One of the two, for a cancelled run the second: before that Generate would be pressed in vain.
    running.success(ready, None, [go, stop], queue=False, **QUIET)
    running.failure(ready, None, [go, stop], queue=False, **QUIET)
    stop.click(None, cancels=[running], js=scripts.stop("stage"), **QUIET)
    return tab


def first_sight(store: Store) -> tuple[str, str]:
    """What the page holds when it arrives, before any request: without it the stage would be empty for a moment."""
    try:
        settings = [v["value"] if isinstance(v, dict) else v for v in opened(store, View(tab="generate"))]
        return opening(store, *settings)
    except UserError:
        return "", ""  # the same error is told when the page asks


def opened(store: Store, view: View) -> list:
    """The settings that a link asks for; what it does not say, or says wrongly, is as the checkpoint recommends.

    An address that says nothing changes nothing: whoever is quick may have chosen something already.
    """
    entries = store.checkpoints()
    if view == View():
        return [gr.update(choices=choices(entries)), *[gr.skip()] * 8]
    known = [e.key for e in entries if e.problem is None]
    name = (view.a or "").split("/")[0]
    key = name if name in known else first(entries)
    every = [label for _, label in known_classes(store, key)]
    classes = [str(d) for d in view.digits or () if str(d) in every] or every
    count = view.n if view.n and 1 <= view.n <= MAX_COUNT else 1
    seed = view.seed if view.seed is not None and view.seed <= MAX_SEED else 0
    return [choose(entries, key), classes, count, seed, *recommended(store, key), view.write or "", 0]
