"""Grids of noise levels."""

import torch
from torch import Tensor

from diffusion_core.errors import UserError


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
