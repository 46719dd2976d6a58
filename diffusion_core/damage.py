"""Kinds of damage by name, each at the severities that are offered and reported.

A kind is a function (severity, shape, rng) -> `Damage` and a line in `KINDS`. Severities beyond those listed are taken
too, within what the kind can do. Masks hide the same pixels of every image of a call.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch

from diffusion_core.errors import UserError
from diffusion_core.operators import Mask, Operator, Pool, blur, gaussian_kernel, motion_kernel

MAX_NOISE = 4.0  # of pixels in [0, 1]
OPTICS = 0.01  # noise of what a blurred picture is recorded with, pixels in [0, 1]: two and a half grey levels
Shape = tuple[int, int]  # height and width


class Damage(NamedTuple):
    """y = A p + noise e of pixels p in [0, 1], e standard normal."""

    operator: Operator
    noise: float


class Kind(NamedTuple):
    """`say` is what happens to an image, with a place for the severity; `bounds(shape)`: its least and its largest."""

    title: str
    say: str
    severities: tuple[float, ...]
    bounds: Callable[[Shape], tuple[float, float]]
    make: Callable[[float, Shape, torch.Generator], Damage]

    @property
    def middle(self) -> float:
        """The severity that is taken where none is said, and shown where there is room for one."""
        return self.severities[len(self.severities) // 2]

    def said(self, severity: float) -> str:
        """ "A hole in the middle: a square of 12 pixels is missing" """
        return f"{self.title}: {self.say.format(severity)}"


def box(side: float, shape: Shape, rng: torch.Generator) -> Damage:
    known = torch.ones(shape)
    top, left = ((length - round(side)) // 2 for length in shape)
    known[top : top + round(side), left : left + round(side)] = 0
    return Damage(Mask(known), 0.0)


def cut(rows: float, shape: Shape, rng: torch.Generator) -> Damage:
    known = torch.ones(shape)
    known[shape[0] - round(rows) :] = 0
    return Damage(Mask(known), 0.0)


def stripes(every: float, shape: Shape, rng: torch.Generator) -> Damage:
    known = torch.arange(shape[0]) % round(every) == 0
    return Damage(Mask(known[:, None].expand(shape)), 0.0)


def scattered(share: float, shape: Shape, rng: torch.Generator) -> Damage:
    count = round(share * shape[0] * shape[1])
    known = torch.ones(shape[0] * shape[1])
    known[torch.randperm(len(known), generator=rng)[:count]] = 0
    return Damage(Mask(known.view(shape)), 0.0)


def noise(sigma: float, shape: Shape, rng: torch.Generator) -> Damage:
    return Damage(Mask(torch.ones(shape)), sigma)


def shrunk(factor: float, shape: Shape, rng: torch.Generator) -> Damage:
    return Damage(Pool(round(factor)), 0.0)


def blurred(sigma: float, shape: Shape, rng: torch.Generator) -> Damage:
    return Damage(blur(gaussian_kernel(sigma), shape), OPTICS)


def shaken(length: float, shape: Shape, rng: torch.Generator) -> Damage:
    return Damage(blur(motion_kernel(2 * (round(length) // 2) + 1), shape), OPTICS)


KINDS = {
    "box": Kind(
        "A hole in the middle", "a square of {:g} pixels is missing", (8, 12, 16), lambda shape: (1, min(shape)), box
    ),
    "cut": Kind(
        "The lower part missing", "the lower {:g} rows are missing", (7, 10, 14), lambda shape: (1, shape[0] - 1), cut
    ),
    "stripes": Kind("Missing stripes", "one row in {:g} is left", (2, 4, 6), lambda shape: (2, shape[0]), stripes),
    "pixels": Kind(
        "Scattered pixels missing", "{:.0%} of the pixels are missing", (0.5, 0.8, 0.9), lambda shape: (0, 1), scattered
    ),
    "noise": Kind(
        "Noise", "noise of standard deviation {:g} (white is 1)", (0.25, 0.5, 1.0), lambda shape: (0, MAX_NOISE), noise
    ),
    "shrink": Kind("Few pixels", "each {0:g} x {0:g} pixels became one", (2, 4), lambda shape: (1, min(shape)), shrunk),
    "blur": Kind("Blur", "a Gaussian of {:g} px", (1, 2, 3), lambda shape: (0.3, 8), blurred),
    "shake": Kind("Motion blur", "smeared over {:g} px", (7, 13), lambda shape: (3, shape[1] - 1), shaken),
}


def damage(kind: str, severity: float | None, shape: Shape, seed: int = 0) -> Damage:
    """The damage called `kind`; its middle severity unless another is asked for. `UserError` for what there is not."""
    if kind not in KINDS:
        raise UserError(f"There is no damage {str(kind)[:40]!r}. Known: {', '.join(KINDS)}.")
    found = KINDS[kind]
    low, high = found.bounds(shape)
    severity = found.middle if severity is None else severity
    if not low <= severity <= high:
        raise UserError(f"The severity of '{kind}' must be from {low:g} to {high:g}, not {severity:g}.")
    return found.make(severity, shape, torch.Generator().manual_seed(seed))
