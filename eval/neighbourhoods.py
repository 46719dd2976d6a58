"""Precision, recall, density and coverage: which images lie in the neighbourhoods of which others."""

import torch
from torch import Tensor

ROWS = 128  # rows of a distance matrix that are held at once: 10 MB for 10,000 columns
BITS = 24  # of the grid; twice as many and the bits of d must stay below the 53 of a float64
NEAREST = 40  # neighbours kept: in a random half, the 5th is among them but for one case in a billion


class Neighbourhoods:
    """A ball around each real image reaches to its k-th nearest other real image; "inside" is strictly nearer."""

    def __init__(self, real: Tensor, k: int = 5, reach: Tensor | None = None):
        """`reach` [N]: what an earlier one of the same images found, which saves most of the work."""
        self.k, self.real, self.grid = k, *_on_grid(real)
        self.reach = _nearest(self.real, k)[0][:, -1] if reach is None else reach

    def of(self, fake: Tensor, members: Tensor) -> dict[str, Tensor]:
        """Of fake images [M, d], and of subsets of them, members bool [B, M] with more than k in each.

        precision, density: float64 [M], of each image, to be averaged: is it in a real ball; in how many / k.
        recall: float64 [B], the share of real images that are in a ball of each subset.
        coverage: float64 [], the share of real balls with an image inside; alone: float64 [M], the share that
        only this image is in (Kynkaanniemi et al. 2019, Naeem et al. 2020).
        """
        fake = _on_grid(fake, self.grid)[0]
        distances, indices = _nearest(fake, min(NEAREST, len(fake) - 1))
        shortest, reaches = distances[:, self.k - 1], _reaches(distances, indices, members, self.k)  # [M], [B, M]
        columns = members.float().T  # [M, B]
        inside = torch.zeros(len(fake), dtype=torch.float64)
        covered, recalled = 0, torch.zeros(len(members), dtype=torch.float64)
        alone = torch.zeros(len(fake), dtype=torch.float64)  # number of real balls that only this image is in
        for start in range(0, len(self.real), ROWS):
            rows = slice(start, start + ROWS)
            distance = _distances(self.real[rows], fake)  # [rows, M]
            hit = (distance < self.reach[rows, None]).float()
            count = hit.sum(1)
            inside += hit.sum(0)
            covered += int((count > 0).sum())
            alone += (count == 1).float() @ hit
            # A ball reaches no less far among fewer images: most real images lie in one that is short enough for all
            # subsets, which a product finds for all of them at once, and only the rest are looked at one by one.
            sure = (distance < shortest).float() @ columns > 0  # [rows, B]
            for b, reach in enumerate(reaches):
                rest = ~sure[:, b]
                recalled[b] += len(rest) - rest.sum() + (distance[rest] < reach).any(1).sum()
        n = len(self.real)
        found = {"precision": (inside > 0).double(), "density": inside / self.k}
        return found | {
            "recall": recalled / n,
            "coverage": torch.tensor(covered / n, dtype=torch.float64),
            "alone": alone / n,
        }


def _reaches(distances: Tensor, indices: Tensor, members: Tensor, k: int) -> Tensor:
    """Squared distance of each row to its k-th nearest other row of the same subset [B, M]; -1 outside the subset.

    `distances`, `indices` [M, NEAREST]: the nearest other rows of all.
    """
    rows = []
    for member in members:
        place = (member[indices].cumsum(1) >= k).float().argmax(1)  # first place with k of the subset at or before it
        enough = member[indices].sum(1) >= k
        reach = torch.where(enough, distances.gather(1, place[:, None])[:, 0], distances[:, -1])
        rows.append(torch.where(member, reach, -1.0))
    return torch.stack(rows)


def _nearest(x: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Squared distances [N, k] and indices of the k nearest other rows, nearest first."""
    distances, indices = x.new_empty(len(x), k), torch.empty(len(x), k, dtype=torch.int64)
    for start in range(0, len(x), ROWS):
        rows = slice(start, start + ROWS)
        distance = _distances(x[rows], x)
        own = torch.arange(len(distance))
        distance[own, start + own] = torch.inf
        distances[rows], indices[rows] = distance.topk(k, dim=1, largest=False)
    return distances, indices


def _on_grid(x: Tensor, grid: float | None = None) -> tuple[Tensor, float]:
    """x [N, d] in whole multiples of `grid`, as float64; by default so fine that float32 loses nothing that matters.

    Products and sums of such numbers are exact, so a distance does not depend on blocks, order or threads, and `<`
    means the same everywhere.
    """
    x = x.double()
    if grid is None:
        largest = float(x.square().sum(1).max().sqrt())
        grid = 2.0 ** (torch.tensor(max(largest, 1e-30)).log2().ceil().item() - BITS)
    return (x / grid).round(), grid


def _distances(a: Tensor, b: Tensor) -> Tensor:
    """Squared Euclidean distances [N, M] of rows on the same grid."""
    return torch.addmm(b.square().sum(1), a, b.T, alpha=-2).add_(a.square().sum(1)[:, None])
