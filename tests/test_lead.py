"""Guidance by a reward: exact where the reward is linear and the data Gaussian, and the same images at any batch."""

from dataclasses import replace

import pytest
import torch

from diffusion_core.config import SampleConfig
from diffusion_core.data import spec
from diffusion_core.errors import UserError
from diffusion_core.generate import generate, stream
from diffusion_core.guidance import guided
from diffusion_core.lead import Lead, led
from diffusion_core.noise import plan
from diffusion_core.pixels import SIGMA_DATA
from diffusion_core.samplers import SAMPLERS
from diffusion_core.schedules import karras
from tests.oracle import Gaussian, standard_normal

MNIST = spec("mnist")
DATA = Gaussian(mu=0.5, s=0.05)  # well inside of what pixels can be
LABELS = torch.zeros(64, dtype=torch.long)
ALL = (0.0, 1e6)


def brightness(pixels, labels):
    return pixels.sum(dim=(1, 2, 3))


def test_a_linear_reward_leads_to_the_exactly_tilted_distribution():
    """N(mu, s^2) times exp(k a x) is N(mu + k a s^2, s^2); its denoiser is D + k a s^2 sigma^2 / (s^2 + sigma^2)."""
    a, k = MNIST.std / SIGMA_DATA, 100.0
    x, sigma = DATA.mu + 0.1 * standard_normal(64, 1, 2, 2), torch.tensor(0.1, dtype=torch.float64)
    lead = Lead(brightness, k, ALL)
    found = led(DATA.denoise, LABELS, lead, MNIST)(x, sigma)
    tilted = Gaussian(DATA.mu + k * a * DATA.s**2, DATA.s)
    torch.testing.assert_close(found, tilted.denoise(x, sigma), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in SAMPLERS if name not in ("consistency", "ancestral")])
def test_every_sampler_ends_where_the_tilted_path_does(name):
    a, k = MNIST.std / SIGMA_DATA, 100.0
    tilted, sigmas = Gaussian(DATA.mu + k * a * DATA.s**2, DATA.s), karras(120, 0.002, 1.0)
    x = DATA.mu + standard_normal(8, 1, 2, 2)
    denoise = led(DATA.denoise, LABELS[:8], Lead(brightness, k, ALL), MNIST)
    *_, last = SAMPLERS[name](denoise, x, sigmas, None)
    torch.testing.assert_close(last.x, tilted.solution(x, 1.0, 0.0), atol=0.02, rtol=0)


def test_outside_of_its_interval_and_at_scale_0_nothing_changes():
    x, calls = standard_normal(4, 1, 2, 2), []
    for lead, sigma in ((Lead(brightness, 5.0, (0.1, 1.0)), 2.0), (Lead(brightness, 0.0), 0.5)):
        denoise = led(lambda x, s: calls.append(1) or DATA.denoise(x, s), LABELS[:4], lead, MNIST)
        assert torch.equal(denoise(x, torch.tensor(sigma)), DATA.denoise(x, torch.tensor(sigma)))
    assert len(calls) == 2


def test_one_call_never_adds_more_than_its_limit():
    x, sigma = DATA.mu + 0.01 * standard_normal(4, 1, 2, 2), torch.tensor(5.0)
    change = led(DATA.denoise, LABELS[:4], Lead(brightness, 100.0, ALL), MNIST)(x, sigma) - DATA.denoise(x, sigma)
    assert 0 < change.square().mean().sqrt() <= 1.0


def test_it_composes_with_guidance_and_an_image_is_the_same_in_any_batch(tiny):
    config = SampleConfig("dpmpp2m", steps=3, guidance=1.5)
    lead = Lead(brightness, 0.05)
    labels, seeds = plan(2, 0, 10)
    whole = generate(tiny, labels, seeds, config, lead=lead)
    alone = generate(tiny, labels[7:8], seeds[7:8], config, lead=lead)
    assert torch.equal(whole[7:8], alone)
    *_, last = stream(tiny, labels, seeds, config, lead=lead)
    assert torch.equal(last.denoised, whole)
    assert generate(tiny, labels, seeds, config).float().mean() < whole.float().mean(), "it is brighter"
    plain = generate(tiny, labels, seeds, replace(config, guidance=1.0), lead=lead)
    assert not torch.equal(plain, whole)


def test_the_estimate_is_led_after_guidance(tiny):
    x, labels, sigma = standard_normal(2, 1, 28, 28).float(), torch.tensor([1, 2]), torch.tensor(0.5)
    denoise = guided(tiny.denoiser, labels, 2.0)
    change = led(denoise, labels, Lead(brightness, 0.05), MNIST)(x, sigma) - denoise(x, sigma)
    assert change.abs().max() > 0


def test_what_earns_enough_stays_as_it_is_to_the_bit(tiny):
    """Beside others that are led, in the same batch."""

    def of_threes(pixels, labels):
        return torch.where(labels == 3, brightness(pixels, labels), 0.0)

    labels, seeds = plan(1, 0, 10)
    config = SampleConfig(steps=4, guidance=1.0)
    plain, some = (generate(tiny, labels, seeds, config, lead=lead) for lead in (None, Lead(of_threes, 5.0)))
    same = (plain == some).flatten(1).all(1)
    assert same.tolist() == [d != 3 for d in labels.tolist()]


@pytest.mark.parametrize("scale", [-1.0, 101.0, float("nan")])
def test_a_scale_out_of_range_is_refused(tiny, scale):
    with pytest.raises(UserError, match="from 0 to 100"):
        generate(tiny, *plan(1, 0, 10), SampleConfig(steps=1), lead=Lead(brightness, scale))
