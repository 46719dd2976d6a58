"""One run of a study, in a process of its own: a `Job` as JSON on stdin, its row as the last line of stdout.

    OMP_NUM_THREADS=1 python -m eval.study_run PICTURE.png < JOB.json

A process of its own has a peak of memory of its own, and one thread: two such programs train more images a second
than one with two threads. It ends when whoever started it is gone.
"""

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from diffusion_core import checkpoint as checkpoints
from diffusion_core.checkpoint import Checkpoint, CheckpointMeta
from diffusion_core.config import SampleConfig, from_dict
from diffusion_core.data import load
from diffusion_core.generate import generate
from diffusion_core.noise import plan
from diffusion_core.train import Trainer
from eval.sources import CHECKPOINTS, RealSource
from eval.study import SEED, Job
from eval.study_judge import Bench
from eval.study_train import History, diverged, flops, held_out, peak_memory, train

ROWS = 4  # of the picture; a column a digit
PLAIN = ("accuracy", "second_accuracy", "clip_accuracy", "fd", "recall")  # what is kept of digits without guidance
Drawn = tuple[Tensor, Tensor]  # uint8 [N, C, H, W] and labels int64 [N]


def main() -> None:
    """Do the job on stdin."""
    torch.set_num_threads(1)
    row = run(from_dict(Job, json.loads(sys.stdin.read())), Path(sys.argv[1]))
    print(json.dumps(finite(row), allow_nan=False), flush=True)


def run(job: Job, picture: Path) -> dict:
    """The row of one job; the first digits that it drew go into `picture`."""
    row = {"variant": job.name, "seed": job.seed, "made": job.made, "revision": checkpoints.revision()}
    if job.variant.train is not None:
        found, digits = trained(job)
    elif job.variant.checkpoint is not None:
        digits = draw(checkpoints.load(CHECKPOINTS / job.variant.checkpoint), job, job.variant.sample)
        found = Bench().measure(*digits)
    else:
        digits = real(job)
        found = Bench().measure(*digits)
    save(picture, digits[0])
    return row | found


def trained(job: Job) -> tuple[dict, Drawn]:
    """Train, judge, and say what it took."""
    config, sample = job.variant.train, job.variant.sample
    data, before = load(config.dataset), peak_memory()
    trainer = Trainer(job.variant.network, config, data, torch.device("cpu"))
    history, looks = History(), []
    for stop in sorted({*job.looks, job.images}):
        train(trainer, stop, history)
        if stop in job.looks:
            looks.append((trainer.images, draw(as_checkpoint(trainer, job), job, sample)))
    memory = peak_memory() - before  # before the judges are loaded
    model, bench = as_checkpoint(trainer, job), Bench()
    guided, plain = draw(model, job, sample), draw(model, job, replace(sample, guidance=1.0))
    unguided = bench.measure(*plain)
    row = {
        "images": trainer.images,
        "parameters": sum(p.numel() for p in trainer.denoiser.parameters()),
        "flops": flops(trainer),
        "seconds": round(history.seconds, 2),
        "memory": round(memory, 1),
        "diverged": diverged(history.losses),
        **held_out(trainer.average, load(config.dataset, "test")),
        **bench.measure(*guided),
        **{f"plain_{name}": unguided[name] for name in PLAIN},
        "curve": history.curve(),
        "looks": [{"images": n} | bench.measure(*digits) for n, digits in looks],
    }
    return row, guided


def as_checkpoint(trainer: Trainer, job: Job) -> Checkpoint:
    """The averaged weights as they are now."""
    config = job.variant.train
    meta = CheckpointMeta(config.dataset, job.variant.network, config, job.variant.sample, trainer.images, 0.0)
    return Checkpoint(Path(job.name), meta, trainer.average)


def draw(model: Checkpoint, job: Job, sample: SampleConfig) -> Drawn:
    """The digits of a run's seed: other noise for every seed, the same in every variant."""
    classes = model.meta.network.classes
    labels, seeds = plan(job.per_class, SEED + job.seed * job.per_class * classes, classes)
    return generate(model, labels, seeds, sample), labels


def real(job: Job) -> Drawn:
    """As many real test digits."""
    source = RealSource("test")
    labels, seeds = source.plan(job.per_class, job.seed)
    return source.images(labels, seeds), labels


def save(path: Path, images: Tensor) -> None:
    """The first rows of a set whose labels run 0 to 9 again and again, as one picture."""
    sheet = images[: ROWS * 10].view(ROWS, 10, *images.shape[1:])[:, :, 0]  # [rows, 10, H, W]
    sheet = sheet.permute(0, 2, 1, 3).reshape(ROWS * images.shape[2], 10 * images.shape[3])
    Image.fromarray(sheet.numpy()).save(path, optimize=True)


def finite(value):
    """The same JSON value; a number that is none, as where a run diverged, is null."""
    if isinstance(value, dict):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, list):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


if __name__ == "__main__":
    main()
