"""Denoise: an image into noise and out of it, level by level, and when it becomes one of its class and no other."""

from collections.abc import Sequence
from functools import lru_cache, partial
from html import escape

import gradio as gr

from app import figures, links, markup, scripts, sprites
from app.entries import usable
from app.known_classes import known_classes, still_known
from app.links import View
from app.request import MAX_SEED, whole
from app.store import Store
from app.walk import Way, locks_in, walk
from app.widgets import LANE, QUIET, Tab, choices, choose, clickable, first, guarded, picker, still
from app.words import probability
from app.zerogpu import on_gpu
from diffusion_core import data

TITLE = "Denoise"
PAIR = (5, 6)  # shown first: the two that a diffusion model was found to confuse most
KEPT = 64  # walks that are not computed again


# ---------------------------------------------------------------- pure


def page(store: Store, key, one, other, seed) -> tuple[str, object, str, str]:
    """The films, the figure, the table and the link. `UserError` for a bad choice."""
    if not usable(store.checkpoints()):
        return (
            markup.note("There is no checkpoint yet. Train one: python -m app train --minutes 5", "empty"),
            None,
            "",
            "",
        )
    meta = store.meta(key)
    if told := store.judges.lacking(meta.dataset):
        return markup.note(told, "problem"), None, "", ""
    last = meta.network.classes - 1
    pair = whole(one, "The first class", 0, last, text=True), whole(other, "The other class", 0, last, text=True)
    seed = whole(seed, "The seed", 0, MAX_SEED)
    sigmas, ways = walked(store, key, meta.sha256, pair, seed)
    found = store.recognition(key)
    names = data.spec(meta.dataset).class_names
    figure = figures.recognition(found, pair, names) if found else None
    link = markup.link_button(links.write(tab="denoise", a=key, digits=pair, seed=seed))
    return films(sigmas, ways, seed, names), figure, times(found, names) if found else missing(key), link


@lru_cache(maxsize=KEPT)
def walked(store: Store, key: str, sha256: str, pair: tuple[int, int], seed: int):
    """The walk, computed once for each visitor's choice; `sha256` tells a retrained checkpoint from the old one."""
    checkpoint = store.checkpoint(key)
    name = checkpoint.meta.dataset
    test = data.load(name, "test") if data.present(name) else None
    return walk(checkpoint, pair, seed, test, partial(store.judges.read, dataset=name))


def films(sigmas: list[float], ways: list[Way], seed: int, names: Sequence[str]) -> str:
    """One slider over all films: four a class, with what the classifier reads in the model's estimates."""
    last = len(sigmas) - 1
    texts = ["finished" if sigma == 0 else f"noise {sigma:.2f}" for sigma in sigmas]
    bar = markup.film_bar(texts, last // 2, "From noise to the image", 160)
    rows = "".join(_row(way, sigmas, seed, names) for way in ways)
    return (
        f'<section class="walk" style="--frames:{last + 1};--last:{last // 2}" '
        f'aria-label="Two classes on the same noise">{bar}{rows}</section>'
    )


def _row(way: Way, sigmas: list[float], seed: int, names: Sequence[str]) -> str:
    name = names[way.label]
    parts = [
        ("The same noise, being denoised", way.noisy, None),
        (f"What the model sees in it, told “{name}”", way.told, way.p_told),
        ("… and told nothing", way.untold, way.p_untold),
    ]
    if way.forward is not None:
        parts.insert(0, (f"A real {name}, with noise", way.forward, None))
    tiles = "".join(_tile(title, images, p, way.label, seed, names) for title, images, p in parts)
    head = f"<h2><b>{escape(name)}</b> {escape(settled(way, sigmas))}</h2>"
    return f'<div class="walk-row">{head}<div class="walk-tiles">{tiles}</div></div>'


def _tile(title: str, images, p, label: int, seed: int, names: Sequence[str]) -> str:
    uri = sprites.films([images[i : i + 1] for i in range(len(images))])[0]
    reading = ""
    if p is not None:
        read = p.argmax(1)
        said = [f"reads {names[int(d)]} · {probability(float(row[d]))}" for d, row in zip(read, p, strict=True)]
        texts = escape("|".join(said))
        marks = "".join(
            f'<i class="{"right" if int(d) == label else "wrong"}">{escape(names[int(d)][:1])}</i>' for d in read
        )
        reading = (
            f'<span class="reading" data-frames="{texts}"></span><span class="track" aria-hidden="true">{marks}</span>'
        )
    return (
        f'<figure><span class="tile"><img class="pixels film" src="{uri}" alt="{escape(title)}, seed {seed}"></span>'
        f"<figcaption>{escape(title)}{reading}</figcaption></figure>"
    )


def settled(way: Way, sigmas: list[float]) -> str:
    """When the classifier's reading is the label for good: of what the model sees untold, and told."""
    parts = []
    for name, p in (("the picture alone holds it", way.p_untold), ("told the label, the model sees it", way.p_told)):
        level = locks_in(p.argmax(1), way.label)
        if level is None:
            parts.append(f"{name}: never")
        elif level == 0:
            parts.append(f"{name} from the first step")
        else:
            parts.append(f"{name} from noise {sigmas[level]:.2f} on (step {level} of {len(sigmas) - 1})")
    return "; ".join(parts)


def times(found: dict, names: Sequence[str]) -> str:
    """t50 a class: the noise level at which half of its images are recognised for good without the label."""
    section = found["blind"] or found
    rows = []
    for label, curves in section["per_class"].items():
        name, t = names[int(label)], curves["t50"]
        if t["sigma"] is None:
            rows.append((name, "–", t["reason"] or ""))
            continue
        ends = "" if t["low_step"] is None or t["high_step"] is None else f"{t['low_step']} to {t['high_step']}"
        rows.append((name, (f"{t['sigma']:.2f}", f"step {t['step']}"), ends))
    return markup.table(("class", "half are settled at noise", "95 % interval, steps"), rows, "t50 of every class")


def missing(key: str) -> str:
    return markup.note(f"No report of {key} has watched its images form yet: python -m app score {key}", "empty")


# ---------------------------------------------------------------- gradio

WHAT = (
    "Left, forward: a real image drowns in noise. Then the reverse: one and the same noise becomes images of two "
    "classes, only because the model is told two different labels."
)


def build(store: Store) -> Tab:
    """The tab's components and how they are filled."""
    entries = store.checkpoints()
    known = known_classes(store, first(entries))
    still(markup.note(WHAT), elem_classes="words")
    with gr.Row(elem_classes="controls"):
        key = picker(entries, "Checkpoint", scale=3)
        one = gr.Dropdown(
            known, value=still_known(known, str(PAIR[0]), 0), label="Class", filterable=False, scale=1, min_width=90
        )
        other = gr.Dropdown(
            known, value=still_known(known, str(PAIR[1]), 1), label="Beside it", filterable=False, scale=1, min_width=90
        )
        seed = gr.Number(value=0, precision=0, label="Seed of the noise", scale=1, min_width=120)
        dice = gr.Button("Other noise", size="md", scale=1, min_width=120)
    show = clickable("", scripts.FILM, elem_id="walk")
    with gr.Row(elem_classes="beside"):
        with gr.Column(scale=3, min_width=320):
            figure = gr.Plot(show_label=False, container=False)
        with gr.Column(scale=2, min_width=300):
            table = still()
    link = clickable("", elem_classes="words")
    settings = [key, one, other, seed]
    walk_shown = on_gpu(guarded(store, partial(page, store)))
    tab = Tab(settings, [show, figure, table, link], walk_shown, partial(opened, store), heavy=True)

    def of_its_data(key, *pair):
        known = known_classes(store, key)
        return [gr.update(choices=known, value=still_known(known, value, i)) for i, value in enumerate(pair)]

    key.change(guarded(store, of_its_data), [key, one, other], [one, other], **QUIET)
    for control in (key, one, other):
        control.input(tab.show, settings, tab.outputs, **LANE, **QUIET)
    seed.submit(tab.show, settings, tab.outputs, **LANE, **QUIET)
    dice.click(None, None, seed, js=scripts.DICE, **QUIET).then(tab.show, settings, tab.outputs, **LANE, **QUIET)
    return tab


def opened(store: Store, view: View) -> list:
    """The settings that a link asks for."""
    if view == View():
        return [gr.update(choices=choices(store.checkpoints())), *[gr.skip()] * 3]
    known = [entry.key for entry in usable(store.checkpoints())]
    name = (view.a or "").split("/")[0]
    key = name if name in known else first(store.checkpoints())
    classes = len(known_classes(store, key))
    pair = view.digits if view.digits and len(view.digits) == 2 and max(view.digits) < classes else PAIR
    seed = view.seed if view.seed is not None and view.seed <= MAX_SEED else 0
    return [choose(store.checkpoints(), key), str(pair[0]), str(pair[1]), seed]
