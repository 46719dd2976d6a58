"""The way between an image and noise, both ways, for two classes on the very same noise. No gradio."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from diffusion_core.checkpoint import Checkpoint
from diffusion_core.config import SampleConfig
from diffusion_core.data import Dataset
from diffusion_core.generate import noised, stream

LEVELS = 24  # noise levels of the walk; the sampler takes as many steps


class Way(NamedTuple):
    """One image's way from noise (row 0) to the image (last row); images uint8 [K + 1, C, H, W].

    `told` and `untold` are what the model takes the noisy image for, with and without the label, and what a judge reads
    in each, float [K + 1, classes]; `forward` is a real image with as much of the same noise, None without the data.
    """

    label: int
    real_index: int | None  # of the real image among the test images
    forward: Tensor | None
    noisy: Tensor
    told: Tensor
    untold: Tensor
    p_told: Tensor
    p_untold: Tensor


def walk(
    checkpoint: Checkpoint,
    pair: tuple[int, int],
    seed: int,
    test: Dataset | None,
    probabilities: Callable[[Tensor], Tensor],
) -> tuple[list[float], list[Way]]:
    """The noise levels [K + 1], falling to 0, and a `Way` for each of the two classes, both from noise `seed`.

    `test` has the real images; `probabilities` are a judge's, [N, classes] of uint8 images [N, C, H, W].
    """
    labels, seeds, config = torch.tensor(pair), torch.full((2,), seed), fine(checkpoint)
    frames = list(stream(checkpoint, labels, seeds, config, blind=True))
    sigmas = [frame.sigma for frame in frames]
    parts = ("noisy", "denoised", "blind")
    noisy, told, untold = (torch.stack([getattr(frame, part) for frame in frames]) for part in parts)
    ways = []
    for i, label in enumerate(pair):
        index, forward = _forward(test, label, seed, sigmas) if test else (None, None)
        p_told, p_untold = probabilities(told[:, i]), probabilities(untold[:, i])
        ways.append(Way(label, index, forward, noisy[:, i], told[:, i], untold[:, i], p_told, p_untold))
    return sigmas, ways


def _forward(test: Dataset, label: int, seed: int, sigmas: list[float]) -> tuple[int, Tensor]:
    """A real image of the class, chosen by the seed: its row, and with the seed's noise uint8 [K + 1, C, H, W]."""
    own = (test.labels == label).nonzero().flatten()
    index = int(own[seed % len(own)])
    real, noise = test.images[index : index + 1], torch.tensor([seed])
    return index, torch.cat([noised(real, sigma, noise, test.spec) for sigma in sigmas])


def fine(checkpoint: Checkpoint) -> SampleConfig:
    """The checkpoint's own guidance on a fine grid, by a sampler that adds no noise on the way.

    A student knows few noise levels and has guidance built in: its own sampler and steps are kept.
    """
    own = checkpoint.meta.sample
    return own if checkpoint.meta.distill else replace(own, sampler="dpmpp2m", steps=LEVELS, levels=())


def locks_in(read: Tensor, label: int) -> int | None:
    """The first level from which on every reading int [K + 1] is the label; None if not even the last one is."""
    wrong = (read != label).nonzero().flatten()
    first = int(wrong[-1]) + 1 if len(wrong) else 0
    return first if first < len(read) else None
