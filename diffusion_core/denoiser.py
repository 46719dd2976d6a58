"""Preconditioning: the denoiser D from the raw network F (Karras et al. 2022, table 1, EDM)."""

import torch
from torch import Tensor, nn

from diffusion_core.config import NetworkConfig
from diffusion_core.device import best_dtype
from diffusion_core.networks import make_network
from diffusion_core.pixels import SIGMA_DATA

# ---------------------------------------------------------------------------
# c_skip = sd^2 / (s^2 + sd^2)       c_out = s sd / sqrt(s^2 + sd^2)
# c_in   = 1 / sqrt(s^2 + sd^2)      c_noise = ln(s) / 4


def c_skip(sigma: Tensor) -> Tensor:
    return SIGMA_DATA**2 / (sigma**2 + SIGMA_DATA**2)


def c_out(sigma: Tensor) -> Tensor:
    return sigma * SIGMA_DATA / (sigma**2 + SIGMA_DATA**2).sqrt()


def c_in(sigma: Tensor) -> Tensor:
    return 1 / (sigma**2 + SIGMA_DATA**2).sqrt()


def c_noise(sigma: Tensor) -> Tensor:
    return sigma.log() / 4


class Denoiser(nn.Module):
    """D(x, sigma, label) = c_skip x + c_out F(c_in x, c_noise, label), the estimate of x0.

    x [N, C, H, W] in model range, sigma > 0 a scalar or [N], label int [N] (`null_label` = none).
    F computes in `dtype` (None: bfloat16 where the device is made for it, else float32); weights, scaling and result
    stay float32.
    """

    def __init__(self, config: NetworkConfig, network: nn.Module | None = None, dtype: torch.dtype | None = None):
        super().__init__()
        self.network = make_network(config) if network is None else network
        self.config, self.dtype = config, dtype

    @property
    def null_label(self) -> int:
        return self.config.classes

    def forward(self, x: Tensor, sigma: Tensor, label: Tensor) -> Tensor:
        sigma = torch.as_tensor(sigma, dtype=x.dtype, device=x.device).expand(len(x))
        s = sigma.view(-1, 1, 1, 1)  # [N, 1, 1, 1]
        dtype = self.dtype or best_dtype(x.device)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
            F_x = self.network(c_in(s) * x, c_noise(sigma), label)
        return c_skip(s) * x + c_out(s) * F_x.to(x.dtype)
