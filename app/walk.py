"""The way between a digit and noise, both ways, for two digits on the very same noise. No gradio."""

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
    """One digit's way from noise (row 0) to the image (last row); images uint8 [K + 1, C, H, W].

    `told` and `untold` are what the model takes the noisy image for, with and without the label, and what a judge reads
    in each, float [K + 1, classes]; `forward` is a real digit with as much of the same noise.
    """

    label: int
    real_index: int  # of the real digit among the test digits
    forward: Tensor
    noisy: Tensor
    told: Tensor
    untold: Tensor
    p_told: Tensor
    p_untold: Tensor


def walk(
    checkpoint: Checkpoint, pair: tuple[int, int], seed: int, test: Dataset, probabilities: Callable[[Tensor], Tensor]
) -> tuple[list[float], list[Way]]:
    """The noise levels [K + 1], falling to 0, and a `Way` for each of the two digits, both from noise `seed`.

    `test` has the real digits; `probabilities` are a judge's, [N, classes] of uint8 images [N, C, H, W].
    """
    labels, seeds, config = torch.tensor(pair), torch.full((2,), seed), fine(checkpoint)
    frames = list(stream(checkpoint, labels, seeds, config, blind=True))
    sigmas = [frame.sigma for frame in frames]
    parts = ("noisy", "denoised", "blind")
    noisy, told, untold = (torch.stack([getattr(frame, part) for frame in frames]) for part in parts)
    ways = []
    for i, label in enumerate(pair):
        own = (test.labels == label).nonzero().flatten()
        index = int(own[seed % len(own)])
        real, noise = test.images[index : index + 1], torch.tensor([seed])
        forward = torch.cat([noised(real, sigma, noise, checkpoint.spec) for sigma in sigmas])
        p_told, p_untold = probabilities(told[:, i]), probabilities(untold[:, i])
        ways.append(Way(label, index, forward, noisy[:, i], told[:, i], untold[:, i], p_told, p_untold))
    return sigmas, ways


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
