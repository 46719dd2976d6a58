"""Find the noise levels at which few steps of a sampler come nearest to many.

    python -m benchmarks.levels checkpoints/mnist --steps 8 --guidance 1.45

Gradient descent on the gaps between the logarithms of the levels, through the sampler and the network: the squared
distance between images drawn with few steps and the same noise drawn with REFERENCE steps of Heun's method. A few
hundred noises that no report uses. It knows nothing of any judge. It prints the levels for `SampleConfig.levels`.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from diffusion_core import checkpoint as checkpoints
from diffusion_core.checkpoint import Checkpoint
from diffusion_core.config import SampleConfig
from diffusion_core.guidance import guided
from diffusion_core.noise import Noise, plan
from diffusion_core.samplers import SAMPLERS
from diffusion_core.schedules import karras, noise_levels

SEED = 6_000_000
IMAGES, BATCH = 320, 32
REFERENCE = 40  # steps
RATE = 0.02
ROUNDS = 6  # passes over the images


def main() -> None:
    """Print the distance before and after, and the levels."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--sampler", default="unipc")
    parser.add_argument("--guidance", type=float)
    arguments = parser.parse_args()
    model = checkpoints.load(arguments.checkpoint)
    guidance = model.meta.sample.guidance if arguments.guidance is None else arguments.guidance
    ways = {"steps": arguments.steps, "sampler": arguments.sampler, "guidance": guidance, "levels": ()}
    sample = replace(model.meta.sample, **ways)
    print(", ".join(f"{level:.4g}" for level in optimise(model, sample)))


def optimise(model: Checkpoint, sample: SampleConfig) -> list[float]:
    """The levels [steps], falling; the first one stays as it is."""
    labels, seeds = plan(IMAGES // model.meta.network.classes, SEED, model.meta.network.classes)
    noise = Noise(seeds).normal(*model.spec.shape)
    fine = karras(REFERENCE, sample.sigma_min, sample.sigma_max, sample.rho)
    with torch.no_grad():
        wanted = torch.cat([run(model, "heun", n, y, fine, sample) for n, y in batches(noise, labels)])
    start = noise_levels(sample)[:-1]
    gaps = (start[:-1] / start[1:]).log().log().requires_grad_(True)  # of ln sigma; the exponential keeps them positive
    optimizer = torch.optim.Adam([gaps], RATE)
    best, found = float("inf"), start
    for i in range(ROUNDS + 1):
        total = 0.0
        for (n, y), (target, _) in zip(batches(noise, labels), batches(wanted, labels), strict=True):
            levels = torch.cat([start[:1], start[0] * (-gaps.exp().cumsum(0)).exp(), start.new_zeros(1)])
            loss = (run(model, sample.sampler, n, y, levels, sample) - target).square().mean()
            total += float(loss.detach()) * BATCH / IMAGES
            if i < ROUNDS:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        print(f"round {i}: mean squared distance {total:.5f}", flush=True)
        if total < best:
            best, found = total, levels.detach()[:-1]
    return [float(f"{level:.4g}") for level in found]


def run(model: Checkpoint, sampler: str, noise: Tensor, labels: Tensor, levels: Tensor, sample: SampleConfig) -> Tensor:
    """The images [n, C, H, W] in model range, with the gradient to `levels`."""
    denoise = guided(model.denoiser, labels, sample.guidance, sample.interval)
    *_, last = SAMPLERS[sampler](denoise, levels[0].float() * noise, levels)
    return last.x


def batches(values: Tensor, labels: Tensor) -> list[tuple[Tensor, Tensor]]:
    return list(zip(values.split(BATCH), labels.split(BATCH), strict=True))


if __name__ == "__main__":
    main()
