"""What the Restore tab was asked for: what a browser sends becomes a `Case` here, or a `UserError`. No gradio."""

from pathlib import Path

import torch
from torch import Tensor

from app import pad, paint
from app.request import MAX_SEED, amount, whole
from app.restoration import MAX_CANDIDATES, Case, hurt, image_file, known_pixels, real_image, recorded_file
from diffusion_core.damage import KINDS, Damage, damage
from diffusion_core.data import DataSpec
from diffusion_core.errors import UserError
from diffusion_core.restore import METHODS, RestoreConfig

SOURCES = {"test": "Test image", "draw": "Draw", "file": "Upload"}
HAND = "hand"  # the damage that a visitor paints
UNKNOWN = "?"  # the label that is not known
MAX_STEPS, MAX_TRAVEL = 100, 10


def case(
    spec: DataSpec, source, index, drawing, file: Path | None, already, kind, severity, mask, label, count, seed,
    method, steps, travel,
) -> Case:  # fmt: skip
    """The settings of the page, checked."""
    seed = whole(seed, "The seed", 0, MAX_SEED)
    found = damage_of(spec, kind, severity, mask, seed)
    config = RestoreConfig(
        method if method in METHODS else "",
        whole(steps, "Steps", 1, MAX_STEPS),
        whole(travel, "Time travel", 1, MAX_TRAVEL),
    ).validate()
    said = None if label == UNKNOWN else whole(label, "The class", 0, len(spec.class_names) - 1, text=True)
    count = whole(count, "The number of candidates", 1, MAX_CANDIDATES)
    if source == "file" and already is True:
        recorded, found = already_damaged(spec, file, found, kind)
        return Case(recorded, found, None, said, count, seed, config)
    original = whole_image(spec, source, index, drawing, file)
    return Case(hurt(original, found, seed), found, original, said, count, seed, config)


def whole_image(spec: DataSpec, source, index, drawing, file: Path | None) -> Tensor:
    """What is to be damaged, uint8 [1, C, H, W]."""
    if source == "test":
        return real_image(whole(index, "The number of the test image", 0, 10**6), spec.name)[0]
    if source == "draw":
        if not spec.strokes:
            raise UserError("Only digits can be drawn here. Choose a test image, or upload one.")
        return pad.from_data_uri(drawing)
    if source == "file":
        return image_file(_given(file, spec), spec)
    raise UserError("Choose a test image, draw one, or upload one.")


def already_damaged(spec: DataSpec, file: Path | None, found: Damage, kind) -> tuple[Tensor, Damage]:
    """What an uploaded picture records. The strength of noise is read from the picture."""
    like = found.operator.forward(torch.zeros(1, *spec.shape))
    size = tuple(like.shape[2:]) if like.ndim == 4 else spec.shape[1:]
    pixels = image_file(_given(file, spec), spec, size)
    noise = None if kind == "noise" else 0.0
    recorded, found = recorded_file(pixels, found._replace(noise=0.0) if kind == "noise" else found, noise)
    return recorded.view(like.shape), found


def damage_of(spec: DataSpec, kind, severity, mask, seed: int) -> Damage:
    if kind == HAND:
        return Damage(known_pixels(paint.painted(mask, spec.shape[1:]), spec), 0.0)
    if kind not in KINDS:
        raise UserError("Choose one of the kinds of damage on offer.")
    low, high = KINDS[kind].bounds(spec.shape[1:])
    return damage(kind, amount(severity, "The severity", low, high), spec.shape[1:], seed)


def _given(file: Path | None, spec: DataSpec) -> Path:
    if file is None:
        raise UserError(f"Give an image file of {spec.shape[2]} by {spec.shape[1]} pixels first.")
    return file
