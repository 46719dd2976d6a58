"""Classifier-free guidance (Ho & Salimans 2022), with one convention.

D_w = D(null) + w (D(label) - D(null)): w = 1 is the plain conditional model (one network call),
w = 0 the unconditional one (one call), w > 1 trades diversity for faithfulness (a batch twice as big).
"""

from collections.abc import Callable

import torch
from torch import Tensor

from diffusion_core.denoiser import Denoiser
from diffusion_core.samplers import Denoise


def guided(denoiser: Denoiser, labels: Tensor, scale: float, aside: Callable[[Tensor], None] | None = None) -> Denoise:
    """The denoiser with its labels int [N] bound, guided by `scale`.

    `aside` is told D(null) at every call: what x looks like to a model that was told no label. For w = 1 that is
    one more network call.
    """
    null = torch.full_like(labels, denoiser.null_label)
    both = torch.cat([labels, null])

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        if scale == 1:
            with_label = denoiser(x, sigma, labels)
            without = denoiser(x, sigma, null) if aside else None
        elif scale == 0:
            without = with_label = denoiser(x, sigma, null)
        else:
            with_label, without = denoiser(x.repeat(2, 1, 1, 1), sigma, both).chunk(2)
        if aside:
            aside(without)
        return with_label if scale in (0, 1) else without + scale * (with_label - without)

    return denoise
