"""Classification accuracy score (Ravuri & Vinyals 2019): what a network that saw 60,000 drawn digits and no real one
reads right among the 10,000 real test digits. The network and its training are those of the judge `classifier`, which
reads 99.67 % after the 60,000 real training digits; the drawn digits are never chosen by any judge.
"""

import time

from benchmarks.quality import accuracy_columns
from diffusion_core import checkpoint as checkpoints
from diffusion_core.data import ROOT
from diffusion_core.generate import generate
from diffusion_core.noise import plan
from eval.judge import chunked
from eval.sources import RealSource
from eval.train_classifier import RECIPES, train

NAMES = ("mnist-turbo", "mnist")
PER_CLASS = 6000
SEED = 20_000_000
LIMIT = 30.0  # minutes of one training


def measure(machine: dict) -> list[dict]:
    """A row a checkpoint."""
    test, rows = RealSource("test").data, []
    for name in NAMES:
        model = checkpoints.load(ROOT / "checkpoints" / name)
        labels, seeds = plan(PER_CLASS, SEED, model.meta.network.classes)
        start = time.monotonic()
        images = generate(model, labels, seeds, model.meta.sample)
        drawn = time.monotonic()
        network, passes = train(RECIPES["classifier"], images, labels, LIMIT, lambda _: None)
        right = int((chunked(network, test.images).argmax(1) == test.labels).sum())
        rows.append(
            {
                "checkpoint": name,
                "steps": model.meta.sample.steps,
                "drawn": len(labels),
                "passes": passes,
                "n": len(test.labels),
                **accuracy_columns(right, len(test.labels)),
                "seconds_drawing": drawn - start,
                "seconds_training": time.monotonic() - drawn,
            }
        )
        print(rows[-1], flush=True)
        del images
    return rows
