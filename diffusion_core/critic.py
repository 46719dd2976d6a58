"""What tells real images from a student's: the encoder of its teacher, with a head of its own (Sauer et al. 2024).

It looks at noisy images only, as Wang et al. 2023 (Diffusion-GAN) do, so that real and made ones overlap and it
cannot win by a single pixel. It shares no weights with any judge.
"""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diffusion_core.denoiser import Denoiser, c_in, c_noise
from diffusion_core.device import best_dtype
from diffusion_core.unet import zeroed

SMOOTHNESS = 0.2  # weight of the penalty on slopes; half of what R1 calls gamma
JITTER = 0.1  # standard deviation of the noise that finds them, model range; less drowns in bfloat16


class Critic(nn.Module):
    """x [N, C, H, W] at noise level sigma [N] and labels int [N] -> how real each place looks, [N, h w]."""

    def __init__(self, teacher: Denoiser):
        super().__init__()
        self.trunk = copy.deepcopy(teacher.network).requires_grad_(True)
        self.trunk.decoder, self.trunk.up = nn.ModuleList(), nn.ModuleList()
        self.trunk.norm_out = self.trunk.conv_out = nn.Identity()
        self.head = zeroed(nn.Conv2d(teacher.config.channels[-1], 1, 1))  # undecided at first

    def forward(self, x: Tensor, sigma: Tensor, label: Tensor) -> Tensor:
        with torch.autocast(x.device.type, torch.bfloat16, enabled=best_dtype(x.device) == torch.bfloat16):
            embedding = self.trunk.embedding(c_noise(sigma), label)
            h, _ = self.trunk.encode(c_in(sigma.view(-1, 1, 1, 1)) * x, embedding)
            return self.head(F.silu(h)).flatten(1).float()


def generator_loss(critic: Critic, made: Tensor, sigma: Tensor, label: Tensor) -> Tensor:
    """[N]: small where the critic takes `made` for real (non-saturating, Goodfellow et al. 2014)."""
    return F.softplus(-critic(made, sigma, label)).mean(1)


def critic_loss(critic: Critic, real: Tensor, made: Tensor, sigma: Tensor, label: Tensor, jitter: Tensor) -> Tensor:
    """[N]: small where the critic tells them apart and is smooth around the real ones.

    The smoothness penalty is the finite difference that stands for R1 in Lin et al. 2025 (APT, eq. 4). `jitter` is
    standard normal noise of the shape of `real`.
    """
    of_real = critic(real, sigma, label)
    change = critic(real + JITTER * jitter, sigma, label) - of_real
    apart = F.softplus(-of_real) + F.softplus(critic(made, sigma, label))
    return apart.mean(1) + SMOOTHNESS * (change / JITTER).square().mean(1)
