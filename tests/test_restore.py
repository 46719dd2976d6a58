"""Restoration: exact on Gaussian data, bit-equal where pixels were seen, and the digit that was there on real ones."""

import pytest
import torch

from diffusion_core import checkpoint as checkpoints
from diffusion_core import data
from diffusion_core.config import SampleConfig
from diffusion_core.damage import Damage, damage
from diffusion_core.data import ROOT
from diffusion_core.errors import UserError
from diffusion_core.generate import generate
from diffusion_core.operators import Mask, Matrix, Pool
from diffusion_core.pixels import SIGMA_DATA, to_model
from diffusion_core.restore import (
    METHODS,
    Measurement,
    RestoreConfig,
    damaged,
    measurement,
    restore,
    restoring,
    travelling,
)
from diffusion_core.schedules import karras
from eval.judge import load_judge
from tests.oracle import Gaussian, standard_normal

SHAPE = (2, 3)
CONFIG = RestoreConfig(steps=3)


@pytest.fixture(scope="module")
def mnist():
    return checkpoints.load(ROOT / "checkpoints" / "mnist")


@pytest.fixture(scope="module")
def real():
    return data.load("mnist", "test")


def posterior(A, y, tau, mu, s):
    """Mean [d] and covariance [d, d] of x0 ~ N(mu, s^2) given y = A x0 + tau e."""
    gain = s**2 * A.T @ torch.linalg.inv(s**2 * A @ A.T + tau**2 * torch.eye(len(A), dtype=A.dtype))
    return mu + gain @ (y - A @ torch.full((A.shape[1],), mu, dtype=A.dtype)), s**2 * (
        torch.eye(A.shape[1], dtype=A.dtype) - gain @ A
    )


# ---------------------------------------------------------------- closed forms


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("sigma", [0.05, 0.7, 20.0])
def test_the_changed_denoiser_is_the_posterior_mean_given_both(method, sigma):
    """For Gaussian data x0 | x is Gaussian, too: x and y are two measurements of x0, and the answer is known."""
    A, tau, mu = standard_normal(4, 6, seed=1), 0.3, 0.2
    x, y = standard_normal(5, 1, *SHAPE, seed=2), standard_normal(5, 1, 4, seed=3)
    m = Measurement(Matrix(A, SHAPE), y, tau)
    found = METHODS[method](Gaussian(mu, SIGMA_DATA).denoise, m)(x, torch.tensor(sigma, dtype=torch.float64))
    both = torch.cat([A, torch.eye(6, dtype=torch.float64)])
    weights = torch.cat([torch.full((4,), tau**-2), torch.full((6,), sigma**-2)]).double()
    precision = both.T @ (weights[:, None] * both) + torch.eye(6, dtype=torch.float64) / SIGMA_DATA**2
    for row in range(5):
        seen = torch.cat([y[row, 0], x[row].flatten()])
        exact = torch.linalg.solve(precision, both.T @ (weights * seen) + mu / SIGMA_DATA**2)
        assert torch.allclose(found[row].flatten(), exact, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("times", [1, 3])
def test_draws_have_the_posteriors_mean_and_covariance(method, times):
    n, tau, mu = 4000, 0.25, 0.1
    A, y = standard_normal(3, 6, seed=1), standard_normal(1, 1, 3, seed=3).repeat(4000, 1, 1)
    rng = torch.Generator().manual_seed(0)

    def draw():
        return torch.randn(n, 1, *SHAPE, dtype=torch.float64, generator=rng)

    estimate = METHODS[method](Gaussian(mu, SIGMA_DATA).denoise, Measurement(Matrix(A, SHAPE), y, tau))
    sigmas = karras(500, 0.01, 40.0)  # ancestral steps lose variance, in proportion to their length
    *_, last = travelling(estimate, 40 * draw(), sigmas, draw, times)
    mean, covariance = posterior(A, y[0, 0], tau, mu, SIGMA_DATA)
    x = last.x.flatten(1)
    assert torch.allclose(x.mean(0), mean, atol=0.02)  # standard error: at most .5 / sqrt(4000) = .008
    assert torch.allclose(torch.cov(x.T), covariance, atol=0.012 * times)


def test_measurements_of_pixels_and_of_model_range_are_the_same(real):
    """The operator is linear in pixels; model range is centred. A of what the model sees must be y."""
    for kind in ("box", "shrink", "blur"):
        found = damage(kind, None, (28, 28))._replace(noise=0.0)
        m = measurement(damaged(real.images[:4], found, torch.arange(4)), found, real.spec)
        assert torch.allclose(found.operator.forward(to_model(real.images[:4], real.spec)), m.y, atol=2e-5)


def test_noise_is_as_strong_as_it_says_and_new_for_every_seed(real):
    found = damage("noise", 0.5, (28, 28))
    twice = [damaged(real.images[:50], found, torch.arange(50) + start) for start in (0, 0, 50)]
    assert torch.equal(twice[0], twice[1]) and not torch.equal(twice[0], twice[2])
    assert float((twice[0] - real.images[:50] / 255).std()) == pytest.approx(0.5, rel=0.02)
    m = measurement(twice[0], found, real.spec)
    assert m.tau == pytest.approx(0.5 * SIGMA_DATA / real.spec.std) and m.seen is None


# ---------------------------------------------------------------- images


@pytest.mark.parametrize("method", METHODS)
def test_known_pixels_come_back_bit_for_bit(tiny, real, method):
    found = damage("pixels", 0.5, (28, 28), seed=3)
    m = measurement(damaged(real.images[:3], found, torch.arange(3)), found, real.spec)
    out = restore(tiny, m, real.labels[:3], torch.arange(3), RestoreConfig(method, steps=3))
    known = found.operator.known.expand(3, 1, 28, 28)
    assert torch.equal(out[known], real.images[:3][known]) and not torch.equal(out, real.images[:3])
    for frame in restoring(tiny, m, real.labels[:3], torch.arange(3), RestoreConfig(method, steps=3)):
        assert torch.equal(frame[known], real.images[:3][known])
    assert torch.equal(frame, out)


def test_a_full_mask_is_the_identity_and_an_empty_one_plain_generation(tiny, real):
    tiny.denoiser.dtype = torch.float32  # network calls of another size round otherwise, and bfloat16 the more
    labels, seeds = torch.tensor([3, 10, 7]), torch.tensor([1, 2, 3])
    full = Damage(Mask(torch.ones(28, 28)), 0.0)
    m = measurement(damaged(real.images[:3], full, seeds), full, real.spec)
    assert torch.equal(restore(tiny, m, labels, seeds, CONFIG), real.images[:3])
    empty = Damage(Mask(torch.zeros(28, 28)), 0.0)
    m = measurement(damaged(real.images[:3], empty, seeds), empty, real.spec)
    out = restore(tiny, m, labels, seeds, CONFIG)
    for row, guidance in ((0, 1), (1, 0), (2, 1)):  # label 10 is none: the unconditional model
        config = SampleConfig("ancestral", 3, guidance, sigma_min=CONFIG.sigma_min, sigma_max=CONFIG.sigma_max)
        drawn = generate(tiny, labels[[row]] % 10, seeds[[row]], config)
        assert int((out[row].int() - drawn[0].int()).abs().max()) <= 2


def test_an_image_does_not_depend_on_those_beside_it(tiny, real):
    found = damage("shrink", 4, (28, 28))
    m = measurement(damaged(real.images[:11], found, torch.arange(11)), found, real.spec)
    labels, seeds = torch.arange(11) % 10, torch.arange(11)
    together = restore(tiny, m, labels, seeds, CONFIG)
    rows = torch.tensor([9, 2])
    assert torch.equal(restore(tiny, m.rows(rows), labels[rows], seeds[rows], CONFIG), together[rows])


def test_means_that_were_seen_without_noise_are_met(mnist, real):
    found = Damage(Pool(4), 0.0)
    m = measurement(damaged(real.images[:2], found, torch.arange(2)), found, real.spec)
    out = restore(mnist, m, real.labels[:2], torch.arange(2), RestoreConfig(steps=12))
    difference = found.operator.forward(out.float()) - found.operator.forward(real.images[:2].float())
    assert float(difference.abs().max()) < 1.5  # grey levels: what rounding and clipping leave


@pytest.mark.parametrize("kind", ["box", "stripes", "pixels", "noise", "shrink", "blur"])
def test_real_digits_are_restored_as_what_they_were(mnist, real, kind):
    """Twenty test digits without their labels: most are read as before, and far nearer to the original than A' y."""
    rows = torch.arange(20)
    found = damage(kind, None, (28, 28))
    recorded = damaged(real.images[rows], found, rows)
    m = measurement(recorded, found, real.spec)
    out = restore(mnist, m, torch.full((20,), 10), rows, RestoreConfig(steps=12))
    read = load_judge("selector").logits(out).argmax(1)
    assert int((read == real.labels[rows]).sum()) >= 15
    naive = found.operator.adjoint(found.operator.solve(recorded, 0.0)).clamp(0, 1) * 255
    errors = [(x - real.images[rows].float()).square().mean() for x in (out.float(), naive)]
    assert errors[0] < 0.7 * errors[1]


# ---------------------------------------------------------------- bad requests


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"method": "magic"}, "Known: pigdm"),
        ({"steps": 0}, "Steps must be a whole number from 1"),
        ({"steps": 2.5}, "Steps must be a whole number"),
        ({"travel": 50}, "Time travel must be"),
        ({"sigma_min": 50.0}, "Noise levels"),
    ],
)
def test_bad_settings_are_one_line(change, said):
    with pytest.raises(UserError, match=said):
        RestoreConfig(**change).validate()


@pytest.mark.parametrize(
    ("labels", "seeds", "said"),
    [([1, 2], [0, 1], "1 measurements, 2 labels"), ([11], [0], "Labels must be"), ([1], [-1], "Seeds must be")],
)
def test_bad_requests_are_one_line(tiny, real, labels, seeds, said):
    found = damage("box", None, (28, 28))
    m = measurement(damaged(real.images[:1], found, torch.arange(1)), found, real.spec)
    with pytest.raises(UserError, match=said):
        restore(tiny, m, torch.tensor(labels), torch.tensor(seeds), CONFIG)
    with pytest.raises(UserError, match="NaN"):
        restore(tiny, m._replace(y=m.y * float("nan")), torch.tensor([1]), torch.tensor([0]), CONFIG)
