"""Samplers: plain generators over a denoiser D(x, sigma) -> x0_hat and a falling list of sigmas.

Each yields one `Step` a noise level, x as it is there and the estimate D made of it, and a last one
at the end of the grid whose `x` is the result. They hold no grad mode, so a reward can be
back-propagated through them. `draw` gives standard normal noise shaped like x; only the ancestral
sampler calls it.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from torch import Tensor

Denoise = Callable[[Tensor, Tensor], Tensor]  # (x [N, C, H, W], sigma scalar) -> x0_hat
Draw = Callable[[], Tensor]


class Step(NamedTuple):
    """x [N, C, H, W] at noise level `sigma`, and the denoiser's estimate of x0 there."""

    i: int
    sigma: float
    x: Tensor
    denoised: Tensor


def euler(denoise: Denoise, x: Tensor, sigmas: Tensor, draw: Draw | None = None) -> Iterator[Step]:
    """Euler's method on dx/dsigma = (x - D) / sigma; the same as DDIM with eta = 0 (Song et al. 2021)."""
    D = x
    for i, (s, s_next) in enumerate(zip(sigmas[:-1], sigmas[1:], strict=True)):
        D = denoise(x, s)
        yield Step(i, float(s.detach()), x, D)
        x = D + (s_next / s).to(x.dtype) * (x - D)
    yield Step(len(sigmas) - 1, float(sigmas[-1].detach()), x, x if sigmas[-1] == 0 else D)


def heun(denoise: Denoise, x: Tensor, sigmas: Tensor, draw: Draw | None = None) -> Iterator[Step]:
    """Heun's second-order method (Karras et al. 2022, algorithm 1); two calls a step, one if it ends at 0."""
    D = x
    for i, (s, s_next) in enumerate(zip(sigmas[:-1], sigmas[1:], strict=True)):
        D = denoise(x, s)
        yield Step(i, float(s.detach()), x, D)
        slope, h = (x - D) / s.to(x.dtype), (s_next - s).to(x.dtype)
        guess = x + h * slope
        if s_next > 0:
            slope = (slope + (guess - denoise(guess, s_next)) / s_next.to(x.dtype)) / 2
        x = x + h * slope
    yield Step(len(sigmas) - 1, float(sigmas[-1].detach()), x, x if sigmas[-1] == 0 else D)


def dpmpp2m(denoise: Denoise, x: Tensor, sigmas: Tensor, draw: Draw | None = None) -> Iterator[Step]:
    """DPM-Solver++(2M) (Lu et al. 2022, algorithm 2), multistep of second order; one call a step.

    With lambda = -ln sigma and h = lambda_next - lambda:
    x_next = (sigma_next / sigma) x - (exp(-h) - 1) ((1 + 1/2r) D - 1/2r D_before), r = h_before / h.
    The first step and a step to 0 are of first order.
    """
    before, h_before, D = None, None, x
    for i, (s, s_next) in enumerate(zip(sigmas[:-1], sigmas[1:], strict=True)):
        D = denoise(x, s)
        yield Step(i, float(s.detach()), x, D)
        ratio, h = (s_next / s).to(x.dtype), (s / s_next).log()
        estimate = D
        if before is not None and s_next > 0:
            weight = (h / (2 * h_before)).to(x.dtype)  # 1 / 2r
            estimate = (1 + weight) * D - weight * before
        x = ratio * x + (1 - ratio) * estimate
        before, h_before = D, h
    yield Step(len(sigmas) - 1, float(sigmas[-1].detach()), x, x if sigmas[-1] == 0 else D)


ADAMS_BASHFORTH = ((1.0,), (3 / 2, -1 / 2), (23 / 12, -16 / 12, 5 / 12), (55 / 24, -59 / 24, 37 / 24, -9 / 24))


def ipndm(denoise: Denoise, x: Tensor, sigmas: Tensor, draw: Draw | None = None) -> Iterator[Step]:
    """Improved pseudo-numerical method (Zhang & Chen 2023, iPNDM): Adams-Bashforth of rising order, up to the fourth.

    One call a step. Its coefficients are those of equal steps whatever the grid, and a step to 0 is of first order.
    """
    slopes: list[Tensor] = []
    D = x
    for i, (s, s_next) in enumerate(zip(sigmas[:-1], sigmas[1:], strict=True)):
        D = denoise(x, s)
        yield Step(i, float(s.detach()), x, D)
        slopes = [(x - D) / s.to(x.dtype), *slopes[:3]]
        used = ADAMS_BASHFORTH[len(slopes) - 1 if s_next > 0 else 0]
        slope = sum(weight * d for weight, d in zip(used, slopes))
        x = x + (s_next - s).to(x.dtype) * slope
    yield Step(len(sigmas) - 1, float(sigmas[-1].detach()), x, x if sigmas[-1] == 0 else D)


def unipc(denoise: Denoise, x: Tensor, sigmas: Tensor, draw: Draw | None = None) -> Iterator[Step]:
    """UniPC of second order with B2 (Zhao et al. 2023, algorithms 5 and 6, data prediction); one call a step.

    It predicts as `dpmpp2m` does; the call at the predicted point then corrects the step that led there, which makes
    it third order. The step to 0 is of first order, and nothing corrects it.
    """
    older = old = straight = D = x
    h = h_before = None
    for i, (s, s_next) in enumerate(zip(sigmas[:-1], sigmas[1:], strict=True)):
        D = denoise(x, s)
        yield Step(i, float(s.detach()), x, D)
        if i:
            x = straight + _bend(h, h_before, older, old, D)
        older, old, h_before = old, D, h
        ratio, h = (s_next / s).to(x.dtype), (s / s_next).log()
        straight = ratio * x + (1 - ratio) * D
        x = straight
        if h_before is not None and s_next > 0:
            x = x + (1 - ratio) * (h / (2 * h_before)).to(x.dtype) * (D - older)
    yield Step(len(sigmas) - 1, float(sigmas[-1].detach()), x, x if sigmas[-1] == 0 else D)


def _bend(h: Tensor, h_before: Tensor | None, older: Tensor, old: Tensor, new: Tensor) -> Tensor:
    """What a step of h in -ln sigma from `old` to `new` adds to one whose estimate stays `old`.

    The integral of e^(t - h) (D(t) - old) from 0 to h, with D the parabola through the three estimates; at the first
    step, which has two of them, UniPC's half of the difference.
    """
    decay = 1 - (-h).exp()
    up = new - old
    if h_before is None:
        return (decay / 2).to(up.dtype) * up
    r = h_before / h
    curve = (up - (old - older) / r.to(up.dtype)) / (1 + r).to(
        up.dtype
    )  # D(t) = old + (up - curve) t/h + curve (t/h)^2
    first = 1 - decay / h
    second = 1 - 2 * first / h
    return first.to(up.dtype) * (up - curve) + second.to(up.dtype) * curve


def ancestral(denoise: Denoise, x: Tensor, sigmas: Tensor, draw: Draw) -> Iterator[Step]:
    """Ancestral sampling: draws from the posterior q(x_next | x, D) of DDPM (Ho et al. 2020, eq. 7).

    In this parametrisation its mean is D + (s'/s)^2 (x - D) and its variance s'^2 (1 - (s'/s)^2).
    """
    D = x
    for i, (s, s_next) in enumerate(zip(sigmas[:-1], sigmas[1:], strict=True)):
        D = denoise(x, s)
        yield Step(i, float(s.detach()), x, D)
        x = renoised(x, D, s, s_next, draw)
    yield Step(len(sigmas) - 1, float(sigmas[-1].detach()), x, x if sigmas[-1] == 0 else D)


def renoised(x: Tensor, D: Tensor, s: Tensor, s_next: Tensor, draw: Draw) -> Tensor:
    """One ancestral step, from noise level s down to s_next."""
    kept = (s_next / s) ** 2
    x = D + kept.to(x.dtype) * (x - D)
    return x + (s_next * (1 - kept).sqrt()).to(x.dtype) * draw() if s_next > 0 else x


def consistency(denoise: Denoise, x: Tensor, sigmas: Tensor, draw: Draw) -> Iterator[Step]:
    """Multistep consistency sampling (Song et al. 2023, algorithm 1): guess the image, add noise again, guess again.

    For students (`distill.py`); one call a step, new noise between them.
    """
    D = x
    for i, (s, s_next) in enumerate(zip(sigmas[:-1], sigmas[1:], strict=True)):
        D = denoise(x, s)
        yield Step(i, float(s.detach()), x, D)
        x = D + s_next.to(x.dtype) * draw() if s_next > 0 else D
    yield Step(len(sigmas) - 1, float(sigmas[-1].detach()), x, x if sigmas[-1] == 0 else D)


SAMPLERS = {
    "dpmpp2m": dpmpp2m,
    "ipndm": ipndm,
    "unipc": unipc,
    "heun": heun,
    "euler": euler,
    "ancestral": ancestral,
    "consistency": consistency,
}
