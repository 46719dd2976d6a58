"""Labels + seeds -> images, at once or streamed step by step; and the forward process on its own.

The network always sees blocks of the same size, the last one filled up with copies. Convolution
kernels round differently at different batch sizes, so this is what makes image (label, seed) the same
to the bit whether it is asked for alone or among two thousand. The network computes in bfloat16 where the
processor has units for it, else in float32: the same image, its pixels within the tolerance that tests state.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from diffusion_core.checkpoint import Checkpoint
from diffusion_core.config import SampleConfig
from diffusion_core.data import DataSpec
from diffusion_core.errors import UserError
from diffusion_core.guidance import guided
from diffusion_core.lead import Lead, led
from diffusion_core.noise import MAX_SEED, Draws, Noise
from diffusion_core.parallel import side_by_side
from diffusion_core.pixels import to_model, to_uint8
from diffusion_core.samplers import SAMPLERS, Denoise, Step, heun
from diffusion_core.schedules import karras, noise_levels

ROWS = 32  # of the batch of a network call; fits the cache of a small CPU (`python -m benchmarks sampling`)
Progress = Callable[[int, int], None]  # (images done, images in all)
Aside = Callable[[Tensor], None]  # estimates without labels, [block, C, H, W]
Estimates = tuple[Tensor, Tensor]  # of x0 at one noise level, with and without the labels, uint8 [n, C, H, W]
# (step i, rows, estimates of x0 made there, the same by the denoiser that is told no label), both uint8 [n, C, H, W]
Watch = Callable[[int, slice, Tensor, Tensor], None]


class Frame(NamedTuple):
    """One noise level of a running generation; images uint8 [N, C, H, W].

    In the last frame (i == total) sigma is 0 and all are the finished images. `blind` is the estimate by the denoiser
    that is told no label; None unless it was asked for.
    """

    i: int
    total: int
    sigma: float
    noisy: Tensor
    denoised: Tensor
    blind: Tensor | None = None


def generate(
    checkpoint: Checkpoint,
    labels: Tensor,
    seeds: Tensor,
    config: SampleConfig,
    progress: Progress | None = None,
    watch: Watch | None = None,
    lead: Lead | None = None,
) -> Tensor:
    """uint8 [N, C, H, W]: one image per (label, seed), the same at any N. `UserError` for a bad request.

    `watch(i, rows, estimates, blind)` sees what the denoiser takes the images of `rows` for at noise level i, with and
    without their labels, for i = 0 .. steps - 1, block by block; the finished images are not among them, and do not
    depend on it. `lead` leads them towards a reward.
    """
    _check(checkpoint, labels, seeds, config, lead)
    size, done = block_size(config), []
    blocks = [slice(start, min(start + size, len(labels))) for start in range(0, len(labels), size)]

    def draw(block: slice) -> tuple[Tensor, list[Estimates]]:
        return _draw(checkpoint, labels[block], seeds[block], config, watch is not None, lead)

    # Whoever watches computes between the blocks: more threads than cores would wait for each other.
    drawn = map(draw, blocks) if watch else side_by_side(draw, blocks, checkpoint.device)
    for block, (images, seen) in zip(blocks, drawn, strict=True):
        for i, estimates in enumerate(seen):
            watch(i, block, *estimates)
        done.append(images)
        if progress:
            progress(block.stop, len(labels))
    return torch.cat(done)


@torch.no_grad()
def _draw(
    checkpoint: Checkpoint, labels: Tensor, seeds: Tensor, config: SampleConfig, watched: bool, lead: Lead | None
) -> tuple[Tensor, list[Estimates]]:
    """The finished images of one block, and if `watched` the estimates of every noise level."""
    blind: list[Tensor] = []  # every sampler yields right after the call at step.x: that estimate is the last one
    seen: list[Estimates] = []
    for step in _steps(checkpoint, labels, Noise(seeds), config, blind.append if watched else None, lead=lead):
        if watched and step.i < config.steps:
            pair = (step.denoised, blind[-1][: len(step.x)])
            seen.append(tuple(to_uint8(x.cpu(), checkpoint.spec) for x in pair))
            blind.clear()
    return to_uint8(step.x.cpu(), checkpoint.spec), seen


@torch.no_grad()
def stream(
    checkpoint: Checkpoint, labels: Tensor, seeds: Tensor, config: SampleConfig, blind: bool = False,
    lead: Lead | None = None,
) -> Iterator[Frame]:  # fmt: skip
    """The same images, a `Frame` a noise level, all of them side by side."""
    _check(checkpoint, labels, seeds, config, lead)
    aside: list[Tensor] = []  # a tensor a block; the last calls belong to the step that is yielded (see `_draw`)
    blocks = -(-len(labels) // block_size(config))
    for step in _steps(checkpoint, labels, Noise(seeds), config, aside.append if blind else None, lead=lead):
        noisy, denoised = (to_uint8(x.cpu(), checkpoint.spec) for x in (step.x, step.denoised))
        untold = None
        if blind:
            here = torch.cat(aside[-blocks:])[: len(labels)] if step.i < config.steps else step.denoised
            untold = to_uint8(here.cpu(), checkpoint.spec)
            aside.clear()
        yield Frame(step.i, config.steps, step.sigma, noisy, denoised, untold)


@torch.no_grad()
def varied(
    checkpoint: Checkpoint, images: Tensor, labels: Tensor, seeds: Tensor, config: SampleConfig, sigma: float
) -> Tensor:
    """uint8 [N, C, H, W] like `images`, and as new as `sigma` is high: noised to that level and denoised again.

    SDEdit (Meng et al. 2022). `UserError` for a bad request.
    """
    _check(checkpoint, labels, seeds, config)
    if not 0 < sigma <= config.sigma_max:
        raise UserError(f"The noise level must be above 0 and at most {config.sigma_max:g}, not {sigma}.")
    *_, last = _steps(checkpoint, labels, Noise(seeds), config, start=(images, sigma))
    return to_uint8(last.x.cpu(), checkpoint.spec)


@torch.no_grad()
def from_noise(
    checkpoint: Checkpoint, labels: Tensor, noise: Draws, config: SampleConfig, guidance: Tensor | None = None
) -> Tensor:
    """uint8 [N, C, H, W] from any noise, such as one between two seeds; the same at any N.

    Labels are int [N] or mixtures of classes, float [N, classes + 1] (`unet.Embedding`); `guidance` [N] is one for each
    image in place of the config's. `Noise(seeds)` and int labels give what `generate` draws.
    """
    if not labels.is_floating_point():
        _check_labels(checkpoint, labels)
    *_, last = _steps(checkpoint, labels, noise, config.validate(), guidance=guidance)
    return to_uint8(last.x.cpu(), checkpoint.spec)


@torch.no_grad()
def inverted(
    checkpoint: Checkpoint, images: Tensor, labels: Tensor, seeds: Tensor, config: SampleConfig, steps: int
) -> Tensor:
    """float32 [N, C, H, W]: the standard normal noise that uint8 images [N, C, H, W] come from, for `from_noise`.

    DDIM inversion (Song et al. 2021): the probability-flow ODE from sigma_min up to sigma_max by `steps` of Heun's
    method, with the labels and without guidance. It starts from the images with noise of sigma_min, drawn from `seeds`:
    then the result is standard normal. Blank paper without any would stay nearly blank all the way up.
    """
    config = replace(config.validate(), guidance=1.0)
    sigmas = karras(steps + 1, config.sigma_min, config.sigma_max, config.rho)[:-1].flip(0)
    noise = Noise(seeds).normal(*checkpoint.spec.shape)
    x = (to_model(images, checkpoint.spec) + config.sigma_min * noise).to(checkpoint.device)
    *_, last = heun(_in_blocks(checkpoint, labels, config), x, sigmas)
    return (last.x / sigmas[-1].float()).cpu()


@torch.no_grad()
def noised(images: Tensor, sigma: float, seeds: Tensor, spec: DataSpec) -> Tensor:
    """The forward process: uint8 [N, C, H, W] at noise level `sigma` >= 0 (model range), clipped to pixels."""
    if not 0 <= sigma < float("inf"):
        raise UserError(f"The noise level must be 0 or more, not {sigma}.")
    return to_uint8(to_model(images, spec) + sigma * Noise(seeds).normal(*images.shape[1:]), spec)


def block_size(config: SampleConfig) -> int:
    """Images a network call. Guidance needs two rows of the batch for each."""
    return ROWS if config.guidance in (0, 1) else ROWS // 2


def _steps(
    checkpoint: Checkpoint,
    labels: Tensor,
    noise: Draws,
    config: SampleConfig,
    aside: Aside | None = None,
    start: tuple[Tensor, float] | None = None,
    lead: Lead | None = None,
    guidance: Tensor | None = None,
) -> Iterator[Step]:
    """The sampler's steps, from pure noise or, with `start`, from images uint8 at a noise level."""
    device, shape = checkpoint.device, checkpoint.spec.shape
    sigmas, x0 = noise_levels(config), 0.0
    if start:
        images, sigma = start
        x0, first = to_model(images, checkpoint.spec).to(device), sigmas.new_tensor([sigma])
        sigmas = torch.cat([first, sigmas[sigmas < sigma]])
    denoise = _in_blocks(checkpoint, labels, config, aside, lead, guidance)
    x = x0 + sigmas[0].float() * noise.normal(*shape).to(device)
    return SAMPLERS[config.sampler](denoise, x, sigmas, lambda: noise.normal(*shape).to(device))


def _in_blocks(
    checkpoint: Checkpoint, labels: Tensor, config: SampleConfig, aside: Aside | None = None, lead: Lead | None = None,
    guidance: Tensor | None = None,
) -> Denoise:  # fmt: skip
    """The guided denoiser on any number of images, block by block, each filled up to exactly one."""
    size, labels = ROWS // 2, labels.to(checkpoint.device)
    if guidance is None:
        size, guidance = block_size(config), torch.full((len(labels),), float(config.guidance))
    guidance = guidance.to(checkpoint.device)

    def block(x: Tensor, sigma: Tensor, start: int) -> Tensor:
        n = len(x[start : start + size])
        fill = start + torch.arange(size, device=x.device) % n
        denoise = guided(checkpoint.denoiser, labels[fill], guidance[fill], config.interval, aside)
        if lead:
            denoise = led(denoise, labels[fill], lead, checkpoint.spec)
        return denoise(x[fill], sigma)[:n]

    return lambda x, sigma: torch.cat([block(x, sigma, start) for start in range(0, len(x), size)])


def _check(
    checkpoint: Checkpoint, labels: Tensor, seeds: Tensor, config: SampleConfig, lead: Lead | None = None
) -> None:
    config.validate()
    if lead:
        lead.validate()
    if len(labels) == 0 or len(labels) != len(seeds):
        raise UserError(f"{len(labels)} labels and {len(seeds)} seeds: give as many of each, at least one.")
    _check_labels(checkpoint, labels)
    if not 0 <= int(seeds.min()) <= int(seeds.max()) <= MAX_SEED:
        raise UserError(f"Seeds must be from 0 to {MAX_SEED}.")


def _check_labels(checkpoint: Checkpoint, labels: Tensor) -> None:
    classes = checkpoint.meta.network.classes
    if not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise UserError(f"Labels must be from 0 to {classes - 1}.")
