"""The model as a classifier: likelihoods by denoising error, exact for Gaussian classes."""

from types import SimpleNamespace

import pytest
import torch

from diffusion_core import checkpoint as checkpoints
from diffusion_core import data, recognise
from diffusion_core.data import ROOT
from diffusion_core.pixels import to_model
from diffusion_core.recognise import log_likelihoods, probabilities


def test_differences_of_likelihoods_are_those_of_gaussian_classes(monkeypatch):
    """Class c is N(mu_c, s^2) in every pixel: ln p(x | c) = -|x - mu_c|^2 / 2 s^2 + const."""
    means, s = torch.tensor([-0.45, -0.25, 0.0, 0.15]), 0.3
    monkeypatch.setattr(recognise, "RANGE", (0.005, 60.0))  # nearly all of the integral

    def denoise(x, sigma, labels):
        mu, sigma = means[labels].view(-1, 1, 1, 1), sigma.view(-1, 1, 1, 1)
        return (s**2 * x + sigma**2 * mu) / (s**2 + sigma**2)

    spec = data.spec("mnist")
    model = SimpleNamespace(
        denoiser=denoise,
        spec=spec,
        device=torch.device("cpu"),
        meta=SimpleNamespace(network=SimpleNamespace(classes=4)),
    )
    images = torch.randint(0, 256, (6, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    found = log_likelihoods(model, images, torch.arange(6), levels=400)
    x = to_model(images, spec).flatten(1)
    exact = -(x[:, None] - means[None, :, None]).square().sum(2) / (2 * s**2)
    assert found.shape == (6, 4)
    ours, theirs = found - found.mean(1, keepdim=True), exact - exact.mean(1, keepdim=True)
    assert (ours - theirs).abs().max() < 0.02 * theirs.abs().max()


def test_the_shipped_model_reads_real_digits_and_knows_how_sure_it_is():
    test, model = data.load("mnist", "test"), checkpoints.load(ROOT / "checkpoints" / "mnist")
    rows = torch.arange(40) * 201
    found = probabilities(log_likelihoods(model, test.images[rows], rows))
    assert found.sum(1) == pytest.approx(1, abs=1e-5)
    assert int((found.argmax(1) == test.labels[rows]).sum()) >= 38
    assert float(found.gather(1, test.labels[rows, None]).log().mean()) > -0.3  # chance: -2.3


def test_an_images_likelihoods_do_not_depend_on_those_beside_it(tiny):
    images = data.load("mnist", "test").images[:5]
    together = log_likelihoods(tiny, images, torch.arange(5), levels=3)
    assert torch.equal(log_likelihoods(tiny, images[3:4], torch.tensor([3]), levels=3)[0], together[3])
    assert together.shape == (5, 10) and together.std(1).min() > 0
