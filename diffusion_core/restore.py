"""Restoration: images x0 that agree with a measurement y = A x0 + tau e and are likely for the model.

The posterior of an image is sampled by changing the denoiser, nothing else: given what was measured, the estimate of
x0 is no longer D = E[x0 | x] but E[x0 | x, y]. With x0 | x taken for a Gaussian of mean D and covariance C,

    E[x0 | x, y] = D + C A' (A C A' + tau^2)^-1 (y - A D)

and the methods differ in what they take C for. `r2` is its variance where the data are an isotropic Gaussian of the
data's deviation, for which every method below is exact.

    ddnm    C = r2: the part of the estimate that was measured is replaced, the null space is D's. Without noise this
            is DDNM (Wang, Yu & Zhang 2023, eq. 9), with noise the shrinkage of DDRM (Kawar et al. 2022). No gradient.
    pigdm   C = sigma^2 dD/dx to the left, r2 inside of the bracket: pseudoinverse-guided diffusion (Song et al. 2023,
            eq. 8). What was measured also moves what was not, as far as the network knows that they belong together.

Steps are ancestral. `travel` > 1 goes back up after each step and down again, so that what was filled in has time to
fit what was known (RePaint, Lugmayr et al. 2022, algorithm 1, with jumps of one step).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from diffusion_core.checkpoint import Checkpoint
from diffusion_core.config import MAX_SIGMA, MAX_STEPS
from diffusion_core.damage import Damage
from diffusion_core.data import DataSpec
from diffusion_core.errors import UserError
from diffusion_core.noise import MAX_SEED, Noise
from diffusion_core.operators import Operator
from diffusion_core.parallel import side_by_side
from diffusion_core.pixels import SIGMA_DATA, to_uint8
from diffusion_core.samplers import Denoise, Draw, Step, renoised
from diffusion_core.schedules import karras

ROWS = 8  # images a network call, always: so that an image does not depend on those beside it
MAX_TRAVEL = 20
PROJECTIONS = 100  # onto what was measured, and onto pixels, at the end


class Measurement(NamedTuple):
    """What was seen of N images, in model range: y = A x0 + tau e.

    y [N, ...] in the operator's shape; `seen` uint8 [N, C, H, W] where the operator hands on pixels as they are.
    """

    operator: Operator
    y: Tensor
    tau: float
    seen: Tensor | None = None

    def rows(self, index: Tensor) -> "Measurement":
        """The measurements of these images, int64 [n]; one may be named several times."""
        return self._replace(y=self.y[index], seen=None if self.seen is None else self.seen[index])


@dataclass(frozen=True)
class RestoreConfig:
    """How a posterior is sampled."""

    method: str = "pigdm"  # one of METHODS
    steps: int = 20
    travel: int = 1  # times a step is taken; above 1 with noise added in between
    sigma_min: float = 0.02
    sigma_max: float = 40.0

    def validate(self) -> "RestoreConfig":
        """Itself, or `UserError`."""
        if self.method not in METHODS:
            raise UserError(f"There is no method {str(self.method)[:40]!r}. Known: {', '.join(METHODS)}.")
        for value, name, most in ((self.steps, "Steps", MAX_STEPS), (self.travel, "Time travel", MAX_TRAVEL)):
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
                raise UserError(f"{name} must be a whole number from 1 to {most}, not {value!r}.")
        if not 0 < self.sigma_min < self.sigma_max <= MAX_SIGMA:
            raise UserError(f"Noise levels must satisfy 0 < sigma_min < sigma_max <= {MAX_SIGMA:g}.")
        return self


# ---------------------------------------------------------------- what was measured


def measurement(pixels: Tensor, damage: Damage, spec: DataSpec) -> Measurement:
    """From what was recorded: `pixels` float [N, ...] in the operator's shape, 1 is white (full ink), noise included.

    A of pixels is not A of model range, which is centred: A (p - mean) = A p - A mean.
    """
    operator, scale = damage.operator, spec.std / SIGMA_DATA
    centre = operator.forward(torch.full((1, *spec.shape), spec.mean))
    seen = None
    if operator.known is not None and damage.noise == 0:
        seen = to_uint8((pixels - spec.mean) / scale, spec)
    return Measurement(operator, (pixels - centre) / scale, damage.noise / scale, seen)


def damaged(images: Tensor, damage: Damage, seeds: Tensor) -> Tensor:
    """What is recorded of whole images uint8 [N, C, H, W]: float [N, ...], as `measurement` takes it. Not clipped."""
    pixels = damage.operator.forward(images.float() / 255)
    return pixels + damage.noise * Noise(seeds).normal(*pixels.shape[1:]) if damage.noise else pixels


# ---------------------------------------------------------------- the denoiser, told what was measured


def r2(sigma: Tensor) -> Tensor:
    """Variance of x0 given x = x0 + sigma n, for x0 ~ N(0, SIGMA_DATA^2)."""
    return SIGMA_DATA**2 * sigma**2 / (SIGMA_DATA**2 + sigma**2)


def ddnm(denoise: Denoise, m: Measurement) -> Denoise:
    """D + r2 A' (r2 A A' + tau^2)^-1 (y - A D)."""

    def estimate(x: Tensor, sigma: Tensor) -> Tensor:
        D = denoise(x, sigma)
        return D + m.operator.adjoint(_explained(m, D, float(sigma)))

    return estimate


def pigdm(denoise: Denoise, m: Measurement) -> Denoise:
    """D + sigma^2 (dD/dx)' A' (r2 A A' + tau^2)^-1 (y - A D)."""

    def estimate(x: Tensor, sigma: Tensor) -> Tensor:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            D = denoise(x, sigma)
            pull = m.operator.adjoint(_explained(m, D.detach(), float(sigma)))
            (slope,) = torch.autograd.grad(D, x, pull)
        return D.detach() + (sigma.double() ** 2 / r2(sigma.double())).to(x.dtype) * slope

    return estimate


def _explained(m: Measurement, D: Tensor, sigma: float) -> Tensor:
    """(A A' + tau^2 / r2)^-1 (y - A D)."""
    variance = float(r2(torch.tensor(sigma, dtype=torch.float64)))
    return m.operator.solve(m.y - m.operator.forward(D), m.tau**2 / variance)


METHODS: dict[str, Callable[[Denoise, Measurement], Denoise]] = {"pigdm": pigdm, "ddnm": ddnm}


def travelling(denoise: Denoise, x: Tensor, sigmas: Tensor, draw: Draw, times: int) -> Iterator[Step]:
    """Ancestral steps, each taken `times` times with the noise put back in between; a `Step` a noise level."""
    D = x
    for i, (s, s_next) in enumerate(zip(sigmas[:-1], sigmas[1:], strict=True)):
        for again in range(times if s_next > 0 else 1):
            if again:
                x = x + (s**2 - s_next**2).sqrt().to(x.dtype) * draw()
            D = denoise(x, s)
            if again == 0:
                yield Step(i, float(s), x, D)
            x = renoised(x, D, s, s_next, draw)
    yield Step(len(sigmas) - 1, float(sigmas[-1]), x, x if sigmas[-1] == 0 else D)


# ---------------------------------------------------------------- images


def restore(checkpoint: Checkpoint, m: Measurement, labels: Tensor, seeds: Tensor, config: RestoreConfig) -> Tensor:
    """uint8 [N, C, H, W]: a draw from the posterior of each measurement, the same at any N.

    labels int64 [N], the number of classes where the label is not known. Pixels that were seen without noise come back
    bit for bit. `UserError` for a bad request.
    """
    _check(checkpoint, m, labels, seeds, config)
    blocks = [slice(start, min(start + ROWS, len(labels))) for start in range(0, len(labels), ROWS)]

    def draw(block: slice) -> Tensor:
        rows = torch.arange(block.start, block.stop)
        *_, last = _steps(checkpoint, m.rows(rows), labels[block], seeds[block], config)
        return _finished(last.x, m.rows(rows), checkpoint.spec)

    return torch.cat(list(side_by_side(draw, blocks, checkpoint.device)))


def restoring(
    checkpoint: Checkpoint, m: Measurement, labels: Tensor, seeds: Tensor, config: RestoreConfig
) -> Iterator[Tensor]:
    """The same, all images side by side: the estimate at every noise level uint8 [N, C, H, W], then the result."""
    _check(checkpoint, m, labels, seeds, config)
    for step in _steps(checkpoint, m, labels, seeds, config):
        estimate = step.x if step.i == config.steps else step.denoised
        yield _finished(estimate, m, checkpoint.spec)


@torch.no_grad()
def _steps(
    checkpoint: Checkpoint, m: Measurement, labels: Tensor, seeds: Tensor, config: RestoreConfig
) -> Iterator[Step]:
    device, shape = checkpoint.device, checkpoint.spec.shape
    m = m._replace(y=m.y.to(device))
    noise, sigmas = Noise(seeds), karras(config.steps, config.sigma_min, config.sigma_max)

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        blocks = (torch.arange(start, min(start + ROWS, len(x))) for start in range(0, len(x), ROWS))
        return torch.cat([block(x, sigma, rows) for rows in blocks])

    def block(x: Tensor, sigma: Tensor, rows: Tensor) -> Tensor:
        """The changed denoiser on at most ROWS images, filled up with copies to exactly as many."""
        fill = rows[torch.arange(ROWS) % len(rows)]
        known = labels[fill].to(device)
        changed = METHODS[config.method](lambda x, s: checkpoint.denoiser(x, s, known), m.rows(fill))
        return changed(x[fill], sigma)[: len(rows)]

    def draw() -> Tensor:
        return noise.normal(*shape).to(device)

    yield from travelling(denoise, sigmas[0].float() * draw(), sigmas, draw, config.travel)


def _finished(x: Tensor, m: Measurement, spec: DataSpec) -> Tensor:
    """Estimates in model range -> uint8 that agree with what was measured without noise, bit for bit where it can.

    Pixels end at paper and at full ink, and cutting them there undoes some of the agreement: both in turn, a few times.
    """
    x = x.cpu()
    if m.tau == 0:
        paper, full = ((end - spec.mean) * SIGMA_DATA / spec.std for end in (0, 1))
        for _ in range(PROJECTIONS):
            x = x.clamp(paper, full)
            x = x + m.operator.adjoint(m.operator.solve(m.y - m.operator.forward(x), 0.0))
    images = to_uint8(x, spec)
    return images if m.seen is None else torch.where(m.operator.known, m.seen, images)


def _check(checkpoint: Checkpoint, m: Measurement, labels: Tensor, seeds: Tensor, config: RestoreConfig) -> None:
    config.validate()
    classes = checkpoint.meta.network.classes
    if not 0 < len(labels) == len(seeds) == len(m.y):
        raise UserError(f"{len(m.y)} measurements, {len(labels)} labels and {len(seeds)} seeds: give as many of each.")
    if not 0 <= int(labels.min()) <= int(labels.max()) <= classes:
        raise UserError(f"Labels must be from 0 to {classes - 1}, or {classes} where the label is not known.")
    if not 0 <= int(seeds.min()) <= int(seeds.max()) <= MAX_SEED:
        raise UserError(f"Seeds must be from 0 to {MAX_SEED}.")
    if not m.y.isfinite().all():
        raise UserError("The measurement holds NaN or infinite values.")
