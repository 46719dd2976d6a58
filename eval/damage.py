"""Damaged copies of images, for training a small CLIP and for testing what it knows of quality.

Images are float [N, C, H, W] in [0, 1]; of drawings 0 is paper and 1 is ink. `DAMAGE[quality]` makes the images that
the quality codes of `captions.py` name: noisy, blurred, broken, smudged, and of no class at all.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from eval.augment import jitter, uniform


def noisy(x: Tensor, rng: torch.Generator) -> Tensor:
    """Normal noise of standard deviation 0.2 to 0.5, cut to [0, 1]."""
    sigma = uniform(len(x), 0.2, 0.5, rng)[:, None, None, None]
    return (x + sigma * torch.randn(x.shape, generator=rng)).clamp(0, 1)


def blurred(x: Tensor, rng: torch.Generator) -> Tensor:
    """A Gaussian of 1.2 to 2.2 pixels."""
    return _filter(x, _bell(uniform(len(x), 1.2, 2.2, rng)))


def _bell(sigma: Tensor, reach: int = 6) -> Tensor:
    """Standard deviations [N] -> normalised kernels [N, 2 reach + 1]."""
    k = torch.exp(-0.5 * (torch.arange(-reach, reach + 1.0) / sigma[:, None]).square())
    return k / k.sum(1, keepdim=True)


def _filter(x: Tensor, kernel: Tensor) -> Tensor:
    """Each image [N, C, H, W] filtered with its own kernel [N, K] along both axes."""
    n, channels, reach = *x.shape[:2], kernel.shape[1] // 2
    kernel = kernel.repeat_interleave(channels, 0)
    y = x.flatten(0, 1)[None]  # [1, N C, H, W]
    y = F.conv2d(y, kernel[:, None, :, None], padding=(reach, 0), groups=n * channels)
    return F.conv2d(y, kernel[:, None, None, :], padding=(0, reach), groups=n * channels).view_as(x)


def broken(x: Tensor, rng: torch.Generator) -> Tensor:
    """Three straight gaps of paper, 2 to 3.5 pixels wide, across the middle of the image."""
    y, z = torch.meshgrid(*(torch.arange(float(s)) - (s - 1) / 2 for s in x.shape[2:]), indexing="ij")
    for _ in range(3):
        angle = uniform(len(x), 0, math.pi, rng)[:, None, None]
        offset = uniform(len(x), -7, 7, rng)[:, None, None]
        half = uniform(len(x), 1.0, 1.75, rng)[:, None, None]
        away = (z * torch.cos(angle) + y * torch.sin(angle) - offset).abs()
        x = x * (away - half + 0.5).clamp(0, 1)[:, None]
    return x


def smudged(x: Tensor, rng: torch.Generator) -> Tensor:
    """Ink dragged 5 to 9 pixels in one direction, fading."""
    angle, reach = uniform(len(x), 0, 2 * math.pi, rng), uniform(len(x), 5, 9, rng)
    smear = x
    for step in range(1, 9):
        share = step / 8
        moved = _moved(x, torch.cos(angle) * reach * share, torch.sin(angle) * reach * share)
        smear = torch.maximum(smear, moved * (0.9 - 0.6 * share))
    return smear


def _moved(x: Tensor, right: Tensor, down: Tensor) -> Tensor:
    """Each image moved by its own number of pixels, bilinear."""
    theta = torch.eye(2, 3).repeat(len(x), 1, 1)
    theta[:, 0, 2], theta[:, 1, 2] = -2 * right / x.shape[3], -2 * down / x.shape[2]
    return F.grid_sample(x, F.affine_grid(theta, list(x.shape), align_corners=False), align_corners=False)


# ---------------------------------------------------------------- no class at all


def shuffled(x: Tensor, rng: torch.Generator) -> Tensor:
    """The image cut into 4x4 tiles that are put back in random order."""
    n, side = len(x), x.shape[-1] // 4
    tiles = F.unfold(x, side, stride=side)  # [N, C side^2, 16]
    order = torch.rand(n, 1, 16, generator=rng).argsort(2).expand_as(tiles)
    return F.fold(tiles.gather(2, order), x.shape[2:], side, stride=side)


def overlaid(x: Tensor, rng: torch.Generator) -> Tensor:
    """Two images of the batch over each other, turned by up to 180 degrees."""
    both = (jitter(x[torch.randperm(len(x), generator=rng)], rng, turn=180) for _ in range(2))
    return torch.maximum(*both)


def fragments(x: Tensor, rng: torch.Generator) -> Tensor:
    """A turned image with nine gaps: marks, but no class."""
    x = jitter(x, rng, turn=180)
    for _ in range(3):
        x = broken(x, rng)
    return x


def static(x: Tensor, rng: torch.Generator) -> Tensor:
    """Noise, from pixel by pixel to clouds, with nothing behind it."""
    cloud = F.avg_pool2d(torch.randn(x.shape, generator=rng), 3, 1, 1)
    fine = torch.randn(x.shape, generator=rng) * 0.4
    return torch.where(torch.rand(len(x), 1, 1, 1, generator=rng) < 0.5, cloud * 1.5, fine).clamp(0, 1)


def junk(x: Tensor, rng: torch.Generator) -> Tensor:
    """One of: shuffled tiles, images over each other, fragments, noise."""
    kinds = torch.stack([f(x, rng) for f in (shuffled, overlaid, fragments, static)])  # [4, N, C, H, W]
    pick = torch.randint(4, (len(x),), generator=rng)
    return kinds[pick, torch.arange(len(x))]


DAMAGE = {1: noisy, 2: blurred, 3: broken, 4: smudged, 5: junk}


def damaged(x: Tensor, quality: Tensor, rng: torch.Generator) -> Tensor:
    """Each image with the damage its code [N] names; 0 stays clean."""
    out = x.clone()
    for code, function in DAMAGE.items():
        rows = (quality == code).nonzero()[:, 0]
        if len(rows):
            out[rows] = function(x[rows], rng)
    return out
