"""Samplers against closed forms on Gaussian data, and against another implementation."""

import math

import pytest
import torch

from diffusion_core.samplers import SAMPLERS, ancestral, consistency, dpmpp2m, euler, heun, ipndm, unipc
from diffusion_core.schedules import karras
from tests.oracle import Gaussian, standard_normal

DATA = Gaussian(mu=0.3, s=0.5)


def last(sampler, denoise, x, sigmas, draw=None):
    *_, step = sampler(denoise, x, sigmas, draw)
    return step.x


def euler_factor(s: float, s_next: float) -> float:
    """What an Euler step multiplies x - mu by."""
    return 1 + (s_next - s) * s / (DATA.s**2 + s**2)


def heun_factor(s: float, s_next: float) -> float:
    f, f_next = s / (DATA.s**2 + s**2), s_next / (DATA.s**2 + s_next**2)
    h = s_next - s
    return 1 + h / 2 * (f + f_next * (1 + h * f)) if s_next > 0 else 1 + h * f


@pytest.mark.parametrize(("sampler", "factor"), [(euler, euler_factor), (heun, heun_factor)])
@pytest.mark.parametrize("steps", [1, 2, 7, 18])
def test_one_step_methods_equal_the_product_of_their_factors(sampler, factor, steps):
    sigmas = karras(steps, 0.02, 40)
    x = 40 * standard_normal(3, 1, 4, 4)
    expected = DATA.mu + (x - DATA.mu) * math.prod(
        factor(*pair) for pair in zip(sigmas[:-1].tolist(), sigmas[1:].tolist())
    )
    torch.testing.assert_close(last(sampler, DATA.denoise, x, sigmas), expected, atol=1e-10, rtol=0)


def test_edm_18_step_heun_standard_deviation():
    x = standard_normal(1, 1, 1, 8)
    data = Gaussian(0.0, 0.5)
    result = last(heun, data.denoise, x, karras(18, 0.002, 80, 7.0))
    # A linear map: the factor on x over that of the exact solution from sigma 80 to 0.
    ratio = result / data.solution(x, 80, 0)
    torch.testing.assert_close(ratio, torch.full_like(ratio, 1.0552699), atol=1e-6, rtol=0)


ERRORS = {
    euler: [0.2472, 0.1324, 0.06858, 0.03490, 0.01760, 0.008841, 0.004430],
    heun: [0.1746, 0.03920, 0.009286, 0.002260, 5.575e-4, 1.384e-4, 3.450e-5],
    dpmpp2m: [0.1461, 0.04411, 0.009868, 0.002327, 5.654e-4, 1.394e-4, 3.461e-5],
}


@pytest.mark.parametrize(("sampler", "order"), [(euler, 1), (heun, 2), (dpmpp2m, 2)])
def test_order_of_convergence(sampler, order):
    """Relative error at 10, 20, ... 640 intervals that end at sigma_min."""
    data, x = Gaussian(0.0, 0.5), standard_normal(1, 1, 1, 8)
    exact = data.solution(x, 80, 0.002)
    errors = []
    for intervals in (10, 20, 40, 80, 160, 320, 640):
        sigmas = karras(intervals + 1, 0.002, 80)[:-1]
        result = last(sampler, data.denoise, x, sigmas)
        errors.append(float(((result - exact) / exact).abs().max()))
    assert errors == pytest.approx(ERRORS[sampler], rel=2e-3)
    slopes = [math.log2(a / b) for a, b in zip(errors[3:-1], errors[4:], strict=True)]
    assert all(abs(slope - order) < 0.06 for slope in slopes)


def test_ancestral_has_the_mean_and_variance_of_its_linear_recursion():
    """On Gaussian data each step is x' = mu + a (x - mu) + noise: the variance follows in closed form."""
    generator, shape, sigmas = torch.Generator().manual_seed(0), (40_000, 1, 1, 1), karras(20, 0.02, 40)

    def draw():
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    mean, variance = 0.0, 40.0**2
    for s, s_next in zip(sigmas[:-1].tolist(), sigmas[1:].tolist(), strict=True):
        kept, shrink = (s_next / s) ** 2, DATA.s**2 / (DATA.s**2 + s**2)
        a = (1 - kept) * shrink + kept
        mean, variance = DATA.mu + a * (mean - DATA.mu), a**2 * variance + s_next**2 * (1 - kept)
    x = last(ancestral, DATA.denoise, 40 * draw(), sigmas, draw)
    assert float(x.mean()) == pytest.approx(mean, abs=0.01)
    assert float(x.std()) == pytest.approx(variance**0.5, rel=0.015)


def test_ancestral_step_is_ddpm_posterior():
    """Mean and variance of q(x_next | x, x0) of a variance-exploding chain, from Bayes' rule by hand."""
    s, s_next, x, x0 = 2.0, 0.7, 1.3, -0.4
    precision = 1 / s_next**2 + 1 / (s**2 - s_next**2)
    mean = (x0 / s_next**2 + x / (s**2 - s_next**2)) / precision
    start = torch.full((1, 1, 1, 1), x, dtype=torch.float64)
    sigmas = torch.tensor([s, s_next], dtype=torch.float64)

    def fixed(x, sigma):
        return torch.full_like(x, x0)

    for z in (0.0, 1.0, -2.0):
        result = last(ancestral, fixed, start, sigmas, lambda z=z: torch.full_like(start, z))
        assert float(result) == pytest.approx(mean + z * precision**-0.5, abs=1e-12)


def test_ipndm_integrates_cubics_of_equal_steps_exactly():
    """Adams-Bashforth of order four: exact for slopes that are cubic in sigma, once it has four of them."""
    sigmas = torch.linspace(6, 1, 26, dtype=torch.float64)
    exact = [float(s**4) for s in sigmas]

    def denoise(x, sigma):
        return x - sigma * 4 * sigma**3  # slope (x - D) / sigma = 4 sigma^3, x = sigma^4

    start = torch.full((1, 1, 1, 1), exact[0], dtype=torch.float64)
    errors = [float(step.x) - true for step, true in zip(ipndm(denoise, start, sigmas), exact, strict=True)]
    assert abs(errors[1]) > 1  # the first step is Euler's
    assert errors[3:] == pytest.approx([errors[3]] * len(errors[3:]), abs=1e-9)


def test_ipndm_beats_the_second_order_at_few_steps_on_gaussian_data():
    x, sigmas = standard_normal(1, 1, 1, 8), karras(41, 0.002, 80)[:-1]
    exact = DATA.solution(x, 80, 0.002)
    errors = [(last(sampler, DATA.denoise, x, sigmas) - exact).abs().max() for sampler in (ipndm, dpmpp2m)]
    assert errors[0] < errors[1] / 2


@pytest.mark.parametrize("sigmas", [(40.0, 0.0), (40.0, 0.8, 0.0), (40.0, 5.0, 1.0, 0.2, 0.0)])
def test_consistency_sampling_of_the_exact_consistency_function_draws_the_data(sigmas):
    """f(x, sigma) = mu + (x - mu) s / sqrt(s^2 + sigma^2) for Gaussian data: the result is N(mu, s^2) at any steps."""
    generator, shape = torch.Generator().manual_seed(0), (40_000, 1, 1, 1)

    def draw():
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    def exact(x, sigma):
        return DATA.solution(x, float(sigma), 0.0)

    x = last(consistency, exact, DATA.mu + 40 * draw(), torch.tensor(sigmas, dtype=torch.float64), draw)
    assert float(x.mean()) == pytest.approx(DATA.mu, abs=0.01)
    assert float(x.std()) == pytest.approx(DATA.s, rel=0.01)


@pytest.mark.parametrize("name", SAMPLERS)
def test_steps_are_reported_from_noise_to_image(name):
    sigmas = karras(5, 0.02, 40)
    x = 40 * standard_normal(2, 1, 2, 2)
    steps = list(SAMPLERS[name](DATA.denoise, x, sigmas, lambda: standard_normal(2, 1, 2, 2)))
    assert [step.i for step in steps] == [0, 1, 2, 3, 4, 5]
    assert [step.sigma for step in steps] == sigmas.tolist()
    assert torch.equal(steps[0].x, x)
    for step in steps[:-1]:
        torch.testing.assert_close(step.denoised, DATA.denoise(step.x, torch.tensor(step.sigma)))
    assert torch.equal(steps[-1].x, steps[-1].denoised)


@pytest.mark.parametrize("name", SAMPLERS)
def test_network_calls(name):
    """One a noise level; Heun's method two, except for the step to 0."""
    count = 0

    def denoise(x, sigma):
        nonlocal count
        count += 1
        return DATA.denoise(x, sigma)

    x = standard_normal(1, 1, 2, 2)
    last(SAMPLERS[name], denoise, x, karras(6, 0.02, 40), lambda: x)
    assert count == (11 if name == "heun" else 6)


@pytest.mark.parametrize("name", SAMPLERS)
def test_gradients_pass_through(name):
    """Samplers hold no grad mode, so that a reward can be back-propagated."""
    x = standard_normal(1, 1, 2, 2).requires_grad_()
    last(SAMPLERS[name], DATA.denoise, x, karras(3, 0.02, 40), lambda: torch.zeros_like(x)).sum().backward()
    assert x.grad.abs().min() > 0


def test_agrees_with_diffusers_dpm_solver():
    """DPM-Solver++(2M) of diffusers on the same denoiser, starting noise and sigmas."""
    diffusers = pytest.importorskip("diffusers")
    scheduler = diffusers.EDMDPMSolverMultistepScheduler(
        sigma_min=0.02, sigma_max=40.0, sigma_data=0.5, rho=7.0, solver_order=2, solver_type="midpoint",
        lower_order_final=False, euler_at_final=True, final_sigmas_type="zero",
    )  # fmt: skip
    steps = 8
    scheduler.set_timesteps(steps)
    ours = karras(steps, 0.02, 40)
    torch.testing.assert_close(scheduler.sigmas.double(), ours, rtol=1e-4, atol=1e-6)
    x = start = 40 * standard_normal(2, 1, 4, 4)
    for sigma, t in zip(ours[:-1], scheduler.timesteps, strict=True):
        F = (DATA.denoise(x, sigma) - 0.25 / (sigma**2 + 0.25) * x) / (sigma * 0.5 / (sigma**2 + 0.25).sqrt())
        x = scheduler.step(F, t, x).prev_sample
    torch.testing.assert_close(x.double(), last(dpmpp2m, DATA.denoise, start, ours), rtol=2e-4, atol=2e-4)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of diffusers, on numpy 2
def test_agrees_with_diffusers_unipc():
    """UniPC-2 with B2 of diffusers, which works on x / sqrt(1 + sigma^2), on the same denoiser, noise and sigmas."""
    diffusers = pytest.importorskip("diffusers")
    steps = 8
    ours = karras(steps, 0.02, 40)
    scheduler = diffusers.UniPCMultistepScheduler(
        solver_order=2, prediction_type="sample", lower_order_final=True, final_sigmas_type="zero"
    )
    scheduler.set_timesteps(steps)
    scheduler.sigmas = ours.clone()
    start = 40 * standard_normal(2, 1, 4, 4)
    x = start / (1 + ours[0] ** 2).sqrt()
    for sigma, t in zip(ours[:-1], scheduler.timesteps, strict=True):
        x = scheduler.step(DATA.denoise(x * (1 + sigma**2).sqrt(), sigma), t, x).prev_sample
    torch.testing.assert_close(x, last(unipc, DATA.denoise, start, ours), rtol=1e-6, atol=1e-6)


def test_unipc_is_of_third_order():
    data, x = Gaussian(0.0, 0.5), standard_normal(1, 1, 1, 8)
    exact, errors = data.solution(x, 80, 0.002), []
    for intervals in (40, 80, 160, 320):
        result = last(unipc, data.denoise, x, karras(intervals + 1, 0.002, 80)[:-1])
        errors.append(float(((result - exact) / exact).abs().max()))
    assert math.log2(errors[-2] / errors[-1]) == pytest.approx(3, abs=0.15), errors


def test_euler_agrees_with_diffusers_ddim():
    """DDIM (eta 0) of diffusers on a variance-preserving chain; ours on the same chain with x scaled."""
    diffusers = pytest.importorskip("diffusers")
    scheduler = diffusers.DDIMScheduler(
        num_train_timesteps=1000, prediction_type="sample", clip_sample=False, set_alpha_to_one=True
    )
    scheduler.set_timesteps(10)
    alphas = scheduler.alphas_cumprod[scheduler.timesteps].double()
    sigmas = torch.cat([((1 - alphas) / alphas).sqrt(), torch.zeros(1, dtype=torch.float64)])
    start = standard_normal(2, 1, 4, 4) * sigmas[0]
    scaled = start * alphas[0].sqrt()
    for t, alpha, sigma in zip(scheduler.timesteps, alphas, sigmas, strict=False):
        scaled = scheduler.step(DATA.denoise(scaled / alpha.sqrt(), sigma), t, scaled).prev_sample
    torch.testing.assert_close(scaled, last(euler, DATA.denoise, start, sigmas), rtol=1e-6, atol=1e-6)
