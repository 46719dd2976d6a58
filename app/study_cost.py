"""What the variants of a study cost, one after the other in one process with one thread; nothing else may run.

The runs of a study share the machine, so their seconds are no measure of speed; these are.
"""

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from app.studying import COSTS
from diffusion_core import checkpoint as checkpoints
from diffusion_core.checkpoint import Checkpoint
from diffusion_core.data import load
from diffusion_core.generate import block_size, generate
from diffusion_core.noise import plan
from diffusion_core.train import Trainer
from eval.atomic import atomic_file
from eval.sources import CHECKPOINTS
from eval.study import SEED, Job, Study, Variant, jobs
from eval.study_run import as_checkpoint

ROUNDS = 5  # each times every variant once: what slows the machine for a while slows them all
STEPS = 3  # of training, in a round
Progress = Callable[[int, int], None]


def measure(study: Study, folder: Path, progress: Progress | None = None) -> list[dict]:
    """A row a variant: median milliseconds of a training step and of a digit drawn; into `folder`."""
    timed = [Timed(job) for job in jobs(study) if job.seed == 0 and job.variant != Variant()]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for round in range(-1, ROUNDS):  # the first one warms up
        for i, one in enumerate(timed):
            one.once(keep=round >= 0)
            if progress:
                progress((round + 1) * len(timed) + i + 1, (ROUNDS + 1) * len(timed))
    torch.set_num_threads(threads)
    rows = [one.row() for one in timed]
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_file(folder / COSTS) as beside:
        beside.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return rows


class Timed:
    """One variant and how long it took each time, in milliseconds."""

    def __init__(self, job: Job):
        self.job, self.trainer = job, None
        if job.variant.checkpoint:
            self.model = checkpoints.load(CHECKPOINTS / job.variant.checkpoint)
        else:
            config = job.variant.train
            self.trainer = Trainer(job.variant.network, config, load(config.dataset), torch.device("cpu"))
            self.model: Checkpoint = as_checkpoint(self.trainer, job)
        self.steps: list[float] = []
        self.digits: list[float] = []

    def once(self, keep: bool) -> None:
        """A few training steps, and a block of digits."""
        sample = self.job.variant.sample
        labels, seeds = (x[: block_size(sample)] for x in plan(4, SEED, self.model.meta.network.classes))
        digit = milliseconds(lambda: generate(self.model, labels, seeds, sample)) / len(labels)
        step = milliseconds(self.train) / STEPS if self.trainer else None
        if keep:
            self.digits.append(digit)
            self.steps += [step] if step else []

    def train(self) -> None:
        for _ in range(STEPS):
            self.trainer.train_step()

    def row(self) -> dict:
        step = round(statistics.median(self.steps), 2) if self.steps else None
        return {"variant": self.job.name, "step_ms": step, "digit_ms": round(statistics.median(self.digits), 3)}


def milliseconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)
