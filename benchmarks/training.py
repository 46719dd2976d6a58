"""How fast a preset trains, and how long it takes to a stated quality, on an otherwise idle machine.

Every now and then the clock stops and the averaged weights are judged: accuracy and Frechet distance (FD) over its
floor, by the classifier, which had no say in the recipe. The floor is the FD of as many real test digits, in the same
features against the same training digits.
"""

import time
from pathlib import Path

from benchmarks.sweep import Ruler
from diffusion_core.checkpoint import Checkpoint, CheckpointMeta
from diffusion_core.data import load
from diffusion_core.device import best_device
from diffusion_core.generate import generate
from diffusion_core.noise import plan
from diffusion_core.presets import preset
from diffusion_core.train import Trainer
from eval.sources import RealSource

PRESET = "mnist-fast"
ACCURACY, TIMES_FLOOR = 0.99, 8.0
PER_CLASS = 1000
FIRST, EVERY, LIMIT = 6.0, 2.0, 20.0  # minutes of training: of the first judgement, between them, of giving up
SEED = 7_000_000


def measure(machine: dict) -> dict:
    """Images a second, and a row a judgement until the goal is reached."""
    chosen = preset(PRESET)
    trainer = Trainer(chosen.network, chosen.train, load(chosen.train.dataset), best_device())
    ruler, test = Ruler("classifier"), RealSource("test").data
    floor = ruler.measure(test.images, test.labels)["fd"]
    rows, trained, judge_at = [], 0.0, FIRST * 60
    while True:
        start = time.monotonic()
        trainer.train_step()
        trained += time.monotonic() - start
        if trained < judge_at:
            continue
        rows.append(judged(trainer, chosen, ruler, floor, trained))
        print(rows[-1], flush=True)
        judge_at += EVERY * 60
        reached = rows[-1]["accuracy"] >= ACCURACY and rows[-1]["fd_over_floor"] <= TIMES_FLOOR
        if reached or judge_at > LIMIT * 60:
            break
    return {
        "preset": PRESET,
        "images_per_second": trainer.images / trained,
        "goal": {"accuracy": ACCURACY, "fd_over_floor": TIMES_FLOOR, "n": PER_CLASS * 10},
        "minutes_to_goal": trained / 60 if reached else None,
        "curve": rows,
    }


def judged(trainer: Trainer, chosen, ruler: Ruler, floor: float, trained: float) -> dict:
    """What the averaged weights draw now, at the recommended settings."""
    meta = CheckpointMeta(chosen.train.dataset, chosen.network, chosen.train, chosen.sample, trainer.images, trained)
    labels, seeds = plan(PER_CLASS, SEED, chosen.network.classes)
    images = generate(Checkpoint(Path(PRESET), meta, trainer.average), labels, seeds, chosen.sample)
    found = ruler.measure(images, labels)
    return {
        "minutes": trained / 60,
        "images": trainer.images,
        "accuracy": found["accuracy"],
        "fd_over_floor": found["fd"] / floor,
        "recall": found["recall"],
    }
