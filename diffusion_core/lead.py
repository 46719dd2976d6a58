"""Guidance by a reward while sampling: the gradient of what the estimate earns, added to it.

Classifier guidance (Dhariwal & Nichol 2021) on the denoised estimate (Bansal et al. 2023, universal guidance): with
p(x) multiplied by exp(scale r(x0_hat(x))) the denoiser becomes D + scale sigma^2 grad_x r(D(x)). It wraps any
denoiser, guided without a classifier or not, and so serves every sampler.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from diffusion_core.data import DataSpec
from diffusion_core.errors import UserError
from diffusion_core.pixels import to_unit
from diffusion_core.samplers import Denoise

MAX_SCALE = 100.0
FARTHEST = 1.0  # root mean square of what one call may add, in model range: two standard deviations of the data


class Lead(NamedTuple):
    """A reward (see reward.py), how strongly it leads, and between which noise levels: low < sigma <= high.

    `name`: what the reward is called; `scorers`: those that are no judges any more of what is led by it.
    """

    reward: Callable[[Tensor, Tensor], Tensor]
    scale: float
    interval: tuple[float, float] = (0.05, 5.0)
    name: str = "reward"
    scorers: tuple[str, ...] = ()

    def validate(self) -> "Lead":
        """Itself, or `UserError`."""
        if not 0 <= self.scale <= MAX_SCALE:
            raise UserError(f"Guidance by a reward must be from 0 to {MAX_SCALE:g}, not {self.scale}.")
        return self


def led(denoise: Denoise, labels: Tensor, lead: Lead, spec: DataSpec) -> Denoise:
    """`denoise`, led towards images [N, C, H, W] that earn more for their labels int [N]."""

    def estimate(x: Tensor, sigma: Tensor) -> Tensor:
        if lead.scale == 0 or not lead.interval[0] < float(sigma) <= lead.interval[1]:
            return denoise(x, sigma)
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            D = denoise(x, sigma)
            (slope,) = torch.autograd.grad(lead.reward(to_unit(D, spec), labels).sum(), x)
        change = lead.scale * sigma.float().square() * slope
        size = change.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
        return D.detach() + change * (FARTHEST / size.clamp(min=FARTHEST))

    return estimate
