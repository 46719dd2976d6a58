"""The training loss: noise levels, label dropout, weighting (Karras et al. 2022, eq. 8 and table 1)."""

from typing import NamedTuple

import torch
from torch import Tensor

from diffusion_core.config import TrainConfig
from diffusion_core.denoiser import Denoiser, c_out


class Draws(NamedTuple):
    """All the randomness of one batch: sigma [N], noise [N, C, H, W], label int [N] after dropout."""

    sigma: Tensor
    noise: Tensor
    label: Tensor


def draw(images: Tensor, label: Tensor, null: int, config: TrainConfig, generator: torch.Generator) -> Draws:
    """ln sigma ~ N(mean, std^2); each example on its own loses its label with the configured chance."""
    n = len(images)
    log_sigma = config.log_sigma_mean + config.log_sigma_std * torch.randn(n, generator=generator)
    noise = torch.randn(images.shape, generator=generator)
    dropped = torch.rand(n, generator=generator) < config.label_dropout
    return Draws(log_sigma.exp(), noise, torch.where(dropped, null, label))


def denoising_loss(denoiser: Denoiser, x0: Tensor, draws: Draws) -> Tensor:
    """lambda(sigma) (D(x0 + sigma n, sigma) - x0)^2 per example [N], lambda = 1 / c_out^2.

    A network that outputs zero has loss 1 at every sigma on data of standard deviation 0.5.
    """
    s = draws.sigma.view(-1, 1, 1, 1)
    D_x = denoiser(x0 + s * draws.noise, draws.sigma, draws.label)
    return ((D_x - x0) / c_out(s)).square().mean(dim=(1, 2, 3))


def quartile(sigma: Tensor, config: TrainConfig) -> Tensor:
    """Which quarter of the drawn noise levels each sigma [N] is in: 0 (least noise) to 3 (most)."""
    bounds = config.log_sigma_mean + config.log_sigma_std * torch.tensor([-0.67449, 0.0, 0.67449])
    return torch.bucketize(sigma.log().cpu(), bounds)
