"""What the training of every judge shares: when it ends, the learning rate, the average of the weights."""

import math
import time
from collections.abc import Iterator

import torch
from torch import Tensor, nn


class Clock:
    """Progress from 0 to 1 over `epochs` passes, or over `minutes` where those run out first.

    All but `minutes` is drawn from seeds: a run that is not cut short repeats up to the rounding of
    bfloat16 sums (which may differ from run to run, so retrained weights are equal in kind, not in bits).
    """

    def __init__(self, per_epoch: int, epochs: float, minutes: float):
        self.per_epoch, self.steps, self.minutes = per_epoch, round(epochs * per_epoch), minutes
        self.start, self.done = time.monotonic(), 0

    @property
    def progress(self) -> float:
        spent = (time.monotonic() - self.start) / 60
        return min(1.0, max(self.done / self.steps, spent / self.minutes))

    @property
    def passes(self) -> float:
        return self.done / self.per_epoch

    def batches(self, n: int, size: int, rng: torch.Generator) -> Iterator[Tensor]:
        """Row numbers [size] of one shuffled pass over n rows, as long as time remains."""
        for rows in torch.randperm(n, generator=rng).split(size):
            if self.progress >= 1:
                return
            yield rows
            self.done += 1


def one_cycle(progress: float, warm: float = 0.1) -> float:
    """Share of the peak learning rate: linear rise over `warm`, then half a cosine down to 0."""
    if progress < warm:
        return 0.02 + 0.98 * progress / warm
    return 0.5 * (1 + math.cos(math.pi * (progress - warm) / (1 - warm)))


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = lr


@torch.no_grad()
def follow(ema: nn.Module, net: nn.Module, beta: float, done: int) -> None:
    """Exponential moving average of weights and running statistics, in place.

    `beta` is reached from below, so that the first steps are forgotten quickly.
    """
    beta = min(beta, (1 + done) / (10 + done))
    for slow, fast in zip(ema.state_dict().values(), net.state_dict().values(), strict=True):
        if slow.is_floating_point():
            slow.lerp_(fast, 1 - beta)
        else:
            slow.copy_(fast)
