"""The noise of a picture, and how near a restored image is to the original."""

import pytest
import torch

from diffusion_core import data
from diffusion_core.noise_level import estimated_noise, uncut
from eval.fidelity import mean_image, psnr, spread, ssim


@pytest.mark.parametrize("sigma", [0.1, 0.25, 0.5])
def test_noise_is_estimated_from_what_a_file_holds(sigma):
    real = data.load("mnist", "test").images[:40].float() / 255
    noisy = real + sigma * torch.randn(real.shape, generator=torch.Generator().manual_seed(0))
    held = noisy.clamp(0, 1).mul(255).round() / 255
    found = torch.tensor([estimated_noise(image) for image in held])
    assert float(found.mean()) == pytest.approx(sigma, rel=0.1) and float(found.std()) < 0.15 * sigma
    paper = real == 0
    assert abs(float(uncut(held, sigma)[paper].mean())) < 0.02 < float(held[paper].mean())
    assert all(estimated_noise(image) == 0 for image in real)


def test_fidelity_against_closed_forms():
    a = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
    b = a.clone()
    b[1] = 51  # a fifth of white everywhere: 20 log10(5) dB
    assert psnr(a, b).tolist() == pytest.approx([100, 13.9794], abs=1e-3)
    assert float(ssim(a, b)[0]) == 1 and float(ssim(a, b)[1]) < 0.5
    assert mean_image(torch.cat([a, b])).unique().tolist() == [13]  # 51 / 4, rounded
    assert spread(torch.cat([a, b])).flatten()[0] == pytest.approx(0.2 * (3 / 16) ** 0.5)
