"""The stage of the Generate tab as HTML: images while they form, then each with its verdicts. No gradio."""

import json
from collections.abc import Sequence
from html import escape

from torch import Tensor

from app import markup, sprites
from app.judging import readers
from app.verdicts import Verdict
from app.words import JUDGES
from diffusion_core.data import DataSpec
from diffusion_core.generate import Frame

MAX_TILES = 400  # tiles that the film of a finished run may hold; longer films lose frames, never the last
SMALL = 20  # above this many images the tiles are smaller


def running(
    data: DataSpec, labels: Tensor, seeds: Tensor, frame: Frame, text: str, run: str, written: bool = False
) -> str:
    """Labels and seeds int [N], and one frame of their images; `run` tells this run from others."""
    bar = (
        f'<progress max="{frame.total}" value="{frame.i + 1}" aria-label="Denoising"></progress>'
        f'<output class="level" aria-live="off">{escape(text)}</output>'
    )
    tiles = _tiles(data, labels, seeds, [frame.denoised], [frame.noisy])
    waiting = len(readers(data.name))
    cards = [_card(tiles[i], data, int(labels[i]), int(seeds[i]), (), waiting) for i in _order(labels, written)]
    return _stage(_views() + bar, cards, 1, "", run, strip=_strip(frame.denoised, written))


def finished(
    data: DataSpec,
    labels: Tensor,
    seeds: Tensor,
    frames: Sequence[tuple[Tensor, Tensor, float]],
    verdicts: Sequence[Sequence[Verdict]],
    waiting: int = 0,
    made: dict | None = None,
    written: bool = False,
) -> str:
    """`frames` are (estimate, noisy, sigma), the last one the finished images.

    `verdicts` holds a row for each image; as many judges as `waiting` says are still at work. `made` is what the images
    were made with, plain JSON: a click on an image sends it with label and seed, to open its card. A `written` number
    keeps its order, and stands above its digits.
    """
    kept = _thin(frames, max(2, MAX_TILES // len(labels)))
    tiles = _tiles(data, labels, seeds, [f[0] for f in kept], [f[1] for f in kept])
    if made is not None:
        tiles = [_opener(tile, data, int(d), int(s)) for tile, d, s in zip(tiles, labels, seeds, strict=True)]
    order = _order(labels, written)
    cards = [_card(tiles[i], data, int(labels[i]), int(seeds[i]), verdicts[i], waiting) for i in order]
    bar = _views() + _scrubber([f[2] for f in kept]) if len(kept) > 1 else ""
    text = "The judges are reading …" if waiting else summary(verdicts)
    return _stage(bar, cards, len(kept), text, made=made, strip=_strip(frames[-1][0], written))


def summary(verdicts: Sequence[Sequence[Verdict]]) -> str:
    """ "The classifier reads 10 of 10 as asked, CLIP 9 of 10." """
    parts = []
    for judge, name in JUDGES.items():
        rights = [v.right for row in verdicts for v in row if v.judge == judge]
        if rights:
            parts.append(f"{name} reads {sum(rights)} of {len(rights)} as asked")
    return " · ".join(parts)


def _thin(frames: Sequence, most: int) -> list:
    """At most `most` of the frames, evenly spaced, the first and the last among them."""
    if len(frames) <= most:
        return list(frames)
    return [frames[round(i * (len(frames) - 1) / (most - 1))] for i in range(most)]


def _order(labels: Tensor, written: bool) -> list[int]:
    """Images of the same class side by side, but a written number as it is."""
    return list(range(len(labels))) if written else labels.argsort(stable=True).tolist()


def _strip(images: Tensor, written: bool) -> str:
    """The number as one picture; nothing for what is no number."""
    if not written:
        return ""
    uri = sprites.data_uri(sprites.png(sprites.sheet(images, len(images), gap=0)))
    return f'<img class="pixels written" src="{uri}" alt="The number in generated digits">'


def _tiles(data: DataSpec, labels: Tensor, seeds: Tensor, estimates: list[Tensor], noisies: list[Tensor]) -> list[str]:
    """Each image's tile: the films of its estimates and of its noisy images."""
    names = [escape(data.called(label)) for label in labels.tolist()]
    rows = zip(sprites.films(estimates), sprites.films(noisies), names, seeds.tolist(), strict=True)
    return [
        f'<span class="tile"><img class="pixels film estimate" src="{estimate}" alt="{name}, seed {seed}">'
        f'<img class="pixels film noisy" src="{noisy}" alt="" aria-hidden="true"></span>'
        for estimate, noisy, name, seed in rows
    ]


def _opener(tile: str, data: DataSpec, label: int, seed: int) -> str:
    """The tile as a button that opens the image's card."""
    name = escape(f"Open the card of {data.called(label)}, seed {seed}")
    return f'<button type="button" class="opener" data-card="{label},{seed}" aria-label="{name}">{tile}</button>'


def _card(tile: str, data: DataSpec, label: int, seed: int, verdicts: Sequence[Verdict], waiting: int) -> str:
    """An image's card; verdicts that are still to come have a place kept."""
    lines = "".join(map(markup.verdict_line, verdicts))
    lines += '<span class="verdict waiting" aria-hidden="true">…</span>' * waiting
    wrong = [v for v in verdicts if not v.right]
    flag = f'<span class="flag">{"misread" if len(wrong) == len(verdicts) else "disputed"}</span>' if wrong else ""
    name = escape(data.class_names[label])
    return (
        f'<li class="card{" wrong" if wrong else ""}"><figure>{tile}<figcaption>'
        f'<span class="asked"><b>{name}</b><span class="seed">seed {seed}</span>{flag}</span>'
        f"{lines}</figcaption></figure></li>"
    )


def _views() -> str:
    """Estimate, noisy image or both: switched in the browser, so that it works on a running film too."""
    choices = (("estimate", "Best guess", "true"), ("noisy", "Noisy image", "false"), ("both", "Both", "false"))
    buttons = "".join(
        f'<button type="button" data-view-choice="{key}" aria-pressed="{pressed}">{text}</button>'
        for key, text, pressed in choices
    )
    return f'<div class="views" role="group" aria-label="What to show">{buttons}</div>'


def _scrubber(sigmas: Sequence[float]) -> str:
    last = len(sigmas) - 1
    levels = ",".join(f"{sigma:.2f}" for sigma in sigmas)
    return (
        f'<input type="range" class="scrub" min="0" max="{last}" value="{last}" data-levels="{levels}" '
        'aria-label="Wind the denoising back and forth">'
        f'<output class="level" aria-live="off">finished</output>'
    )


def _stage(
    bar: str, cards: Sequence[str], frames: int, text: str, run: str = "", made: dict | None = None, strip: str = ""
) -> str:  # fmt: skip
    size = " small" if len(cards) > SMALL else ""
    head = f'<div class="bar">{bar}</div>' if bar else ""
    return (
        f'<section class="stage{size}" data-run="{run}" data-made="{escape(json.dumps(made))}" '
        f'style="--frames:{frames};--last:{frames - 1}" aria-label="Generated images">'
        f'{head}{strip}<p class="summary" role="status">{escape(text)}</p>'
        f'<ul class="cards">{"".join(cards)}</ul></section>'
    )
