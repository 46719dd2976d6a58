"""Preconditioning, guidance and loss against their closed forms."""

import pytest
import torch

from diffusion_core.config import NetworkConfig, TrainConfig
from diffusion_core.denoiser import Denoiser, c_in, c_noise, c_out, c_skip
from diffusion_core.guidance import guided
from diffusion_core.loss import Draws, denoising_loss, draw, quartile
from tests.conftest import TINY, random_denoiser
from tests.oracle import Gaussian, standard_normal

SIGMAS = torch.tensor([0.01, 0.1, 0.5, 1.0, 7.0, 80.0], dtype=torch.float64)


class Zero(torch.nn.Module):
    def forward(self, x, c_noise, label):
        return torch.zeros_like(x)


class GaussianByLabel(torch.nn.Module):
    """An ideal D: data N(mu of the label, s^2); counts its calls."""

    null_label = 2

    def __init__(self, mus):
        super().__init__()
        self.mus, self.calls = mus, []

    def forward(self, x, sigma, label):
        self.calls.append(len(x))
        mu = self.mus[label].view(-1, 1, 1, 1)
        return (0.25 * x + sigma**2 * mu) / (0.25 + sigma**2)


def test_preconditioning_identities():
    total = c_skip(SIGMAS) ** 2 * (SIGMAS**2 + 0.25) + c_out(SIGMAS) ** 2
    torch.testing.assert_close(total, torch.full_like(total, 0.25))
    torch.testing.assert_close(c_in(SIGMAS) ** 2 * (SIGMAS**2 + 0.25), torch.ones_like(SIGMAS))
    assert float(c_noise(torch.tensor(1.0))) == 0


def test_zero_network_is_the_ideal_denoiser_of_centred_data():
    x = standard_normal(len(SIGMAS), 1, 4, 4)
    denoiser = Denoiser(NetworkConfig(), Zero())
    expected = Gaussian(0.0, 0.5).denoise(x, SIGMAS.view(-1, 1, 1, 1))
    torch.testing.assert_close(denoiser(x, SIGMAS, torch.zeros(len(SIGMAS)).long()), expected)


@pytest.mark.parametrize("sigma", SIGMAS.tolist())
def test_zero_network_has_loss_one_at_every_noise_level(sigma):
    n = 4000
    x0, noise = 0.5 * standard_normal(n, 1, 4, 4), standard_normal(n, 1, 4, 4, seed=1)
    draws = Draws(torch.full((n,), sigma, dtype=torch.float64), noise, torch.zeros(n).long())
    losses = denoising_loss(Denoiser(NetworkConfig(), Zero()), x0, draws)
    assert losses.shape == (n,)
    assert float(losses.mean()) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("w", [0.0, 0.5, 1.0, 1.5, 3.0])
def test_guidance_of_two_gaussians(w):
    """The guided denoiser is the ideal one of N(mu_u + w (mu_c - mu_u), s^2); 0 and 1 take one call."""
    model = GaussianByLabel(torch.tensor([-1.0, 2.0, 0.4], dtype=torch.float64))
    x, sigma = standard_normal(6, 1, 2, 2), torch.tensor(0.8, dtype=torch.float64)
    labels = torch.tensor([0, 1, 0, 1, 1, 0])
    result = guided(model, labels, w)(x, sigma)
    mu = 0.4 + w * (model.mus[labels] - 0.4)
    expected = (0.25 * x + sigma**2 * mu.view(-1, 1, 1, 1)) / (0.25 + sigma**2)
    torch.testing.assert_close(result, expected)
    assert model.calls == ([6] if w in (0, 1) else [12])


def test_guidance_only_inside_its_interval():
    """low < sigma <= high: outside, the plain conditional model in one call; with many noise levels, row by row."""
    model = GaussianByLabel(torch.tensor([-1.0, 2.0, 0.4], dtype=torch.float64))
    x, labels = standard_normal(4, 1, 2, 2), torch.tensor([0, 1, 0, 1])
    sigmas = torch.tensor([0.3, 0.31, 5.0, 5.1], dtype=torch.float64)
    weights = (1.0, 3.0, 3.0, 1.0)
    part = guided(model, labels, 3.0, (0.3, 5.0))
    for sigma, w in zip(sigmas, weights, strict=True):
        model.calls.clear()
        torch.testing.assert_close(part(x, sigma), guided(model, labels, w)(x, sigma))
        assert model.calls[0] == (4 if w == 1 else 8)
    rows = guided(random_denoiser(), labels, 3.0, (0.3, 5.0))(x.repeat(1, 1, 14, 14).float(), sigmas.float())
    for i, sigma in enumerate(sigmas.float()):
        alone = guided(random_denoiser(), labels, 3.0, (0.3, 5.0))(x.repeat(1, 1, 14, 14).float(), sigma)
        torch.testing.assert_close(rows[i], alone[i], atol=0.05, rtol=0)  # bfloat16, where the machine has it


def test_the_label_matters_and_the_null_label_is_another():
    denoiser, x = random_denoiser(), standard_normal(1, 1, 28, 28).float()
    outputs = [denoiser(x, torch.tensor(1.0), torch.tensor([label])) for label in range(11)]
    for i in range(11):
        for j in range(i):
            assert (outputs[i] - outputs[j]).abs().max() > 1e-3


def test_label_dropout_is_drawn_for_each_example():
    config = TrainConfig(label_dropout=0.25)
    images, labels = torch.zeros(4000, 1, 1, 1), torch.arange(4000) % 10
    draws = draw(images, labels, 10, config, torch.Generator().manual_seed(0))
    dropped = draws.label == 10
    assert float(dropped.float().mean()) == pytest.approx(0.25, abs=0.03)
    assert torch.equal(draws.label[~dropped], labels[~dropped])


def test_noise_levels_are_lognormal_and_quartiles_hold_a_quarter_each():
    config = TrainConfig()
    images = torch.zeros(40_000, 1, 1, 1)
    sigma = draw(images, torch.zeros(40_000).long(), 10, config, torch.Generator().manual_seed(0)).sigma
    assert float(sigma.log().mean()) == pytest.approx(config.log_sigma_mean, abs=0.02)
    assert float(sigma.log().std()) == pytest.approx(config.log_sigma_std, abs=0.02)
    share = torch.bincount(quartile(sigma, config), minlength=4) / len(sigma)
    torch.testing.assert_close(share, torch.full((4,), 0.25), atol=0.01, rtol=0)
    assert int(quartile(torch.tensor([1e-3]), config)) == 0 and int(quartile(torch.tensor([1e3]), config)) == 3


def test_denoiser_returns_float32_under_autocast():
    x = standard_normal(2, 1, 28, 28).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert Denoiser(TINY)(x, torch.tensor(1.0), torch.tensor([1, 2])).dtype == torch.float32
