"""Frechet distance and precision/recall/density/coverage against closed forms."""

import math

import pytest
import torch
from scipy.linalg import sqrtm

from eval.distribution import frechet_distance, precision_recall_density_coverage
from eval.frechet import Moments


def gaussian(n, d, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def whitened(n, d, seed=0):
    """A sample whose mean is exactly 0 and whose covariance (n - 1) is exactly 1."""
    x = gaussian(n, d, seed)
    x = x - x.mean(0)
    return torch.linalg.solve_triangular(torch.linalg.cholesky(x.T.cov()), x.T, upper=False).T


def test_frechet_distance_of_isotropic_normals():
    x = whitened(200, 16)
    assert frechet_distance(x, 0.5 + 2 * whitened(300, 16, 1)) == pytest.approx(20.0, rel=1e-9)
    assert frechet_distance(x[:, :1], x[:, :1] + 3) == pytest.approx(9.0)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)


def test_frechet_distance_is_a_distance_of_distributions():
    a, b = gaussian(80, 6) @ gaussian(6, 6, 1), gaussian(90, 6, 2) + 0.3
    d = frechet_distance(a, b)
    turn = torch.linalg.qr(gaussian(6, 6, 3)).Q
    assert frechet_distance(b, a) == pytest.approx(d, rel=1e-9)
    assert frechet_distance(a @ turn + 5, b @ turn + 5) == pytest.approx(d, rel=1e-9)
    assert frechet_distance(3 * a, 3 * b) == pytest.approx(9 * d, rel=1e-9)
    assert frechet_distance(a.float().numpy(), b.float().numpy()) == pytest.approx(d, rel=1e-4)


def test_frechet_distance_with_fewer_rows_than_features():
    a, b = gaussian(5, 40), gaussian(7, 40, 1)
    assert frechet_distance(a, a + 1) == pytest.approx(40, rel=1e-6)
    assert 0 < frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-6)
    with pytest.raises(ValueError, match="at least 2"):
        frechet_distance(a[:1], b)
    with pytest.raises(ValueError, match="finite"):
        frechet_distance(a * torch.nan, b)


def test_subsets_are_measured_as_if_each_were_alone():
    """By the textbook's formula and scipy, with fewer rows than features and with more."""
    real, x = gaussian(200, 12) @ gaussian(12, 12, 1), gaussian(60, 12, 2) * 1.5 + 0.5
    members = torch.stack([torch.randperm(60, generator=torch.Generator().manual_seed(n)) < n for n in (8, 12, 13, 45)])
    found = Moments(real).of(x, members)
    for member, distance in zip(members, found, strict=True):
        part = x[member]
        ours, theirs = part.T.cov(), real.T.cov()
        cross = sqrtm((theirs @ ours).numpy()).real.trace()
        expected = (real.mean(0) - part.mean(0)).square().sum() + ours.trace() + theirs.trace() - 2 * cross
        assert float(distance) == pytest.approx(float(expected), rel=1e-6)
        assert Moments(real).distance(part) == pytest.approx(float(distance), rel=1e-7)


@pytest.mark.parametrize(("n", "expected"), [(200, 0.843), (1000, 0.168)])
def test_frechet_distance_has_the_known_bias(n, expected):
    draws = [frechet_distance(gaussian(n, 16, 2 * i), gaussian(n, 16, 2 * i + 1)) for i in range(60)]
    assert sum(draws) / len(draws) == pytest.approx(expected, rel=0.03)


def prdc(real, fake, k=5):
    found = precision_recall_density_coverage(real, fake, k)
    return tuple(found[key] for key in ("precision", "recall", "density", "coverage"))


def test_prdc_of_identical_equal_and_disjoint_sets():
    x = gaussian(700, 8)  # more rows than a block
    assert prdc(x, x) == (1, 1, 1, 1)  # density 1.2 if the rim counted
    assert prdc(torch.zeros(20, 3), torch.zeros(30, 3)) == (0, 0, 0, 0)
    assert prdc(x, x + 100) == (0, 0, 0, 0)
    with pytest.raises(ValueError, match="at least 6"):
        prdc(x[:5], x)


def test_prdc_swapping_the_sets_swaps_precision_and_recall():
    real, fake = gaussian(300, 4), 0.4 * gaussian(200, 4, 1)
    p, r, *_ = prdc(real, fake)
    assert p > 0.95 and r < 0.5  # a collapsed model: all good, not all kinds
    swapped = prdc(fake, real)
    assert (swapped[0], swapped[1]) == (r, p)


def test_prdc_is_that_of_a_loop():
    real, fake = gaussian(30, 3), gaussian(25, 3, 1) + 0.5
    k, d = 3, torch.cdist(real, fake)
    r_real = torch.cdist(real, real).sort(1).values[:, k]
    r_fake = torch.cdist(fake, fake).sort(1).values[:, k]
    inside = [[bool(d[i, j] < r_real[i]) for j in range(25)] for i in range(30)]
    expected = (
        sum(any(row[j] for row in inside) for j in range(25)) / 25,
        sum(any(d[i, j] < r_fake[j] for j in range(25)) for i in range(30)) / 30,
        sum(map(sum, inside)) / (k * 25),
        sum(map(any, inside)) / 30,
    )
    assert prdc(real, fake, k) == pytest.approx(expected, abs=1e-7)


def expected_coverage(n, m, k=5):
    """1 - P(the k nearest of the n - 1 + m others are all real): ranks are exchangeable."""
    return 1 - math.prod((n - 1 - j) / (n - 1 + m - j) for j in range(k))


def test_prdc_of_two_samples_of_one_distribution():
    assert expected_coverage(10_000, 10_000) == pytest.approx(0.968773, abs=1e-6)
    *_, density, coverage = prdc(gaussian(2000, 4), gaussian(1500, 4, 1))
    assert density == pytest.approx(1, abs=0.05)
    assert coverage == pytest.approx(expected_coverage(2000, 1500), abs=0.01)
