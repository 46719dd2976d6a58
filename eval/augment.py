"""Random distortions of whole batches, for training the judges.

Images are float [N, C, H, W] in [0, 1]; of drawings 0 is paper and 1 is ink.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from eval.source_base import Form

SHIFT = 4  # pixels
JITTERED = "shift 2 px, turn 10 degrees, scale 10 %, shear 0.1, each at most"


def uniform(n: int, low: float, high: float, rng: torch.Generator) -> Tensor:
    """[n] numbers drawn evenly from [low, high)."""
    return torch.rand(n, generator=rng) * (high - low) + low


def varied(x: Tensor, form: Form, rng: torch.Generator, zoom: Tensor | float = 1.0) -> Tensor:
    """Images of this form as they might have been as well: jittered or shifted, half of them mirrored if it allows.

    Pictures that fill their frame are shifted by whole pixels, which leaves them as sharp as they are; turning and
    resampling would blur them. `zoom` is for drawings, as in `jitter`.
    """
    x = shifted(x, rng) if form.fills else jitter(x, rng, zoom=zoom)
    return mirrored(x, rng) if form.flip else x


def said(form: Form) -> str:
    """What `varied` does to images of this form, for cards."""
    moved = f"shift {SHIFT} px, reflected at the border" if form.fills else JITTERED
    return moved + "; half of them mirrored" * form.flip


def shifted(x: Tensor, rng: torch.Generator, most: int = SHIFT) -> Tensor:
    """Move each image by its own whole number of pixels, at most `most` each way; the border reflects."""
    n, _, size, _ = x.shape
    back_and_forth = torch.arange(-most, size + most).abs()  # -1 is 1, -2 is 2
    back_and_forth = torch.where(back_and_forth < size, back_and_forth, 2 * (size - 1) - back_and_forth)
    start = torch.randint(2 * most + 1, (2, n, 1), generator=rng)
    row, column = back_and_forth[start + torch.arange(size)]  # [N, size] each
    moved = x.permute(0, 2, 3, 1)[torch.arange(n)[:, None, None], row[:, :, None], column[:, None, :]]
    return moved.permute(0, 3, 1, 2)


def jitter(
    x: Tensor,
    rng: torch.Generator,
    shift: float = 2.0,
    turn: float = 10.0,
    scale: float = 0.1,
    shear: float = 0.1,
    zoom: Tensor | float = 1.0,
) -> Tensor:
    """Move, turn, scale and shear each image by its own random amount, bilinear; beyond the border all is 0.

    At most `shift` pixels, `turn` degrees, a factor 1 -+ `scale` per axis and a horizontal shear of
    `shear` pixels per pixel of height; `zoom` (one number, or [N]) multiplies both axes.
    """
    n, size = len(x), x.shape[-1]
    angle = uniform(n, -turn, turn, rng) * (math.pi / 180)
    wide, high = (zoom * uniform(n, 1 - scale, 1 + scale, rng) for _ in range(2))
    lean = uniform(n, -shear, shear, rng)
    cos, sin = torch.cos(angle), torch.sin(angle)
    theta = torch.zeros(n, 2, 3)  # output position -> input position, both in [-1, 1]
    theta[:, 0, 0], theta[:, 0, 1] = cos / wide, (lean - sin) / wide
    theta[:, 1, 0], theta[:, 1, 1] = sin / high, cos / high
    theta[:, :, 2] = (torch.rand(n, 2, generator=rng) * 2 - 1) * (2 * shift / size)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def mirrored(x: Tensor, rng: torch.Generator) -> Tensor:
    """Each image, with chance 1/2, as its mirror image."""
    turned = torch.rand(len(x), generator=rng) < 0.5
    return torch.where(turned[:, None, None, None], x.flip(3), x)
