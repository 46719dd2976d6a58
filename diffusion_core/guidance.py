"""Classifier-free guidance (Ho & Salimans 2022), with one convention.

D_w = D(null) + w (D(label) - D(null)): w = 1 is the plain conditional model (one network call),
w = 0 the unconditional one (one call), w > 1 trades diversity for faithfulness (a batch twice as big). Outside
of an interval of noise levels guidance costs diversity and gains nothing (Kynkaanniemi et al. 2024): there w = 1.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from diffusion_core.config import MAX_SIGMA
from diffusion_core.denoiser import Denoiser
from diffusion_core.samplers import Denoise


def guided(
    denoiser: Denoiser,
    labels: Tensor,
    scale: float | Tensor,
    interval: tuple[float, float] = (0.0, MAX_SIGMA),
    aside: Callable[[Tensor], None] | None = None,
) -> Denoise:
    """The denoiser with its labels int [N] bound, guided by `scale` where interval[0] < sigma <= interval[1].

    sigma and `scale` are scalars or [N]. Labels may be mixtures, float [N, classes + 1] (`unet.Embedding`).

    `aside` is told D(null) at every call: what x looks like to a model that was told no label. For w = 1 that is
    one more network call.
    """
    null = _null(denoiser, labels)
    both = torch.cat([labels, null])
    scale = torch.as_tensor(scale)

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        inside = (interval[0] < sigma) & (sigma <= interval[1])  # a scalar, or [N] like sigma
        if (scale == 1).all() or not inside.any():
            with_label = denoiser(x, sigma, labels)
            without = denoiser(x, sigma, null) if aside else None
            result = with_label
        elif (scale == 0).all() and inside.all():
            result = without = denoiser(x, sigma, null)
        else:
            with_label, without = denoiser(x.repeat(2, 1, 1, 1), sigma.repeat(2) if sigma.ndim else sigma, both).chunk(
                2
            )
            w = torch.where(inside, scale.to(inside.device), 1.0).to(x).view(-1, 1, 1, 1)
            result = without + w * (with_label - without)
        if aside:
            aside(without)
        return result

    return denoise


def _null(denoiser: Denoiser, labels: Tensor) -> Tensor:
    """ "No label" for each of `labels`, in their form."""
    null = torch.full((len(labels),), denoiser.null_label, device=labels.device)
    return one_hot(null, labels.shape[1]).to(labels) if labels.is_floating_point() else null.to(labels)
