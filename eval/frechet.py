"""The Frechet distance between two sets of features: how far their means and spreads are apart."""

import torch
from torch import Tensor

ROWS = 5_000


class Moments:
    """Mean and covariance of real features [N, d], with the root that every distance needs."""

    def __init__(self, x: Tensor):
        self.mean, self.covariance = moments(x)
        values, vectors = torch.linalg.eigh(self.covariance)
        self.root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T

    def distance(self, x: Tensor) -> float:
        """Squared Frechet distance of the normal distributions with the same moments as x [M, d] and the real set.

        |mu_a - mu_b|^2 + tr(S_a + S_b - 2 (S_a^1/2 S_b S_a^1/2)^1/2), Dowson and Landau 1982, as in FID
        (Heusel et al. 2017). The symmetric form needs eigenvalues only, so covariances may be singular; with
        fewer images than features they come from the smaller matrix of inner products. Bias for equal
        distributions of unit variance: about 2d/M + d(d+1)/(2(M-1)).
        """
        centred = x - x.mean(0)
        projected = centred @ self.root  # [M, d]
        small = projected @ projected.T if len(x) < x.shape[1] else projected.T @ projected
        cross = (torch.linalg.eigvalsh(small).clamp(min=0) / (len(x) - 1)).sqrt().sum()
        spread = centred.square().sum() / (len(x) - 1)
        distance = (x.mean(0) - self.mean).square().sum() + spread + self.covariance.trace() - 2 * cross
        return max(float(distance), 0.0)  # it is never below 0; rounding is


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean [d] and covariance [d, d] (n - 1), float64, of features [N, d] of any float type."""
    mean = x.mean(0, dtype=torch.float64)
    squares = sum((part.double() - mean).T @ (part.double() - mean) for part in x.split(ROWS))
    return mean, squares / (len(x) - 1)
