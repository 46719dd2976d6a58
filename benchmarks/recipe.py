"""Which recipe makes the most of a few minutes of training: network, norm, optimizer, batch.

    python -m benchmarks.recipe --out docs/recipe.csv [--only "NAME;NAME"]

Every variant trains from nothing for the same time on an otherwise idle machine. Then its averaged weights are
measured: the training loss with fixed draws, and digits drawn with and without guidance by the `selector` judge,
which reports nothing else.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.sweep import Ruler, show, write
from diffusion_core.checkpoint import Checkpoint, CheckpointMeta
from diffusion_core.config import NetworkConfig, SampleConfig, TrainConfig
from diffusion_core.data import load
from diffusion_core.device import best_device
from diffusion_core.generate import generate
from diffusion_core.loss import denoising_loss, draw
from diffusion_core.noise import plan
from diffusion_core.pixels import to_model
from diffusion_core.train import Trainer

U, LEAN = NetworkConfig(), NetworkConfig(channels=(64, 96), norm="none", up_conv="low")
PLAIN = replace(U, norm="none")
ADAM, MUON, SMALL = (TrainConfig(optimizer=o, batch=n) for o, n in (("adam", 256), ("muon", 256), ("muon", 128)))
VARIANTS = {
    "14x14 64/128, group norm, Adam": (U, ADAM),
    "14x14 64/128, rms norm, Adam": (replace(U, norm="rms"), ADAM),
    "14x14 64/128, rms norm, Muon": (replace(U, norm="rms"), MUON),
    "14x14 64/128, no norm, Muon": (PLAIN, MUON),
    "7x7 128, two blocks, no norm, Muon": (replace(PLAIN, patch=4, channels=(128,), blocks=2), MUON),
    "14x14 64/128, no norm, Muon, batch 128": (PLAIN, SMALL),
    "14x14 64/128, no norm, Muon at 0.04": (PLAIN, replace(MUON, muon_lr=0.04)),
    "14x14 64/96, low up, no norm, Muon, batch 128": (LEAN, SMALL),
    "14x14 64/96, low up, no norm, Muon at 0.01, batch 128": (LEAN, replace(SMALL, muon_lr=0.01)),
}
SETTINGS = {"plain": SampleConfig(guidance=1.0), "guided": SampleConfig(guidance=1.35)}
SEED = 5_000_000
LOSS_IMAGES = 4096


def main() -> None:
    """Print a row a variant, and write them all as CSV."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--per-class", type=int, default=100)
    parser.add_argument("--only", help="names of variants, separated by ';' (default: all)")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    names = arguments.only.split(";") if arguments.only else list(VARIANTS)
    ruler, rows = Ruler("selector"), []
    for name in names:
        network, config = VARIANTS[name]
        trainer = Trainer(network, config, load(config.dataset), best_device())
        start = time.monotonic()
        for _ in trainer.steps():
            if time.monotonic() - start > arguments.minutes * 60:
                break
        seconds = time.monotonic() - start
        row = {"variant": name, "images": trainer.images, "images_per_second": trainer.images / seconds}
        row["loss"] = fixed_loss(trainer)
        for key, sample in SETTINGS.items():
            meta = CheckpointMeta(config.dataset, network, config, sample, trainer.images, seconds)
            model = Checkpoint(Path(name), meta, trainer.average)
            labels, seeds = plan(arguments.per_class, SEED, network.classes)
            measured = ruler.measure(generate(model, labels, seeds, sample), labels)
            row |= {f"{key}_{k}": measured[k] for k in ("accuracy", "fd", "recall")}
        rows.append(row)
        show(row)
        write(arguments.out, rows)


@torch.no_grad()
def fixed_loss(trainer: Trainer) -> float:
    """The training loss of the averaged weights, always over the same images, noise levels and noise."""
    images, labels = trainer.data.images[:LOSS_IMAGES], trainer.data.labels[:LOSS_IMAGES]
    x0 = to_model(images, trainer.data.spec)
    generator = torch.Generator().manual_seed(0)
    draws = draw(x0, labels, trainer.denoiser.null_label, TrainConfig(), generator)
    losses = []
    for start in range(0, LOSS_IMAGES, 256):
        part = slice(start, start + 256)
        losses.append(denoising_loss(trainer.average, x0[part], type(draws)(*(value[part] for value in draws))))
    return float(torch.cat(losses).mean())


if __name__ == "__main__":
    main()
