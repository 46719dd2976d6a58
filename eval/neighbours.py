"""Exact nearest neighbours in pixel space, by matrix products in which nothing is rounded.

Pixels are bytes. Less 128, which moves no distance, they lie in [-128, 127], so every partial sum of a dot
product over up to 1,024 of them is an integer of at most 1,024 * 128^2 = 2^24: float32 holds it exactly.
Distances therefore carry no trace of the order of summation, of threads or of the images beside an image, at
the full speed of float32. Larger images take float64, exact up to 2^53.
"""

import torch
from torch import Tensor

BLOCK = 1024  # images, and references, a product: a block of references is 3 MB, one of squared distances 8 MB
FLOAT32_VALUES = 1024  # values an image up to which float32 is exact; see above
NEVER = torch.iinfo(torch.int64).max


def nearest(images: Tensor, references: Tensor, k: int = 1, exclude: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The `k` references nearest to each image, nearest first: Euclidean distances and indices.

    `images` uint8 [N, C, H, W], `references` uint8 [M, C, H, W] -> distances float32 [N, k], a pixel counted in
    [0, 1], and indices int64 [N, k]; among references at the same distance the lowest index comes first.
    `exclude` int64 [N]: the reference that must not count for an image, or -1. ValueError where shapes, types
    or counts do not fit.

    |a - b|^2 = |a|^2 + |b|^2 - 2ab. The ranking is by the integer (|b|^2 - 2ab) M + index of b, which no two
    references share.
    """
    _check(images, references, k, exclude)
    keys = torch.empty(len(images), 0, dtype=torch.int64)
    for start in range(0, len(references), BLOCK):
        b = _centred(references[start : start + BLOCK])
        ranks = _squares(b) * len(references) + torch.arange(start, start + len(b))
        found = torch.empty(len(images), min(k, len(b)), dtype=torch.int64)
        for first in range(0, len(images), BLOCK):
            here = slice(first, first + BLOCK)
            key = (_centred(images[here]) @ b.T).long().mul_(-2 * len(references)).add_(ranks)  # [n, m]
            if exclude is not None:
                _forbid(key, exclude[here] - start)
            found[here] = _smallest(key, k)
        keys = _smallest(torch.cat([keys, found], dim=1), k)
    squared = keys.div(len(references), rounding_mode="floor") + _squares(_centred(images))[:, None]
    return squared.double().sqrt().div(255).float(), keys.remainder(len(references))


def pixels(images: Tensor) -> Tensor:
    """uint8 [N, C, H, W] -> float32 [N, C*H*W] in [0, 1]: pixels as a feature space."""
    return images.flatten(1).float() / 255


def _check(images: Tensor, references: Tensor, k: int, exclude: Tensor | None) -> None:
    if images.dtype != torch.uint8 or references.dtype != torch.uint8:
        raise ValueError("images and references must be uint8")
    if images.ndim != 4 or images.shape[1:] != references.shape[1:]:
        raise ValueError(f"{tuple(images.shape)} and {tuple(references.shape)} are not images of one shape")
    if not 1 <= k <= len(references) - (exclude is not None):
        raise ValueError(f"{k} neighbours of {len(references)} references")
    if exclude is None:
        return
    if exclude.shape != images.shape[:1]:
        raise ValueError(f"{len(images)} images, but references to exclude for {tuple(exclude.shape)}")
    if len(exclude) and not -1 <= int(exclude.min()) <= int(exclude.max()) < len(references):
        raise ValueError(f"a reference to exclude is outside -1..{len(references) - 1}")


def _centred(images: Tensor) -> Tensor:
    """uint8 [N, C, H, W] -> pixels less 128 [N, C*H*W], of the type whose products are exact."""
    flat = images.flatten(1)
    return flat.to(torch.float32 if flat.shape[1] <= FLOAT32_VALUES else torch.float64) - 128


def _squares(x: Tensor) -> Tensor:
    """|x|^2 of centred pixels [N, D] -> int64 [N]."""
    return torch.linalg.vecdot(x, x).long()


def _forbid(key: Tensor, columns: Tensor) -> None:
    """Put `key` [n, m] out of reach at `columns` [n], where they lie in this block."""
    rows = torch.nonzero((columns >= 0) & (columns < key.shape[1]))[:, 0]
    key[rows, columns[rows]] = NEVER


def _smallest(key: Tensor, k: int) -> Tensor:
    """The `k` smallest of each row [n, m] (all where m < k), ascending."""
    return key.topk(min(k, key.shape[1]), dim=1, largest=False).values
