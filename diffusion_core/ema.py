"""Power-function exponential moving average of the weights (Karras et al. 2024, EDM2, eq. 121-127)."""

import torch
from torch import nn


def beta(step: int, gamma: float) -> float:
    """What is kept of the average at optimizer step `step` = 1, 2, ...: (1 - 1/step)^(gamma + 1).

    The first step keeps nothing, so the initial weights never count.
    """
    return (1 - 1 / step) ** (gamma + 1)


@torch.no_grad()
def update(average: nn.Module, model: nn.Module, step: int, gamma: float) -> None:
    """average <- beta average + (1 - beta) model, in place; buffers are copied."""
    torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1 - beta(step, gamma))
    for mine, theirs in zip(average.buffers(), model.buffers(), strict=True):
        mine.copy_(theirs)
