"""uint8 pixels <-> model range: the only place where one becomes the other."""

import torch
from torch import Tensor

from diffusion_core.data import DataSpec

SIGMA_DATA = 0.5  # standard deviation of the data in model range, as in Karras et al. 2022 (EDM)


def to_model(images: Tensor, spec: DataSpec) -> Tensor:
    """uint8 [N, C, H, W] -> float32 [N, C, H, W] with mean 0 and standard deviation 0.5."""
    return (images.float() / 255 - spec.mean) * (SIGMA_DATA / spec.std)


def to_unit(x: Tensor, spec: DataSpec) -> Tensor:
    """float [N, C, H, W] in model range -> float in [0, 1], clipped; differentiable."""
    return (x.float() * (spec.std / SIGMA_DATA) + spec.mean).clamp(0, 1)


def to_uint8(x: Tensor, spec: DataSpec) -> Tensor:
    """float [N, C, H, W] in model range -> uint8 [N, C, H, W], rounded and clipped to 0..255."""
    return (x.float() * (spec.std / SIGMA_DATA) + spec.mean).mul(255).round().clamp(0, 255).to(torch.uint8)
