"""Grids of noise levels."""

import torch
from torch import Tensor

from diffusion_core.config import SampleConfig
from diffusion_core.errors import UserError


def noise_levels(config: SampleConfig) -> Tensor:
    """float64 [steps + 1]: the grid a config asks for, ending in 0."""
    if config.levels:
        return interpolated(config.levels, config.steps)
    return karras(config.steps, config.sigma_min, config.sigma_max, config.rho)


def interpolated(levels: tuple[float, ...], steps: int) -> Tensor:
    """float64 [steps + 1]: `levels` themselves if there are `steps` of them, else between them in ln sigma; then 0."""
    knots = torch.tensor(levels, dtype=torch.float64)
    if steps != len(knots):
        at = torch.linspace(0, len(knots) - 1, steps, dtype=torch.float64)
        below = at.long().clamp(max=max(0, len(knots) - 2))
        above = (below + 1).clamp(max=len(knots) - 1)
        knots = torch.lerp(knots.log()[below], knots.log()[above], at - below).exp()
    return torch.cat([knots, knots.new_zeros(1)])


def karras(steps: int, sigma_min: float, sigma_max: float, rho: float = 7.0) -> Tensor:
    """float64 [steps + 1]: sigma_max down to sigma_min, evenly spaced in sigma^(1/rho), then 0.

    Karras et al. 2022, eq. 5. One step goes from sigma_max straight to 0.
    """
    if steps < 1:
        raise UserError(f"Steps must be at least 1, not {steps}.")
    ramp = torch.linspace(0, 1, steps, dtype=torch.float64) if steps > 1 else torch.zeros(1, dtype=torch.float64)
    high, low = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    sigmas = (high + ramp * (low - high)) ** rho
    sigmas[0] = sigma_max
    if steps > 1:
        sigmas[-1] = sigma_min
    return torch.cat([sigmas, sigmas.new_zeros(1)])
