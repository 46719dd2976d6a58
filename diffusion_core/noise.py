"""Which images a request names, and the randomness of each of them.

An image is named by (checkpoint, sample config, label, seed). Each seed has a generator of its own,
so image 7 is the same whatever else is in its batch.
"""

from typing import Protocol

import torch
from torch import Tensor

from diffusion_core.errors import UserError

MAX_WRITTEN = 24  # digits of a number
MAX_SEED = 2**32 - 1  # torch's CPU generator (mt19937) ignores higher bits: 2^32 would be seed 0 again


def plan(per_class: int, seed: int, classes: int, labels: tuple[int, ...] | None = None) -> tuple[Tensor, Tensor]:
    """Labels and seeds, each int64 [per_class * len(labels)], of `per_class` images of each label.

    The i-th image of label d has seed `seed + i * classes + d`: no two images share their noise, a
    smaller request is the beginning of a larger one, and the labels asked for do not shift the seeds.
    """
    chosen = tuple(range(classes)) if labels is None else labels
    if not chosen:
        raise UserError("No label asked for.")
    wrong = [d for d in chosen if not 0 <= d < classes]
    if wrong:
        raise UserError(f"Label {wrong[0]} is outside 0..{classes - 1}.")
    if len(set(chosen)) != len(chosen):
        raise UserError("A label is asked for twice; raise the count per class instead.")
    if per_class < 1:
        raise UserError(f"The count per class must be at least 1, not {per_class}.")
    if not 0 <= seed <= MAX_SEED - per_class * classes:
        raise UserError(f"The seed must be from 0 to {max(0, MAX_SEED - per_class * classes)}, not {seed}.")
    row = torch.tensor(chosen)
    start = seed + classes * torch.arange(per_class)
    return row.repeat(per_class), (start[:, None] + row).flatten()


def written(number: str, seed: int, classes: int) -> tuple[Tensor, Tensor]:
    """Labels and seeds, each int64 [len(number)], of a number such as "2026", its digits in their order.

    The i-th digit d has seed `seed + i * classes + d`, as in `plan`: the same digit twice is drawn from two noises.
    """
    if not isinstance(number, str) or not number.isascii() or not number.isdigit() or len(number) > MAX_WRITTEN:
        raise UserError(f"A number to write is 1 to {MAX_WRITTEN} digits, such as 2026.")
    labels = torch.tensor([int(d) for d in number])
    if int(labels.max()) >= classes:
        raise UserError(f"Label {int(labels.max())} is outside 0..{classes - 1}.")
    limit = MAX_SEED - len(number) * classes
    if not 0 <= seed <= limit:
        raise UserError(f"The seed must be from 0 to {limit}, not {seed}.")
    return labels, seed + classes * torch.arange(len(number)) + labels


class Draws(Protocol):
    """Where a sampler gets its noise from: one draw to start with, and one whenever it adds noise again."""

    def normal(self, *shape: int) -> Tensor:
        """float32 [N, *shape], standard normal."""


class Noise:
    """Standard normal draws with one generator per seed (as NVlabs/edm's StackedRandomGenerator)."""

    def __init__(self, seeds: Tensor):
        self.generators = [torch.Generator().manual_seed(int(seed)) for seed in seeds]

    def normal(self, *shape: int) -> Tensor:
        """float32 [N, *shape]; row i depends only on seed i and on how often it was drawn from."""
        return torch.stack([torch.randn(shape, generator=g) for g in self.generators])
