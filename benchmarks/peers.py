"""The same job by other projects, in the same process and with the same threads: images a second.

Each network and sampler is what its project ships as its default. Weights are untrained, for what a call costs does
not depend on them; only torchcfm's adaptive solver takes as many calls as the weights make it, so that network is
trained for a minute and a half first. Of chains of 400 or 1,000 equal steps the first ones are timed and multiplied.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from benchmarks.machine import flops, seconds
from benchmarks.peer_networks import TeaPearceSized, course_network, lucidrains_network, torchcfm_network

BATCH = 64
TIMED = 4  # steps of a long chain that are timed
TORCHCFM_SECONDS = 90.0
DTYPES = (torch.float32, torch.bfloat16)


class Peer(NamedTuple):
    """`draw(network, n)` makes the first n of `steps` steps for BATCH images; `example` is one call's input."""

    make: Callable[[], nn.Module]
    draw: Callable[[nn.Module, int], object]
    steps: int
    calls: int  # rows of a batch that the network sees for an image
    example: tuple


def measure(machine: dict) -> list[dict]:
    """A row a peer and precision: float32 as published, and bfloat16 autocast.

    With ratios to machine["ours"], the rows that `sampling` measured in this run.
    """
    ours, rows = machine["ours"], []
    for name, peer in peers().items():
        network = peer.make().eval().requires_grad_(False)
        for dtype in DTYPES:
            timed = min(peer.steps, TIMED) if peer.steps > 20 else peer.steps
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
                took = seconds(lambda: peer.draw(network, timed), 1.0) * peer.steps / timed  # noqa: B023
            rows.append(row(name, dtype, peer.steps, peer.calls, flops(network, *peer.example), BATCH / took, ours))
    return [*rows, *adaptive(ours)]


def row(name: str, dtype: torch.dtype, steps: int, calls: int, flop: int, rate: float, ours: list[dict]) -> dict:
    """One line of the table."""
    said = {
        "peer": name,
        "precision": str(dtype).removeprefix("torch."),
        "steps": steps,
        "network_calls": calls,
        "mflop_a_call": flop / 1e6,
        "images_per_second": rate,
    }
    print(said, flush=True)
    names = [f"{o['checkpoint']}, {o['steps']} steps, {o['precision']}" for o in ours]
    return said | {"ratios": {n: o["images_per_second"] / rate for n, o in zip(names, ours, strict=True)}}


def peers() -> dict[str, Peer]:
    """The peers whose cost does not depend on their weights."""
    import diffusers

    x, t, label = torch.randn(1, 1, 28, 28), torch.zeros(1), torch.zeros(1, dtype=torch.long)
    course = (torch.randn(1, 5, 28, 28), t)
    ddpm = diffusers.DDPMScheduler(num_train_timesteps=1000, beta_schedule="squaredcos_cap_v2")
    solver = diffusers.DPMSolverMultistepScheduler(num_train_timesteps=1000, beta_schedule="squaredcos_cap_v2")
    return {
        "diffusers, course U-Net, DDPM 1000": Peer(course_network, scheduled(ddpm, 1000), 1000, 1000, course),
        "diffusers, course U-Net, DPM-Solver++ 20": Peer(course_network, scheduled(solver, 20), 20, 20, course),
        "denoising-diffusion-pytorch, 1000": Peer(lucidrains_network, lucidrains, 1000, 1000, (x, t)),
        "TeaPearce's size, 400 steps, guided": Peer(TeaPearceSized, teapearce, 400, 800, (x, t, label)),
    }


def scheduled(scheduler, steps: int) -> Callable[[nn.Module, int], Tensor]:
    """The sampling loop of the course: the class embedding is four more channels of the input."""

    def draw(network: nn.Module, n: int) -> Tensor:
        scheduler.set_timesteps(steps)
        x, label = torch.randn(BATCH, 1, 28, 28), torch.randn(BATCH, 4, 28, 28)
        for t in scheduler.timesteps[:n]:
            x = scheduler.step(network(torch.cat([x, label], 1), t).sample.float(), t, x).prev_sample
        return x

    return draw


def lucidrains(network: nn.Module, n: int) -> Tensor:
    """The package's own ancestral step; its Unet takes no label."""
    from denoising_diffusion_pytorch import GaussianDiffusion

    diffusion = GaussianDiffusion(network, image_size=28, timesteps=1000)
    x = torch.randn(BATCH, 1, 28, 28)
    for t in range(999, 999 - n, -1):
        x, _ = diffusion.p_sample(x, t)
    return x


def teapearce(network: nn.Module, n: int) -> Tensor:
    """DDPM with classifier-free guidance: two rows an image and step."""
    x, label = torch.randn(BATCH, 1, 28, 28), torch.arange(2 * BATCH) % 10
    for i in range(400, 400 - n, -1):
        told, untold = network(x.repeat(2, 1, 1, 1), torch.full((2 * BATCH,), i / 400), label).float().chunk(2)
        x = 0.99 * (x - 0.1 * (3 * told - 2 * untold)) + 0.1 * torch.randn_like(x)
    return x


def adaptive(ours: list[dict]) -> list[dict]:
    """torchcfm's MNIST example: conditional flow matching, dopri5 with tolerances of 1e-4."""
    from torchdiffeq import odeint

    network = trained_torchcfm()
    calls = []
    label = torch.arange(BATCH) % 10

    def velocity(t: Tensor, x: Tensor) -> Tensor:
        calls.append(1)
        return network(t, x, label).float()

    rows, ends = [], torch.tensor([0.0, 1.0])
    example = (torch.zeros(1), torch.randn(1, 1, 28, 28), label[:1])
    for dtype in DTYPES:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            calls.clear()
            took, runs = 0.0, 0
            while runs < 2:
                start = time.perf_counter()
                odeint(velocity, torch.randn(BATCH, 1, 28, 28), ends, atol=1e-4, rtol=1e-4, method="dopri5")
                took, runs = took + time.perf_counter() - start, runs + 1
        each = len(calls) // runs
        rows.append(row("torchcfm, dopri5", dtype, each, each, flops(network, *example), BATCH * runs / took, ours))
    return rows


def trained_torchcfm() -> nn.Module:
    """The example's network after TORCHCFM_SECONDS of the example's training (Adam, 2e-4, batch 128)."""
    from torchcfm.conditional_flow_matching import ConditionalFlowMatcher

    from diffusion_core.data import load

    data = load("mnist")
    matcher, network = ConditionalFlowMatcher(sigma=0.0), torchcfm_network()
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-4)
    end = time.monotonic() + TORCHCFM_SECONDS
    while time.monotonic() < end:
        some = torch.randint(len(data.labels), (128,))
        x1 = data.images[some].float() / 127.5 - 1
        t, x, u = matcher.sample_location_and_conditional_flow(torch.randn_like(x1), x1)
        optimizer.zero_grad()
        (network(t, x, data.labels[some]) - u).square().mean().backward()
        optimizer.step()
    return network.eval().requires_grad_(False)
