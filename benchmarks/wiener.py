"""Restoring with a Gaussian prior, in closed form: what the model's restorations are held against."""

import torch
from torch import Tensor

from diffusion_core.damage import Damage
from diffusion_core.data import Dataset

JITTER = 1e-4  # added to the variances of pixels in [0, 1]: those that are always paper have none
EXACT = 1e-8  # variance of noise where there is none, so that the matrix can be inverted


class Wiener:
    """The Gaussian with the mean and covariance of the training digits as prior: the posterior mean in closed form,
    mu + C A' (A C A' + tau^2)^-1 (y - A mu). The best there is of linear methods."""

    def __init__(self, train: Dataset):
        pixels = train.images.flatten(1).double() / 255
        self.shape, self.mean = train.images.shape[1:], pixels.mean(0)
        self.covariance = torch.cov(pixels.T) + JITTER * torch.eye(len(self.mean), dtype=torch.float64)

    def __call__(self, damage: Damage, recorded: Tensor) -> Tensor:
        """float [N, ...] as `damage` leaves it -> uint8 [N, C, H, W]."""
        basis = torch.eye(len(self.mean), dtype=torch.float64).view(-1, *self.shape)
        A = damage.operator.forward(basis).flatten(1).T  # [m, d]
        seen = A.abs().sum(1) > 0
        A, y = A[seen], recorded.double().flatten(1)[:, seen]
        noise = (damage.noise**2 + EXACT) * torch.eye(len(A), dtype=torch.float64)
        gain = torch.linalg.solve(A @ self.covariance @ A.T + noise, A @ self.covariance).T  # [d, m]
        found = self.mean + (y - self.mean @ A.T) @ gain.T
        return found.view(-1, *self.shape).mul(255).round().clamp(0, 255).to(torch.uint8)
