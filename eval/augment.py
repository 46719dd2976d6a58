"""Random distortions of whole batches, for training the judges.

Images are float [N, C, H, W] in [0, 1]; of drawings 0 is paper and 1 is ink.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def uniform(n: int, low: float, high: float, rng: torch.Generator) -> Tensor:
    """[n] numbers drawn evenly from [low, high)."""
    return torch.rand(n, generator=rng) * (high - low) + low


def jitter(
    x: Tensor,
    rng: torch.Generator,
    shift: float = 2.0,
    turn: float = 10.0,
    scale: float = 0.1,
    shear: float = 0.1,
    zoom: Tensor | float = 1.0,
    outside: str = "zeros",
) -> Tensor:
    """Move, turn, scale and shear each image by its own random amount, bilinear.

    `outside`: what lies beyond the border, "zeros" (paper, a black ground) or "reflection" (pictures that fill it).

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
    return F.grid_sample(x, grid, mode="bilinear", padding_mode=outside, align_corners=False)


def mirrored(x: Tensor, rng: torch.Generator) -> Tensor:
    """Each image, with chance 1/2, as its mirror image."""
    turned = torch.rand(len(x), generator=rng) < 0.5
    return torch.where(turned[:, None, None, None], x.flip(3), x)
