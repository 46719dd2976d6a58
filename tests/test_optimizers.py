"""Muon against torch's own, on what can be known of it, and that it is given the right parameters."""

import pytest
import torch

from diffusion_core.config import TrainConfig
from diffusion_core.denoiser import Denoiser
from diffusion_core.errors import UserError
from diffusion_core.optimizers import NEWTON_SCHULZ, NEWTON_SCHULZ_STEPS, Muon, make_optimizers, orthogonalised
from tests.conftest import TINY


@pytest.mark.parametrize("shape", [(8, 72), (72, 8), (32, 32)])
def test_orthogonalised_keeps_singular_vectors_and_levels_singular_values(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    inside = u.T @ orthogonalised(matrix) @ v.T  # diagonal: the new singular values
    values = inside.diagonal()
    assert (inside - values.diag()).abs().max() < 1e-4
    # The quintic leaves a tiny singular value of a square matrix small; all others come out between .65 and 1.25.
    assert values.max() < 1.25 and values.min() > (0.65 if shape[0] != shape[1] else 0)


@pytest.mark.parametrize("shape", [(64, 576), (96, 64)])
def test_the_steps_gathered_are_the_polynomial_of_each_singular_value(shape):
    """The definition, a singular value at a time and in float64; singular values over five orders of magnitude."""
    generator = torch.Generator().manual_seed(1)
    u, _, v = torch.linalg.svd(torch.randn(shape, dtype=torch.float64, generator=generator), full_matrices=False)
    start = torch.logspace(0, -5, min(shape), dtype=torch.float64)
    values, (a, b, c) = start / start.norm(), NEWTON_SCHULZ
    for _ in range(NEWTON_SCHULZ_STEPS):
        values = a * values + b * values**3 + c * values**5
    found = orthogonalised((u * start @ v).float()).double()
    assert (found - u * values @ v).abs().max() < 1e-4


def test_a_rank_one_gradient_moves_every_weight_alike():
    """Closed form: the sign-like update of an all-equal matrix [m, n] is 1 / sqrt(m n) everywhere, times about one."""
    update = orthogonalised(torch.full((4, 9), 3.0))
    assert update.std() < 3e-5  # of .12: rounding away from the one direction grows up to 3.44^5 times
    assert 0.65 < float(update[0, 0]) * 6 < 1.25


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="torch has Muon from 2.9 on")
def test_muon_is_torchs_muon_on_the_flattened_weight():
    generator = torch.Generator().manual_seed(0)
    ours = torch.nn.Parameter(torch.randn(12, 4, 3, 3, generator=generator))
    theirs = torch.nn.Parameter(ours.detach().flatten(1).clone())
    mine = Muon([ours], lr=0.02)
    other = torch.optim.Muon([theirs], lr=0.02, weight_decay=0.0, momentum=0.95, nesterov=True)
    start = theirs.detach().clone()
    for _ in range(4):
        ours.grad = torch.randn(ours.shape, generator=generator)
        theirs.grad = ours.grad.flatten(1).clone()
        mine.step(), other.step()
    moved = (ours.detach().flatten(1) - start).norm()
    assert moved > 0.1
    # torch computes the Newton-Schulz steps in bfloat16: 8 bits of mantissa
    assert (ours.detach().flatten(1) - theirs.detach()).norm() < 0.02 * moved


def test_muon_gets_the_inner_convolutions_and_adam_everything_else():
    denoiser = Denoiser(TINY)
    adam, muon = make_optimizers(denoiser, TrainConfig(optimizer="muon"))
    shapes = {tuple(p.shape) for group in muon.param_groups for p in group["params"]}
    assert all(len(shape) == 4 for shape in shapes)
    owned = [p for optimizer in (adam, muon) for group in optimizer.param_groups for p in group["params"]]
    assert len(owned) == len({id(p) for p in owned}) == len(list(denoiser.parameters()))
    network = denoiser.network
    for parameter in (network.conv_in.weight, network.conv_out.weight, network.embedding.label.weight):
        assert any(parameter is p for group in adam.param_groups for p in group["params"])
    assert len(make_optimizers(denoiser, TrainConfig())) == 1
    with pytest.raises(UserError, match="no optimizer 'sgd'"):
        make_optimizers(denoiser, TrainConfig(optimizer="sgd"))
