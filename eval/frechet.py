"""The Frechet distance between two sets of features: how far their means and spreads are apart."""

from functools import cached_property

import torch
from torch import Tensor

ROWS = 5_000


class Moments:
    """Mean and covariance of real features [N, d]."""

    def __init__(self, x: Tensor):
        self.mean, self.covariance = moments(x)

    @cached_property
    def root(self) -> Tensor:
        """The square root of the covariance [d, d]."""
        values, vectors = torch.linalg.eigh(self.covariance)
        return (vectors * values.clamp(min=0).sqrt()) @ vectors.T

    def distance(self, x: Tensor) -> float:
        """Squared Frechet distance of the normal distributions with the same moments as x [M, d] and the real set.

        |mu_a - mu_b|^2 + tr(S_a + S_b - 2 (S_a^1/2 S_b S_a^1/2)^1/2), Dowson and Landau 1982, as in FID
        (Heusel et al. 2017). The symmetric form needs eigenvalues only, so covariances may be singular; with
        fewer images than features they come from the smaller matrix of inner products. Bias for equal
        distributions of unit variance: about 2d/M + d(d+1)/(2(M-1)).
        """
        return float(self.of(x, torch.ones(1, len(x), dtype=torch.bool)))

    def of(self, x: Tensor, members: Tensor) -> Tensor:
        """`distance` [B] of each of the subsets `members`, bool [B, M], of x [M, d] float64.

        What is costly with many features, the product with the covariance, is done once for all subsets: a subset
        is moved to its own mean afterwards.
        """
        shifted, counts = x - self.mean, members.sum(1)
        if counts.min() < x.shape[1]:
            inner = shifted @ (self.covariance @ shifted.T)  # [M, M]
        if counts.max() >= x.shape[1]:
            projected = shifted @ self.root  # [M, d]
        found = []
        for member, n in zip(members, counts.tolist(), strict=True):
            part = shifted[member]
            centre = part.mean(0)
            if n < x.shape[1]:
                small = _centred(inner[member][:, member])
            else:
                rows = projected[member] - projected[member].mean(0)
                small = rows.T @ rows
            cross = (torch.linalg.eigvalsh(small).clamp(min=0) / (n - 1)).sqrt().sum()
            spread = (part - centre).square().sum() / (n - 1)
            found.append(centre.square().sum() + spread + self.covariance.trace() - 2 * cross)
        return torch.stack(found).clamp(min=0)  # it is never below 0; rounding is


def _centred(inner: Tensor) -> Tensor:
    """Inner products [n, n] of some rows as those of the rows less their mean."""
    return inner - inner.mean(0) - inner.mean(1, keepdim=True) + inner.mean()


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean [d] and covariance [d, d] (n - 1), float64, of features [N, d] of any float type."""
    mean = x.mean(0, dtype=torch.float64)
    squares = sum((part.double() - mean).T @ (part.double() - mean) for part in x.split(ROWS))
    return mean, squares / (len(x) - 1)
