"""Walks between noises and classes, and the way back from an image to its noise."""

import math
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import one_hot

from diffusion_core import checkpoint as checkpoints
from diffusion_core import data
from diffusion_core.config import SampleConfig
from diffusion_core.errors import UserError
from diffusion_core.generate import from_noise, generate, inverted
from diffusion_core.interpolate import Between, Given, along, mixture, repeated, slerp
from diffusion_core.noise import MAX_SEED, Noise
from diffusion_core.samplers import SAMPLERS
from tests.conftest import random_denoiser

CONFIG = SampleConfig(steps=3, guidance=1.5)


@pytest.fixture(scope="module")
def shipped():
    return checkpoints.load(data.ROOT / "checkpoints" / "mnist")


# ---------------------------------------------------------------- slerp


def test_the_angle_grows_evenly_and_the_length_stays():
    a, b = torch.tensor([[3.0, 0.0, 0.0]]), torch.tensor([[0.0, 3.0, 0.0]])
    t = torch.tensor([0.0, 0.25, 0.5, 1.0])
    angles = t * math.pi / 2
    expected = 3 * torch.stack([angles.cos(), angles.sin(), torch.zeros(4)], 1)
    torch.testing.assert_close(slerp(a.expand(4, 3), b.expand(4, 3), t), expected)


def test_between_two_noises_the_norm_is_theirs_and_on_a_straight_line_it_is_not():
    a, b, t = (
        Noise(torch.arange(50)).normal(1, 28, 28),
        Noise(torch.arange(50, 100)).normal(1, 28, 28),
        torch.tensor(50 * [0.5]),
    )
    norm = slerp(a, b, t).flatten(1).norm(dim=1)
    assert norm.mean() == pytest.approx(28, rel=0.01) and (norm - 28).abs().max() < 3
    assert ((a + b) / 2).flatten(1).norm(dim=1).mean() == pytest.approx(28 / math.sqrt(2), rel=0.01)


def test_the_ends_are_exact_and_opposite_or_equal_ends_stay_finite():
    a, b = Noise(torch.tensor([1, 2])).normal(1, 28, 28), Noise(torch.tensor([3, 4])).normal(1, 28, 28)
    assert torch.equal(slerp(a, b, torch.tensor([0.0, 1.0])), torch.stack([a[0], b[1]]))
    half = torch.tensor([0.5, 0.5])
    torch.testing.assert_close(slerp(a, a, half), a)
    torch.testing.assert_close(slerp(a, -a, half), torch.zeros_like(a))
    torch.testing.assert_close(slerp(torch.zeros_like(a), b, half), b / math.sqrt(2))


# ---------------------------------------------------------------- walks


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_both_ends_of_a_walk_are_what_generate_draws(tiny, sampler):
    """Also for samplers that add fresh noise: every draw is interpolated."""
    config, labels = replace(CONFIG, sampler=sampler), torch.full((5,), 3)
    walked = from_noise(tiny, labels, Between(repeated(7, 5), repeated(8, 5), along(5)), config)
    ends = generate(tiny, labels[:2], torch.tensor([7, 8]), config)
    assert torch.equal(walked[[0, -1]], ends) and not torch.equal(walked[2], walked[0])


def test_seeds_and_whole_classes_are_what_generate_draws_at_any_count(tiny):
    labels, seeds = torch.arange(40) % 10, torch.arange(40)
    expected = generate(tiny, labels, seeds, CONFIG)
    assert torch.equal(from_noise(tiny, labels, Noise(seeds), CONFIG), expected)
    assert torch.equal(from_noise(tiny, one_hot(labels, 11).float(), Noise(seeds), CONFIG), expected)
    assert torch.equal(from_noise(tiny, labels[33:35], Noise(seeds[33:35]), CONFIG), expected[33:35])


def test_a_mixture_is_its_ends_at_the_ends_and_neither_between(tiny):
    weights = mixture(5, 6, along(3), 10)
    assert torch.equal(weights[[0, 2]], one_hot(torch.tensor([5, 6]), 11).float())
    torch.testing.assert_close(weights[1, 5:7], torch.full((2,), math.sqrt(0.5)))
    assert torch.equal(mixture(4, 4, along(3), 10), one_hot(torch.tensor([4, 4, 4]), 11).float())
    walked = from_noise(tiny, weights, repeated(1, 3), CONFIG)
    ends = generate(tiny, torch.tensor([5, 6]), torch.tensor([1, 1]), CONFIG)
    assert torch.equal(walked[[0, 2]], ends)
    assert not torch.equal(walked[1], ends[0]) and not torch.equal(walked[1], ends[1])


def test_a_mixed_vector_is_the_weighted_sum_in_half_precision_too():
    embedding = random_denoiser().network.embedding
    weights = torch.rand(4, 11, generator=torch.Generator().manual_seed(0))
    expected = weights @ embedding.label.weight
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(embedding._mixed(weights), expected)
        assert torch.equal(embedding._mixed(one_hot(torch.arange(11), 11).float()), embedding.label.weight)


def test_a_walk_along_guidance_is_what_generate_draws_at_each(tiny):
    scales, labels = torch.tensor([0.0, 0.5, 1.0, 2.0, 4.0]), torch.full((5,), 3)
    walked = from_noise(tiny, labels, repeated(2, 5), CONFIG, guidance=scales)
    for scale, image in zip(scales.tolist(), walked, strict=True):
        alone = generate(tiny, labels[:1], torch.tensor([2]), replace(CONFIG, guidance=scale))[0]
        assert (image.int() - alone.int()).abs().max() <= (1 if scale == 1 else 0)  # D(null) + (D - D(null)) rounds


@pytest.mark.parametrize("seed", [-1, MAX_SEED + 1])
def test_a_seed_that_is_none_is_refused(seed):
    with pytest.raises(UserError, match="seed must be from 0"):
        repeated(seed, 2)


def test_a_walk_of_one_frame_is_refused():
    with pytest.raises(UserError, match="at least 2 frames"):
        along(1)


# ---------------------------------------------------------------- inversion


@pytest.fixture(scope="module")
def back(shipped):
    """Sixteen real test digits, their labels, and the noise they come from."""
    test = data.load("mnist", "test")
    images, labels = test.images[:16], test.labels[:16].long()
    return images, labels, inverted(shipped, images, labels, torch.arange(16), shipped.meta.sample, 12)


def test_the_noise_of_a_real_digit_is_standard_normal(back):
    noise = back[2].flatten(1)
    assert (noise.std(1) - 1).abs().max() < 0.1 and noise.mean(1).abs().max() < 0.15
    kurtosis = ((noise - noise.mean()) ** 4).mean() / noise.var() ** 2
    assert kurtosis == pytest.approx(3, abs=0.2)


def test_a_real_digit_is_drawn_again_from_its_noise(shipped, back):
    """By the exact ODE to two grey levels; as the checkpoint draws, with guidance and 8 steps, still far nearer than
    from any other noise."""
    images, labels, noise = back
    fine = replace(shipped.meta.sample, sampler="heun", steps=24, guidance=1.0, levels=())

    def apart(config, noise):
        drawn = from_noise(shipped, labels, noise, config)
        return float((drawn.float() - images.float()).abs().mean())

    assert apart(fine, Given(noise, torch.arange(16))) < 2
    own = shipped.meta.sample
    assert apart(own, Given(noise, torch.arange(16))) < 8 < 20 < apart(own, Noise(torch.arange(16)))
