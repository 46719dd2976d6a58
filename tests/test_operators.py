"""Linear damage: every operator is what its matrix says, and its inverse is the pseudo-inverse."""

import pytest
import torch
from scipy.ndimage import gaussian_filter

from diffusion_core.damage import KINDS, OPTICS, damage
from diffusion_core.errors import UserError
from diffusion_core.operators import Mask, Matrix, Pool, blur, gaussian_kernel, motion_kernel
from tests.oracle import standard_normal

SHAPE = (4, 6)


def operators():
    known = torch.rand(SHAPE, generator=torch.Generator().manual_seed(0)) < 0.5
    return {
        "mask": Mask(known),
        "pool": Pool(2),
        "matrix": Matrix(standard_normal(7, 24, seed=1), SHAPE),
        "deficient": Matrix(standard_normal(3, 24, seed=2).repeat(2, 1), SHAPE),
        "blur": blur(gaussian_kernel(0.8).double(), SHAPE),
    }


@pytest.fixture(params=operators())
def pair(request):
    """An operator and its dense matrix [m, 24], found by sending every basis image through it."""
    operator = operators()[request.param]
    basis = torch.eye(24, dtype=torch.float64).view(24, 1, *SHAPE)
    return operator, operator.forward(basis).flatten(1).T


def test_the_adjoint_is_the_transpose(pair):
    operator, A = pair
    y = operator.forward(standard_normal(3, 1, *SHAPE))
    found = operator.adjoint(standard_normal(*y.shape, seed=5))
    assert torch.allclose(found.flatten(1), standard_normal(*y.shape, seed=5).flatten(1) @ A, atol=1e-12)


@pytest.mark.parametrize("c", [0.0, 0.3])
def test_solve_inverts_what_it_says(pair, c):
    operator, A = pair
    y = operator.forward(standard_normal(3, 1, *SHAPE, seed=4))  # within the range of A
    rows = torch.eye(len(A), dtype=torch.float64)
    inverse = torch.linalg.pinv(A @ A.T + c * rows, rtol=1e-6)
    found = operator.solve(y, c).flatten(1)
    assert torch.allclose(A @ A.T @ found.T, A @ A.T @ inverse @ y.flatten(1).T, atol=1e-9)


def test_projecting_meets_the_measurement(pair):
    operator, A = pair
    x, y = standard_normal(2, 1, *SHAPE, seed=8), operator.forward(standard_normal(2, 1, *SHAPE, seed=9))
    met = x + operator.adjoint(operator.solve(y - operator.forward(x), 0.0))
    assert torch.allclose(operator.forward(met), y, atol=1e-9)
    change = (met - x).flatten(1)
    null = torch.eye(24, dtype=torch.float64) - torch.linalg.pinv(A) @ A
    assert (change @ null).abs().max() < 1e-9, "nothing may change that was not measured"


def test_blur_is_a_filter_with_paper_around():
    image = torch.rand(1, 1, 28, 28, dtype=torch.float64)
    ours = blur(gaussian_kernel(1.5).double(), (28, 28)).forward(image).view(28, 28)
    scipys = gaussian_filter(image[0, 0].numpy(), 1.5, mode="constant", radius=4)
    assert torch.allclose(ours, torch.from_numpy(scipys), atol=1e-6)
    line = torch.zeros(1, 1, 28, 28)
    line[..., 14, 14] = 1
    assert blur(motion_kernel(7), (28, 28)).forward(line).view(28, 28)[14, 11:18].tolist() == pytest.approx([1 / 7] * 7)


def test_an_asymmetric_kernel_is_not_mirrored():
    kernel = torch.zeros(3, 3)
    kernel[1, 2] = 1  # convolution: the image moves to the right
    dot = torch.zeros(1, 1, 5, 5)
    dot[..., 2, 2] = 1
    assert blur(kernel, (5, 5)).forward(dot).view(5, 5)[2].tolist() == [0, 0, 0, 1, 0]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_at_every_severity_damages_more_or_less(kind):
    image = torch.zeros(1, 1, 28, 28)
    image[..., 6:22, 12:16] = 1
    kept = []
    for severity in KINDS[kind].severities:
        found = damage(kind, severity, (28, 28))
        y = found.operator.forward(image)
        back = found.operator.adjoint(found.operator.solve(y, 1e-3))
        kept.append(-float((back - image).square().sum()) - found.noise)
    assert kept == sorted(kept, reverse=True) and kept[0] > kept[-1]


def test_what_each_kind_hides():
    assert int((~damage("box", 8, (28, 28)).operator.known).sum()) == 64
    assert not damage("cut", 10, (28, 28)).operator.known[..., 18:, :].any()
    assert damage("cut", 10, (28, 28)).operator.known[..., :18, :].all()
    assert damage("stripes", 4, (28, 28)).operator.known[0, 0, :, 0].nonzero().flatten().tolist() == list(
        range(0, 28, 4)
    )
    first, second = (damage("pixels", 0.8, (28, 28), seed).operator.known for seed in (0, 1))
    assert int(first.sum()) == int(second.sum()) == 784 - round(0.8 * 784) and not torch.equal(first, second)
    assert int((~damage("box", 40, (64, 48)).operator.known).sum()) == 1600, "bounds are those of the image"
    assert damage("blur", 2, (28, 28)).noise == OPTICS and damage("box", 8, (28, 28)).noise == 0


@pytest.mark.parametrize(
    ("kind", "severity", "said"),
    [
        ("smear", 1, "Known: box"),
        ("box", 40, "from 1 to 28"),
        ("noise", float("nan"), "from 0"),
        ("pixels", -0.1, "0 to 1"),
    ],
)
def test_bad_damage_is_one_line(kind, severity, said):
    with pytest.raises(UserError, match=said):
        damage(kind, severity, (28, 28))


def test_bad_matrices_and_sizes_are_one_line():
    for A in (torch.zeros(3, 5), torch.zeros(0, 24), torch.full((2, 24), float("nan")), torch.zeros(24)):
        with pytest.raises(UserError, match="The matrix must hold finite numbers"):
            Matrix(A, SHAPE)
    with pytest.raises(UserError, match="cannot be shrunk by 3"):
        Pool(3).forward(torch.zeros(1, 1, 28, 28))
