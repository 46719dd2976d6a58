"""Which images a request names, and the randomness of each of them.

An image is named by (checkpoint, sample config, label, seed). Each seed has a generator of its own,
so image 7 is the same whatever else is in its batch.
"""

from typing import Protocol

import torch
from torch import Tensor

from diffusion_core.errors import UserError

MAX_WRITTEN = 24  # characters of a text
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


def written(text: str, seed: int, class_names: tuple[str, ...]) -> tuple[Tensor, Tensor]:
    """Labels and seeds, each int64 [len(text)], of a text such as "2026": the classes so called, in its order.

    The i-th character, of label d, has seed `seed + i * classes + d`, as in `plan`: the same one twice is drawn from
    two noises.
    """
    known = "".join(name for name in class_names if len(name) == 1)
    if not known:
        raise UserError("No class of this data set is called by a single character: nothing can be written with them.")
    if not isinstance(text, str) or not 1 <= len(text) <= MAX_WRITTEN or not set(text) <= set(known):
        raise UserError(f"What is written is 1 to {MAX_WRITTEN} characters of these: {known}.")
    labels = torch.tensor([class_names.index(character) for character in text])
    classes = len(class_names)
    limit = MAX_SEED - len(text) * classes
    if not 0 <= seed <= limit:
        raise UserError(f"The seed must be from 0 to {limit}, not {seed}.")
    return labels, seed + classes * torch.arange(len(text)) + labels


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
