"""The ideal denoiser of Gaussian data x0 ~ N(mu, s^2), and its exact probability-flow solution."""

import torch
from torch import Tensor


class Gaussian:
    """Data N(mu, s^2) per dimension."""

    def __init__(self, mu: float = 0.0, s: float = 0.5):
        self.mu, self.s = mu, s

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        """E[x0 | x] = (s^2 x + sigma^2 mu) / (s^2 + sigma^2)."""
        return (self.s**2 * x + sigma**2 * self.mu) / (self.s**2 + sigma**2)

    def solution(self, x: Tensor, start: float, end: float) -> Tensor:
        """x(end) = mu + (x(start) - mu) sqrt((s^2 + end^2) / (s^2 + start^2))."""
        return self.mu + (x - self.mu) * ((self.s**2 + end**2) / (self.s**2 + start**2)) ** 0.5


def standard_normal(*shape: int, seed: int = 0) -> Tensor:
    """float64 draws that are the same on every call."""
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
