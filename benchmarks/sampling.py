"""How fast checkpoints draw: images a second and milliseconds for ten digits, by calls and precision; what batch,
width and size of image cost."""

from dataclasses import replace

import torch

from benchmarks.machine import flops, seconds
from diffusion_core import checkpoint as checkpoints
from diffusion_core.checkpoint import Checkpoint
from diffusion_core.config import NetworkConfig, SampleConfig
from diffusion_core.data import ROOT
from diffusion_core.denoiser import Denoiser
from diffusion_core.device import best_device, best_dtype
from diffusion_core.generate import ROWS, block_size, generate
from diffusion_core.noise import plan

BULK = 320  # images a timing of the rate
NAMES = ("mnist-turbo", "mnist", "mnist-fast")
FEW_CALLS = (1, 2, 4)  # a student is measured at each of these


def measure(machine: dict) -> dict:
    """Rows of checkpoints and of growth; `machine` has the matrix products that shares are of."""
    rows = []
    for name in NAMES:
        model = checkpoints.load(ROOT / "checkpoints" / name)
        for count in FEW_CALLS if model.meta.distill else (model.meta.sample.steps,):
            for dtype in dict.fromkeys((best_dtype(best_device()), torch.float32)):
                rows.append(checkpoint_row(model, replace(model.meta.sample, steps=count), dtype, machine))
                print(rows[-1], flush=True)
    return {"checkpoints": rows, "growth": growth()}


def checkpoint_row(model: Checkpoint, sample: SampleConfig, dtype: torch.dtype, machine: dict) -> dict:
    """One checkpoint at one setting and precision."""
    model.denoiser.dtype = dtype
    calls = network_rows(model, sample)
    bulk = seconds(lambda: generate(model, *plan(BULK // 10, 0, 10), sample), 3.0)
    ten = seconds(lambda: generate(model, *plan(1, 0, 10), sample), 1.0)
    x, sigma, labels = torch.randn(1, *model.spec.shape), torch.ones(1), torch.zeros(1, dtype=torch.long)
    each = flops(model.denoiser.network, x, sigma, labels)
    gflops = BULK * calls * each / bulk / 1e9
    name = str(dtype).removeprefix("torch.")
    return {
        "checkpoint": model.name,
        "sampler": sample.sampler,
        "steps": sample.steps,
        "network_calls": calls,
        "precision": name,
        "images_per_second": BULK / bulk,
        "ten_digits_ms": 1000 * ten,
        "mflop_a_call": each / 1e6,
        "gflops": gflops,
        "share_of_matmul": gflops / machine["matmul_gflops"][name],
    }


def network_rows(model: Checkpoint, sample: SampleConfig) -> int:
    """How many rows of a batch the network sees for one image, counted as it draws one full block."""
    seen = []
    hook = model.denoiser.network.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    labels, seeds = plan(ROWS, 0, 10)
    block = block_size(sample)
    generate(model, labels[:block], seeds[:block], sample)
    hook.remove()
    return sum(seen) // block


def growth() -> dict:
    """Images a second of one call of the `mnist` network, untrained: by batch, calls, width and size of image."""
    base = checkpoints.read_meta(ROOT / "checkpoints" / "mnist").network

    def rate(network: NetworkConfig, batch: int, calls: int = 1) -> dict:
        model = Denoiser(network).eval().requires_grad_(False).to(memory_format=torch.channels_last)
        x, sigma = torch.randn(batch, *network.image), torch.ones(())
        labels = torch.zeros(batch, dtype=torch.long)

        @torch.no_grad()
        def run() -> None:
            for _ in range(calls):
                model(x, sigma, labels)

        return {"images_per_second": batch / seconds(run, 0.5)}

    widths = [tuple(int(c * f) for c in base.channels) for f in (0.5, 1, 1.5, 2)]
    return {
        "batch": [{"batch": n, **rate(base, n)} for n in (1, 2, 4, 8, 16, 32, 64, 128, 256)],
        "calls": [{"calls": n, **rate(base, ROWS, n)} for n in (1, 2, 4, 8, 16, 32)],
        "width": [{"channels": list(c), **rate(replace(base, channels=c), ROWS)} for c in widths],
        "size": [{"size": s, **rate(replace(base, image=(1, s, s)), ROWS)} for s in (28, 32, 64)],
    }
