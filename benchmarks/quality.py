"""How good 10,000 digits of each shipped checkpoint are, by the classifier, which had no say in any setting.

Frechet distance (FD) to all training digits over that of the 10,000 real test digits; recall; coverage over that of
those; in the classifier's features, k = 5, against 10,000 training digits. A student draws with 1, 2 and 4 calls.
"""

import time
from dataclasses import replace

from benchmarks.sampling import FEW_CALLS, NAMES, network_rows
from benchmarks.sweep import Ruler
from diffusion_core import checkpoint as checkpoints
from diffusion_core.data import ROOT
from diffusion_core.generate import generate
from diffusion_core.noise import plan
from eval.metrics import wilson
from eval.sources import RealSource

PER_CLASS = 1000
SEED = 0


def measure(machine: dict) -> list[dict]:
    """A row for the test digits, then one a checkpoint and number of calls."""
    ruler, test = Ruler("classifier"), RealSource("test").data
    real = ruler.measure(test.images, test.labels)
    rows = [row("real test digits", None, None, real, real)]
    for name in NAMES:
        model = checkpoints.load(ROOT / "checkpoints" / name)
        for steps in FEW_CALLS if model.meta.distill else (model.meta.sample.steps,):
            sample = replace(model.meta.sample, steps=steps)
            labels, seeds = plan(PER_CLASS, SEED, model.meta.network.classes)
            start = time.monotonic()
            images = generate(model, labels, seeds, sample)
            took = time.monotonic() - start
            found = row(name, steps, network_rows(model, sample), ruler.measure(images, labels), real)
            rows.append(found | {"images_per_second": len(images) / took})
            print(rows[-1], flush=True)
    return rows


def row(name: str, steps: int | None, calls: float | None, found: dict, real: dict) -> dict:
    """The figures of one set of images beside those of the real ones."""
    return {
        "checkpoint": name,
        "steps": steps,
        "network_calls": calls,
        "n": found["n"],
        **accuracy_columns(round(found["accuracy"] * found["n"]), found["n"]),
        "fd": found["fd"],
        "fd_over_floor": found["fd"] / real["fd"],
        "recall": found["recall"],
        "coverage_over_real": found["coverage"] / real["coverage"],
    }


def accuracy_columns(right: int, n: int) -> dict:
    """The share with its 95 % interval (Wilson)."""
    share = wilson(right, n)
    return {"accuracy": share.value, "accuracy_interval": [share.low, share.high]}
