"""Kernel distances (maximum mean discrepancy) between sets of features: KID and CMMD, unbiased, never clipped."""

from collections.abc import Callable

import torch
from torch import Tensor

ROWS = 1_000
Kernel = Callable[[Tensor, Tensor], Tensor]  # [n, d], [m, d] -> [n, m]


def polynomial(x: Tensor, y: Tensor) -> Tensor:
    """(x.y / d + 1)^3: the kernel of KID (Binkowski et al. 2018)."""
    return (x @ y.T / x.shape[1] + 1) ** 3


def gaussian(x: Tensor, y: Tensor) -> Tensor:
    """1000 exp(-|x - y|^2 / 200) of unit vectors: the kernel of CMMD (Jayasumana et al. 2024), sigma 10."""
    x, y = (torch.nn.functional.normalize(z, dim=1) for z in (x, y))
    return 1000 * torch.exp((x @ y.T - 1) / 100)


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
        m = members.double()
        count = m.sum(1)
        inside, diagonal, across = torch.zeros(len(m)).double(), [], []
        for start in range(0, len(x), ROWS):
            rows = slice(start, start + ROWS)
            gram = self.kernel(x[rows], x)  # [rows, M]
            inside += (m[:, rows] @ gram * m).sum(1)
            diagonal.append(gram[:, rows.start : rows.stop].diagonal())
            across.append(self.kernel(x[rows], self.real).mean(1))
        pairs = inside - m @ torch.cat(diagonal)
        return self.within + pairs / (count * (count - 1)) - 2 * (m @ torch.cat(across)) / count


def _within(real: Tensor, kernel: Kernel) -> float:
    n = len(real)
    total = sum(float(kernel(part, real).sum()) for part in real.split(ROWS))
    own = sum(float(kernel(x[None], x[None])) for x in real)
    return (total - own) / (n * (n - 1))
