"""How far a statistic of n images would move with other images: its spread between complementary halves.

A sample is cut at random into two halves, B times. For a statistic that is a mean, half the difference of
the two halves has exactly the variance of the statistic at n; for others it has it in the first order,
and what a statistic gains by being measured on fewer images (its bias) is in both halves and cancels.
This is the delete-half jackknife (Shao and Wu 1989) on balanced halves (McCarthy 1969).
"""

from collections.abc import Callable

import torch
from scipy.special import stdtrit
from torch import Tensor

from eval.metrics import Estimate

PAIRS = 20
FEWEST = 10  # images; half of them is the least that says anything about the spread


def splits(n: int, pairs: int = PAIRS) -> Tensor:
    """bool [2 pairs, n]: row i and row i + pairs are complementary halves. The same for the same n."""
    rng = torch.Generator().manual_seed(n)
    order = torch.rand(pairs, n, generator=rng).argsort(1)
    first = torch.zeros(pairs, n, dtype=torch.bool).scatter_(1, order[:, : n // 2], True)
    return torch.cat([first, ~first])


def estimate(
    value: float,
    n: int,
    of_halves: Callable[[Tensor], Tensor],
    low: float = -torch.inf,
    high: float = torch.inf,
    bend: float = -0.5,
) -> Estimate:
    """`value` with its 95 % interval, cut to [low, high]; `of_halves` maps bool [B, n] to the statistic [B].

    `bend` is the share of what the mean of two complementary halves moves by (0 for a mean, the curvature of
    the statistic otherwise) that is added to the variance.
    """
    if n < FEWEST:
        return Estimate(value, None, None, n)
    one, other = of_halves(splits(n)).double().chunk(2)
    odd = float(((one - other) / 2).square().mean())
    even = float(((one + other) / 2).var())
    half = stdtrit(len(one), 0.975) * max(odd + bend * even, odd / 2) ** 0.5
    return Estimate(value, float(max(value - half, low)), float(min(value + half, high)), n)


def jackknife(value: float, lost: Tensor, low: float, high: float) -> Estimate:
    """`value` of n images with its interval; `lost` [n] is what it loses when one image is left out (Tukey 1958)."""
    n = len(lost)
    if n < FEWEST:
        return Estimate(value, None, None, n)
    half = stdtrit(n - 1, 0.975) * float(((n - 1) / n * (lost - lost.mean()).square().sum()).sqrt())
    return Estimate(value, float(max(value - half, low)), float(min(value + half, high)), n)
