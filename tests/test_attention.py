"""Attention as it is written out for training, against torch's own."""

import pytest
import torch
from torch.nn import functional as F

from diffusion_core.attention import attend


@pytest.mark.parametrize(("dtype", "near"), [(torch.float64, 1e-12), (torch.float32, 1e-5), (torch.bfloat16, 0.03)])
def test_values_and_gradients_are_torchs(dtype, near):
    generator = torch.Generator().manual_seed(0)
    drawn = [torch.randn(3, 4, 49, 32, generator=generator, dtype=torch.float64) for _ in range(4)]
    ours, theirs = ([x.to(dtype).requires_grad_() for x in drawn[:3]] for _ in range(2))
    weight = drawn[3].to(dtype)
    mine, other = attend(*ours, training=True), F.scaled_dot_product_attention(*theirs)
    assert mine.dtype == dtype and mine.grad_fn.name() != other.grad_fn.name()  # it is another computation
    (mine * weight).sum().backward()
    (other * weight).sum().backward()
    for found, expected in [(mine, other), *((a.grad, b.grad) for a, b in zip(ours, theirs, strict=True))]:
        assert (found - expected).abs().max() < near * expected.abs().max()


@pytest.mark.parametrize(("training", "gradient"), [(True, False), (False, False), (False, True)])
def test_elsewhere_it_is_torchs_to_the_bit(training, gradient):
    """What is led by a gradient, or tuned by one, is compared with what is drawn without."""
    q, k, v = torch.randn(3, 2, 4, 49, 32, generator=torch.Generator().manual_seed(1)).bfloat16()
    expected = F.scaled_dot_product_attention(q, k, v)
    assert torch.equal(attend(q.requires_grad_(gradient), k, v, training), expected)
