"""A walk between two classes, or along guidance: as a strip, as a film, and what the classifier reads on the way.

No gradio.
"""

import torch
from torch import Tensor

from app import sprites
from app.request import amount
from diffusion_core.checkpoint import Checkpoint
from diffusion_core.errors import UserError
from diffusion_core.interpolate import guidance_walk, walk

ENLARGED = 4  # pixels of the strip a pixel of the images
MAX_GUIDANCE = 20


def walked(
    checkpoint: Checkpoint, one: tuple[int, int], other: tuple[int, int] | None,
    guidance: tuple[float, float] | None, frames: int,
) -> Tensor:  # fmt: skip
    """uint8 [frames, C, H, W] from one (class, seed) to the other or, without another, along guidance."""
    if other:
        return walk(checkpoint, one, other, frames)
    low, high = (amount(end, "Guidance", 0, MAX_GUIDANCE) for end in guidance)
    if low == high:
        raise UserError("Guidance must go from one number to another, such as 0:4.")
    return guidance_walk(checkpoint, *one, torch.linspace(low, high, frames))


def strip(images: Tensor) -> bytes:
    """All frames side by side, as a PNG."""
    return sprites.png(sprites.sheet(images, len(images)).repeat(ENLARGED, 0).repeat(ENLARGED, 1))


def film(images: Tensor, kind: str) -> bytes:
    """The frames there and back, as "GIF" or "WEBP"."""
    there = [images[i : i + 1] for i in range(len(images))]
    return sprites.animation(there + there[-2:0:-1], 1, kind, enlarged=10, last_ms=sprites.FRAME_MS)


def turns(read: Tensor) -> list[tuple[int, int]]:
    """Readings int [K] -> (frame, class) wherever another class is read than in the frame before; the first too."""
    return [(i, int(d)) for i, d in enumerate(read) if i == 0 or d != read[i - 1]]
