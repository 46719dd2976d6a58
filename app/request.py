"""What the Generate tab was asked for: what a browser sends becomes numbers here, or a `UserError`. No gradio."""

from dataclasses import replace
from typing import NamedTuple

from torch import Tensor

from diffusion_core import noise
from diffusion_core.checkpoint import CheckpointMeta
from diffusion_core.config import SampleConfig
from diffusion_core.data import spec
from diffusion_core.errors import UserError

CLASSES = 10  # digits, for what is made of digits alone
MAX_COUNT = 8  # of each class
MAX_STEPS = 100
MAX_GUIDANCE = 5
MAX_CLIP = 10  # guidance by CLIP
MAX_SEED = noise.MAX_SEED - 1000  # so that every image of a large request still has its own


class Request(NamedTuple):
    """What to draw: labels and seeds int64 [N], and how; `clip` is the scale of guidance by CLIP."""

    labels: Tensor
    seeds: Tensor
    config: SampleConfig
    clip: float


def request(classes, count, seed, sampler, steps, guidance, meta: CheckpointMeta, number="", clip=0) -> Request:
    """The settings of the page, checked; what they do not name is as the checkpoint of `meta` recommends.

    A `number` is written instead of the chosen classes.
    """
    known = meta.network.classes
    config = replace(
        meta.sample,
        sampler=sampler[:40] if isinstance(sampler, str) else "",
        steps=whole(steps, "Steps", 1, MAX_STEPS),
        guidance=amount(guidance, "Guidance", 0, MAX_GUIDANCE),
    ).validate()
    seed, clip = whole(seed, "The seed", 0, MAX_SEED), amount(clip, "CLIP guidance", 0, MAX_CLIP)
    if number:
        text = number.strip() if isinstance(number, str) else ""
        return Request(*noise.written(text, seed, spec(meta.dataset).class_names), config, clip)
    if not isinstance(classes, list | tuple) or not classes:
        raise UserError("Choose at least one class.")
    wanted = sorted({whole(d, "A class", 0, known - 1, text=True) for d in classes})
    count = whole(count, "The number of each class", 1, MAX_COUNT)
    return Request(*noise.plan(count, seed, known, tuple(wanted)), config, clip)


def whole(value, name: str, low: int, high: int, text: bool = False) -> int:
    """A whole number from `low` to `high`; with `text`, also one written in digits."""
    if text and isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    return int(amount(value, name, low, high, "whole number"))


def amount(value, name: str, low: float, high: float, kind: str = "number") -> float:
    """A finite number from `low` to `high`, and whole if `kind` says so."""
    good = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
    if not good or (kind == "whole number" and value != int(value)):
        raise UserError(f"{name} must be a {kind} from {low:,} to {high:,}.")
    return value
