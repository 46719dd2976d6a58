"""Kernel distances (maximum mean discrepancy) between sets of features: KID and CMMD, unbiased, never clipped."""

from collections.abc import Callable

import torch
from torch import Tensor

ROWS = 200  # of a kernel's matrix that are held at once: 16 MB for 10,000 columns
Kernel = Callable[[Tensor, Tensor], Tensor]  # [n, d], [m, d] -> [n, m]

# In place, since a matrix of products is too large for the caches and every pass over it costs as much as the last.


def polynomial(x: Tensor, y: Tensor) -> Tensor:
    """(x.y / d + 1)^3: the kernel of KID (Binkowski et al. 2018)."""
    gram = (x @ y.T).div_(x.shape[1]).add_(1)
    return gram.square().mul_(gram)


def gaussian(x: Tensor, y: Tensor) -> Tensor:
    """1000 exp(-|x - y|^2 / 200) of unit vectors: the kernel of CMMD (Jayasumana et al. 2024), sigma 10."""
    return (x @ y.T).sub_(1).div_(100).exp_().mul_(1000)


class Discrepancy:
    """Squared maximum mean discrepancy of a fixed real set [N, d] and others, the unbiased estimator.

    Gretton et al. 2012, eq. 3: mean k(x, x') over pairs + mean k(y, y') over pairs - 2 mean k(x, y). Its
    expectation is 0 for equal distributions, so about half of such draws are negative. (CMMD as published
    keeps the pairs of an image with itself, and so is never below 0; this form leaves them out.)
    """

    def __init__(self, real: Tensor, kernel: Kernel, within: float | None = None):
        """`within`: the mean over pairs of real images, where an earlier one of the same images found it."""
        self.real, self.kernel = real, kernel
        self.within = _within(real, kernel) if within is None else within

    def of(self, x: Tensor, members: Tensor) -> Tensor:
        """The distance of the real set and each subset of x [M, d]; members bool [B, M], 2 or more each -> [B]."""
        m, n = members.double(), len(x)
        count, inside = m.sum(1), torch.zeros(len(m)).double()
        # Filled in place: small results that outlive each large matrix would leave holes in the memory behind them.
        diagonal, across = torch.empty(2, n, dtype=torch.float64)
        for start in range(0, n, ROWS):
            rows = slice(start, min(start + ROWS, n))
            gram = self.kernel(x[rows], x)  # [rows, M]
            inside += (m[:, rows] @ gram * m).sum(1)
            diagonal[rows] = gram[:, rows].diagonal()
            across[rows] = self.kernel(x[rows], self.real).mean(1)
        pairs = inside - m @ diagonal
        return self.within + pairs / (count * (count - 1)) - 2 * (m @ across) / count


def _within(real: Tensor, kernel: Kernel) -> float:
    n, total = len(real), 0.0
    for start in range(0, n, ROWS):
        gram = kernel(real[start : start + ROWS], real)
        total += float(gram.sum() - gram[:, start : start + ROWS].trace())
    return total / (n * (n - 1))
