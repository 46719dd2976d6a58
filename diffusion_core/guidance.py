"""Classifier-free guidance (Ho & Salimans 2022), with one convention.

D_w = D(null) + w (D(label) - D(null)): w = 1 is the plain conditional model (one network call),
w = 0 the unconditional one (one call), w > 1 trades diversity for faithfulness (a batch twice as big).
"""

import torch
from torch import Tensor

from diffusion_core.denoiser import Denoiser
from diffusion_core.samplers import Denoise


def guided(denoiser: Denoiser, labels: Tensor, scale: float) -> Denoise:
    """The denoiser with its labels int [N] bound, guided by `scale`."""
    null = torch.full_like(labels, denoiser.null_label)
    if scale in (0, 1):
        bound = labels if scale == 1 else null
        return lambda x, sigma: denoiser(x, sigma, bound)
    both = torch.cat([labels, null])

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        with_label, without = denoiser(x.repeat(2, 1, 1, 1), sigma, both).chunk(2)
        return without + scale * (with_label - without)

    return denoise
