"""One optimizer step after another. `Trainer` owns the state; `fit.py` logs, saves and stops.

All randomness of step k comes from generators seeded with (seed, k), so the state of a run is its
weights, its optimizer and a count: resuming needs no random state, and ends bit for bit where an
uninterrupted run does.
"""

import copy
import math
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from diffusion_core import ema
from diffusion_core.config import NetworkConfig, TrainConfig, to_dict
from diffusion_core.data import Dataset
from diffusion_core.denoiser import Denoiser
from diffusion_core.errors import UserError
from diffusion_core.loss import Draws, denoising_loss, draw, quartile
from diffusion_core.optimizers import make_optimizers
from diffusion_core.pixels import to_model

MAX_BAD_STEPS = 5  # in a row, before a run gives up


class StepResult(NamedTuple):
    """What one step reports; the quartile columns run from the least to the most noise."""

    step: int
    images: int
    lr: float
    loss: float
    grad_norm: float
    quartile_sums: list[float]
    quartile_counts: list[int]
    applied: bool  # False: loss or gradient was not finite, and nothing was changed
    reward: float | None = None  # mean of the batch, of a tuning


class Trainer:
    """Network, EMA, optimizer and the count of steps."""

    def __init__(self, network: NetworkConfig, config: TrainConfig, data: Dataset, device: torch.device):
        if network.image != data.spec.shape or network.classes != len(data.spec.class_names):
            raise UserError(f"The network is made for {network.image} and {network.classes} classes, the data not.")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            denoiser = Denoiser(network)
        self.config, self.data, self.device = config, data, device
        self.denoiser = denoiser.to(device, memory_format=torch.channels_last).train()
        self.average = copy.deepcopy(self.denoiser).eval().requires_grad_(False)
        self.optimizers = make_optimizers(self.denoiser, config)
        self.parts = {"model": self.denoiser.network, "ema": self.average.network}  # what a resumed run needs
        self.step = 0
        self.bad_in_a_row = 0

    @property
    def images(self) -> int:
        return self.step * self.config.batch

    def every_optimizer(self) -> list[torch.optim.Optimizer]:
        """Those whose state a resumed run needs."""
        return self.optimizers

    def configs(self) -> dict[str, dict]:
        """What a run must have in common with the one that it goes on with; JSON types."""
        return {"network": to_dict(self.denoiser.config), "train": to_dict(self.config)}

    def begin(self, weights: Denoiser, images: int) -> None:
        """Go on with weights that have seen so many images; the optimizer's memory begins anew."""
        for part in self.parts.values():
            part.load_state_dict(weights.network.state_dict())
        self.step = images // self.config.batch

    def steps(self) -> Iterator[StepResult]:
        """Train for ever; the caller decides when to stop. `UserError` after MAX_BAD_STEPS bad steps."""
        while True:
            yield self.train_step()
            if self.bad_in_a_row >= MAX_BAD_STEPS:
                raise UserError(
                    f"Training diverged at step {self.step}: loss not finite {MAX_BAD_STEPS} times in a row. "
                    "The last good weights are kept; lower the learning rate."
                )

    def train_step(self) -> StepResult:
        """Forward, backward and, if all is finite, one update of weights and EMA."""
        x0, labels, generator = self._batch()
        factor = learning_rate(self.images, self.config)
        for group in (group for optimizer in self.optimizers for group in optimizer.param_groups):
            group["lr"] = group["peak_lr"] * factor
        losses, sigma = self.losses(x0, labels, generator)  # [N] each
        losses.mean().backward()
        norm = torch.nn.utils.clip_grad_norm_(self.denoiser.parameters(), self.config.clip)
        self.step += 1
        applied = bool(norm.isfinite() & losses.isfinite().all())
        if applied:
            for optimizer in self.optimizers:
                optimizer.step()
            ema.update(self.average, self.denoiser, self.step, self.config.ema_gamma)
        self.bad_in_a_row = 0 if applied else self.bad_in_a_row + 1
        self.denoiser.zero_grad()
        return self._result(losses.detach().cpu(), sigma.cpu(), self.config.lr * factor, float(norm), applied)

    def losses(self, x0: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The loss of every example of a batch and the noise level it was drawn at, [N] each."""
        draws = draw(x0, labels, self.denoiser.null_label, self.config, generator)
        draws = Draws(*(value.to(self.device) for value in draws))
        return denoising_loss(self.denoiser, x0.to(self.device), draws), draws.sigma

    def _batch(self) -> tuple[Tensor, Tensor, torch.Generator]:
        """The images and labels of this step, on the CPU, and the generator of all its randomness."""
        indices = batch_indices(self.step, self.config.batch, len(self.data.labels), self.config.seed)
        x0 = to_model(self.data.images[indices], self.data.spec)
        generator = torch.Generator().manual_seed(_mix(self.config.seed, 1, self.step))
        if self.data.spec.flip:
            x0 = mirrored(x0, generator)
        return x0, self.data.labels[indices], generator

    def _result(self, losses: Tensor, sigma: Tensor, lr: float, norm: float, applied: bool) -> StepResult:
        which = quartile(sigma, self.config)
        counts = torch.bincount(which, minlength=4)
        sums = torch.zeros(4, dtype=torch.float64).index_add_(0, which, losses.double())
        return StepResult(
            self.step, self.images, lr, float(losses.mean()), norm, sums.tolist(), counts.tolist(), applied
        )


def learning_rate(images: int, config: TrainConfig) -> float:
    """Factor on every rate: linear warm-up, then 1 / sqrt(images / decay_images) (Karras et al. 2024, EDM2, eq. 67).

    It depends on the images seen and not on a planned end, so a run can always be continued.
    """
    rise = min(1.0, (images + config.batch) / config.warmup_images)
    return rise / math.sqrt(max(1.0, images / config.decay_images))


def mirrored(images: Tensor, generator: torch.Generator) -> Tensor:
    """Images [N, C, H, W], each on its own with chance 1/2 as its mirror image."""
    turned = torch.rand(len(images), generator=generator) < 0.5
    return torch.where(turned[:, None, None, None], images.flip(3), images)


def batch_indices(step: int, batch: int, size: int, seed: int) -> Tensor:
    """Indices int64 [batch] of 0-based step `step`: every epoch is a fresh permutation, none is cut short."""
    first = step * batch
    pieces, last = [], first + batch
    while first < last:
        epoch, offset = divmod(first, size)
        pieces.append(_order(epoch, size, seed)[offset : offset + last - first])
        first += len(pieces[-1])
    return torch.cat(pieces)


@lru_cache(maxsize=2)  # a batch may reach from one epoch into the next
def _order(epoch: int, size: int, seed: int) -> Tensor:
    """The permutation int64 [size] of one epoch: drawn once an epoch, not once a step."""
    return torch.randperm(size, generator=torch.Generator().manual_seed(_mix(seed, 2, epoch)))


def _mix(seed: int, purpose: int, count: int) -> int:
    """One generator seed for each (seed, purpose, count), 32 bits: torch's generator ignores higher ones."""
    return int(np.random.SeedSequence((seed, purpose, count)).generate_state(1)[0])
