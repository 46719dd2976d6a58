"""How two sets of images differ as sets. Pure functions of features [N, d] and [M, d]; float64 inside.

All are biased at small N, each in its own way: show N, and hold them against real-versus-real.
"""

import torch
from numpy.typing import ArrayLike
from torch import Tensor

ROWS = 512  # rows of a distance matrix that are held at once


def frechet_distance(a: ArrayLike, b: ArrayLike) -> float:
    """Squared Frechet distance of the normal distributions with the moments of a [N, d] and b [M, d].

    |mu_a - mu_b|^2 + tr(S_a + S_b - 2 (S_a^1/2 S_b S_a^1/2)^1/2), Dowson and Landau 1982, as in FID
    (Heusel et al. 2017). The symmetric form needs eigenvalues only, and covariances may be singular
    (N < d). Bias for equal distributions: about 2d/N + d(d+1)/(2(N-1)). ValueError below 2 rows.
    """
    a, b = _features(a, b, fewest=2)
    s_a, s_b = a.T.cov(), b.T.cov()
    s_a, s_b = s_a.reshape(a.shape[1], -1), s_b.reshape(a.shape[1], -1)  # d = 1 gives a scalar
    values, vectors = torch.linalg.eigh(s_a)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    cross = torch.linalg.eigvalsh(root @ s_b @ root).clamp(min=0).sqrt().sum()
    distance = (a.mean(0) - b.mean(0)).square().sum() + s_a.trace() + s_b.trace() - 2 * cross
    return max(float(distance), 0.0)  # it is never below 0; rounding is


def precision_recall_density_coverage(real: ArrayLike, fake: ArrayLike, k: int = 5) -> dict[str, float]:
    """Precision, recall (Kynkaanniemi et al. 2019), density and coverage (Naeem et al. 2020).

    A ball around each image reaches to its k-th nearest neighbour in its own set; "inside" is strictly
    nearer (as in prdc; torch-fidelity counts the rim as well, which gives other densities).
      precision: share of fake images inside some real ball       recall: the reverse
      density:   real balls a fake image is inside, on average, / k (may exceed 1)
      coverage:  share of real balls with a fake image inside
    ValueError unless both sets have more than k images.
    """
    real, fake = _features(real, fake, fewest=k + 1)
    reach_real, reach_fake = _reach(real, k), _reach(fake, k)
    inside = torch.zeros(len(fake))  # number of real balls that each fake image is in
    recalled = covered = 0
    for start in range(0, len(real), ROWS):
        rows = slice(start, start + ROWS)
        distance = _distance(real[rows], fake)  # [rows, M]
        hit = distance < reach_real[rows, None]
        inside += hit.sum(0)
        covered += int(hit.any(1).sum())
        recalled += int((distance < reach_fake).any(1).sum())
    return {
        "precision": float((inside > 0).double().mean()),
        "recall": recalled / len(real),
        "density": float(inside.double().mean()) / k,
        "coverage": covered / len(real),
    }


def _reach(x: Tensor, k: int) -> Tensor:
    """Distance of each row of [N, d] to its k-th nearest other row: [N]. (The nearest is the row itself.)"""
    return torch.cat([_distance(rows, x).kthvalue(k + 1, dim=1).values for rows in x.split(ROWS)])


def _distance(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distances [N, M], each from its own pair of rows.

    Not by |a|^2 + |b|^2 - 2ab: its rounding depends on the place in the matrix, and `<` must not.
    """
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


def _features(a: ArrayLike, b: ArrayLike, fewest: int) -> tuple[Tensor, Tensor]:
    """Both as float64, checked."""
    pair = tuple(torch.as_tensor(x).detach().to("cpu", torch.float64) for x in (a, b))
    if any(x.ndim != 2 for x in pair) or pair[0].shape[1] != pair[1].shape[1]:
        raise ValueError(f"features of shapes {[list(x.shape) for x in pair]} cannot be compared")
    if min(map(len, pair)) < fewest:
        raise ValueError(f"at least {fewest} images a set are needed, not {min(map(len, pair))}")
    if not all(x.isfinite().all() for x in pair):
        raise ValueError("a feature is not a finite number")
    return pair
