"""What a run of a study keeps of its training: losses, divergence, cost; and the loss on digits it never saw."""

import copy
import math
import os
import resource
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from diffusion_core.config import TrainConfig
from diffusion_core.data import Dataset
from diffusion_core.denoiser import Denoiser
from diffusion_core.loss import Draws, denoising_loss, draw, quartile
from diffusion_core.pixels import to_model
from diffusion_core.train import MAX_BAD_STEPS, StepResult, Trainer

HELD_OUT, CHUNK = 2_000, 250  # test images that the loss is measured on, and how many at a time
POINTS = 25  # of the curve of the training loss
WINDOW, TOO_MUCH = 10, 2.0  # diverged: so many losses are this high on average; a network that says nothing has 1
QUARTERS = ("loss_q1", "loss_q2", "loss_q3", "loss_q4")  # of the noise levels, least noise first


@dataclass
class History:
    """Every step of a run, and the processor seconds that they took: with one thread, those of a core of its own."""

    steps: list[StepResult] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def losses(self) -> list[float]:
        return [step.loss for step in self.steps]

    def curve(self) -> list[list[float | None]]:
        """[images, loss, by quarter of the noise levels], each a mean since the row before."""
        size = max(1, math.ceil(len(self.steps) / POINTS))
        return [_mean(self.steps[i : i + size]) for i in range(0, len(self.steps), size)]


def _mean(steps: list[StepResult]) -> list[float | None]:
    sums = torch.tensor([step.quartile_sums for step in steps]).sum(0).tolist()
    counts = torch.tensor([step.quartile_counts for step in steps]).sum(0).tolist()
    quarters = [s / n if n else None for s, n in zip(sums, counts, strict=True)]
    return [steps[-1].images, sum(step.loss for step in steps) / len(steps), *quarters]


def train(trainer: Trainer, images: int, history: History) -> None:
    """Go on until `images` were seen or the run gave up. SystemExit where whoever started this process is gone."""
    parent, start = os.getppid(), time.process_time()
    while trainer.images < images and trainer.bad_in_a_row < MAX_BAD_STEPS:
        history.steps.append(trainer.train_step())
        if os.getppid() != parent:
            sys.exit("whoever asked for this run is gone")
    history.seconds += time.process_time() - start


def diverged(losses: list[float]) -> int | None:
    """The step, from 1, at which a run was lost: its loss no number, or WINDOW of them above TOO_MUCH on average."""
    for step in range(1, len(losses) + 1):
        if not math.isfinite(losses[step - 1]):
            return step
        if step >= WINDOW and sum(losses[step - WINDOW : step]) / WINDOW > TOO_MUCH:
            return step
    return None


@torch.no_grad()
def held_out(denoiser: Denoiser, test: Dataset) -> dict[str, float]:
    """The loss on test digits, in all and by quarter of the noise levels: always the same digits, levels and noise.

    With batch norm also `gap`: how much higher it is by the averages of training than by those of the batch at hand.
    """
    losses, quarter = _losses(denoiser, test)
    found = {"loss": float(losses.mean())}
    found |= {name: float(losses[quarter == i].mean()) for i, name in enumerate(QUARTERS)}
    if any(isinstance(module, nn.BatchNorm2d) for module in denoiser.modules()):
        found["gap"] = found["loss"] - float(_losses(copy.deepcopy(denoiser).train(), test)[0].mean())
    return found


def _losses(denoiser: Denoiser, test: Dataset) -> tuple[Tensor, Tensor]:
    """[HELD_OUT] each: the loss and the quarter of the noise level."""
    config = replace(TrainConfig(), label_dropout=0.0)
    x0, labels = to_model(test.images[:HELD_OUT], test.spec), test.labels[:HELD_OUT]
    draws = draw(x0, labels, denoiser.null_label, config, torch.Generator().manual_seed(0))
    parts = [slice(i, i + CHUNK) for i in range(0, HELD_OUT, CHUNK)]
    losses = [denoising_loss(denoiser, x0[p], Draws(*(value[p] for value in draws))) for p in parts]
    return torch.cat(losses), quartile(draws.sigma, config)


def flops(trainer: Trainer) -> int:
    """Floating point operations, forward and backward, for one training image; a multiply-add is two."""
    spec = trainer.data.spec
    images, ones = torch.zeros(2, *spec.shape), torch.ones(2)
    with FlopCounterMode(display=False) as counter:
        trainer.denoiser(images, ones, torch.tensor([0, 1])).square().sum().backward()
    trainer.denoiser.zero_grad()
    return counter.get_total_flops() // 2


def peak_memory() -> float:
    """The most megabytes this process ever held. On Linux `ru_maxrss` begins with the peak of whoever started it."""
    status = Path("/proc/self/status")
    if status.exists():
        kilobytes = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM")).split()[1]
        return int(kilobytes) / 1024
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
