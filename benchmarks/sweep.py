"""Choose a checkpoint's recommended sampler, steps and guidance: accuracy against diversity.

    python -m benchmarks.sweep checkpoints/mnist --per-class 200 --out docs/sweep.csv

Every setting draws the same labels and seeds. Accuracy, Frechet distance, precision, recall, density
and coverage are measured by the `selector` judge, which reports nothing else: the judges whose scores
are shown are never tuned against. The reference is the training split; the floor is what as many real
test digits score. Distances in features of n images are biased by n, so all rows have the same n.
"""

import argparse
import csv
import time
from dataclasses import replace
from itertools import product
from pathlib import Path

import torch

from diffusion_core import checkpoint as checkpoints
from diffusion_core.generate import generate
from diffusion_core.noise import plan
from eval.distribution import frechet_distance, precision_recall_density_coverage
from eval.judge import load_judge
from eval.sources import RealSource

REFERENCE = 10_000  # training digits for the neighbourhoods of precision and recall
SEED = 5_000_000  # apart from the seeds that reports are made of


def main() -> None:
    """Print a row a setting, and write them all as CSV."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--per-class", type=int, default=200)
    parser.add_argument("--samplers", default="dpmpp2m")
    parser.add_argument("--steps", default="10")
    parser.add_argument("--guidance", default="1,1.15,1.3,1.35,1.45")
    parser.add_argument("--intervals", type=pairs, default=[None], help="of guidance: 0-1000,0.3-5 (default: as it is)")
    parser.add_argument("--levels", type=lists, default=[None], help="40,0.8;40,1.5, or none for Karras's")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    model = checkpoints.load(arguments.checkpoint)
    measure = Ruler("selector", model.meta.dataset).measure
    labels, seeds = plan(arguments.per_class, SEED, model.meta.network.classes)
    test = RealSource("test", model.meta.dataset)
    rows = [
        {
            "setting": "real test digits",
            **measure(test.images(*test.plan(arguments.per_class)), test.plan(arguments.per_class)[0]),
        }
    ]
    show(rows[-1])
    grid = product(
        arguments.samplers.split(","),
        arguments.steps.split(","),
        arguments.guidance.split(","),
        arguments.intervals,
        arguments.levels,
    )
    for sampler, steps, guidance, interval, levels in grid:
        config = replace(model.meta.sample, sampler=sampler, steps=int(steps), guidance=float(guidance))
        name = f"{sampler} {steps} steps, guidance {guidance}"
        if interval is not None:
            config, name = replace(config, interval=interval), f"{name} in {interval[0]:g}-{interval[1]:g}"
        if levels is not None:
            config, name = replace(config, levels=levels), f"{name}, levels {' '.join(map(str, levels)) or 'Karras'}"
        config.validate()
        start = time.monotonic()
        images = generate(model, labels, seeds, config)
        seconds = time.monotonic() - start
        rows.append({"setting": name, **measure(images, labels)})
        show(rows[-1], f"{len(images) / seconds:.0f} images/s")
        write(arguments.out, rows)


def pairs(text: str) -> list[tuple[float, float]]:
    """ "0-1000,0.3-5" -> [(0.0, 1000.0), (0.3, 5.0)]."""
    return [(float(low), float(high)) for low, high in (part.split("-") for part in text.split(","))]


def lists(text: str) -> list[tuple[float, ...]]:
    """ "40,0.8;none" -> [(40.0, 0.8), ()]."""
    return [() if part == "none" else tuple(map(float, part.split(","))) for part in text.split(";")]


class Ruler:
    """Accuracy, and distances to the training digits, in the features of one judge."""

    def __init__(self, judge: str, dataset: str = "mnist"):
        self.judge = load_judge(judge, dataset)
        self.train = self.judge.features(RealSource("train", dataset).data.images)
        some = torch.randperm(len(self.train), generator=torch.Generator().manual_seed(0))[:REFERENCE]
        self.neighbours = self.train[some]

    def measure(self, images, labels) -> dict:
        """uint8 [N, C, H, W] and int [N] -> n, accuracy, fd, precision, recall, density, coverage."""
        features = self.judge.features(images)
        accuracy = (self.judge.logits(images).argmax(1) == labels).double().mean()
        shape = precision_recall_density_coverage(self.neighbours, features)
        fd = frechet_distance(self.train, features)
        return {"n": len(images), "accuracy": float(accuracy), "fd": fd, **shape}


def show(row: dict, more: str = "") -> None:
    print("  ".join(f"{k} {v:.4f}" if isinstance(v, float) else f"{v}" for k, v in row.items()), more, flush=True)


def write(path: Path, rows: list[dict]) -> None:
    """All rows so far, so that a sweep that is stopped keeps what it measured."""
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows({k: round(v, 5) if isinstance(v, float) else v for k, v in row.items()} for row in rows)


if __name__ == "__main__":
    main()
