"""The Vendi score: how many different images there are in effect."""

import torch
from torch import Tensor


def vendi(x: Tensor) -> float:
    """Exponential of the entropy of the eigenvalues of K / n, K the cosines of features [N, d]; from 1 to n.

    Friedman and Dieng 2023, "The Vendi Score". n images alike give 1, n orthogonal ones n. The eigenvalues come
    from the smaller one of the two matrices of inner products.
    """
    unit = torch.nn.functional.normalize(x.double(), dim=1)
    small = unit @ unit.T if len(x) < x.shape[1] else unit.T @ unit
    values = torch.linalg.eigvalsh(small / len(x))
    values = values[values > 1e-15]
    return float(torch.exp(-(values * values.log()).sum()))
