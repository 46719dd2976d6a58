"""A synthetic data set as it is drawn: exactly so many images of each label after filtering, block by block.

Everything follows from the request, whatever was interrupted and however the work was cut. Image i of the set has
the label `order(...)[i]`; the j-th candidate of label d, one of K, has seed `first + K j + d`, as in
diffusion_core/noise.py; a label's candidates are tried one after the other, and those that the filters let through are
its images. Only as many candidates are drawn as images are missing, so none is drawn in vain, and a smaller set is the
beginning of a larger one. What is needed to go on is only how many candidates of each label were tried, and what was
kept of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from eval.errors import UserError
from eval.filters import FILTERS, Sieve, checked
from eval.source_base import ImageSource

MAX_COUNT = 1_000_000
MAX_SEED = 1_000_000_000  # so that the candidates of the largest and most filtered set still have seeds of their own
PATIENCE, SHARE = 1000, 0.01  # a label is given up when of so many candidates less than this share was let through


@dataclass(frozen=True)
class Request:
    """`count` images in the proportions of `weights`, one a label; the first seed; the least value by filter."""

    count: int
    weights: tuple[float, ...]
    seed: int = 0
    filters: Mapping[str, float] = field(default_factory=dict)

    def validate(self) -> "Request":
        """Itself, its filters in their order; `UserError` for what is out of range."""
        if not 1 <= self.count <= MAX_COUNT:
            raise UserError(f"The count must be from 1 to {MAX_COUNT:,}, not {self.count}.")
        if not 0 <= self.seed <= MAX_SEED:
            raise UserError(f"The seed must be from 0 to {MAX_SEED}, not {self.seed}.")
        if not all(0 <= weight < float("inf") for weight in self.weights) or not any(self.weights):
            raise UserError("The balance needs numbers from 0 up, at least one of them above 0.")
        return Request(self.count, self.weights, self.seed, checked(self.filters))


class LeftOut(NamedTuple):
    """Candidates that were refused: labels, seeds, and the place in the request's filters of the one that did, each
    int64 [N]; what it measured, float64 [N]. A round has their images, too, uint8 [N, C, H, W]."""

    labels: Tensor
    seeds: Tensor
    reasons: Tensor
    values: Tensor
    images: Tensor | None = None


class Block(NamedTuple):
    """Consecutive images of the set: images uint8 [N, C, H, W], labels and seeds int64 [N], what each filter measured
    of the image alone float64 [N], and the candidates that were refused meanwhile, by seed."""

    images: Tensor
    labels: Tensor
    seeds: Tensor
    scores: dict[str, Tensor]
    left_out: LeftOut


class Round(NamedTuple):
    """What one round of drawing brought: images kept of the block so far, and candidates it refused."""

    kept: int
    left_out: LeftOut
    block: Block | None = None  # in the last round of a block


def order(count: int, weights: Sequence[float]) -> Tensor:
    """The labels of a set, int64 [count], each label spread evenly (Webster's method of apportionment).

    Image i of label d stands where (i + 1/2) / weight d falls among those of all labels, the lower label first. So the
    first n images are as balanced as n images can be, for any n; weights that sum to `count` are the counts.
    """
    total = sum(weights)
    keys, labels = [], []
    for label, weight in enumerate(weights):
        if weight:
            places = np.arange(int(count * weight / total) + 2)
            keys.append((places + 0.5) / weight)
            labels.append(np.full(len(places), label, np.uint8))
    labels, keys = np.concatenate(labels), np.concatenate(keys)
    return torch.from_numpy(labels[np.lexsort((labels, keys))][:count].astype(np.int64))


class Synthesis:
    """A set that is being drawn; `tried` and `kept` count each label's candidates so far, int64 [K]."""

    def __init__(self, source: ImageSource, request: Request):
        self.source, self.request = source, request.validate()
        self.names = tuple(self.request.filters)
        self.scores = tuple(name for name in self.names if FILTERS[name].alone)
        self.sieve = Sieve(self.request.filters, source.info.dataset)
        self.labels = order(request.count, request.weights)
        self.tried, self.kept = torch.zeros(2, len(request.weights), dtype=torch.int64)
        self.refused = torch.zeros(len(request.weights), len(self.names), dtype=torch.int64)

    def account(self, block: Block) -> None:
        """A block that an earlier sitting drew."""
        self.sieve.remember(block.images, block.labels)
        self._count(block.labels, block.left_out.labels, block.left_out.reasons)

    def blocks(self, size: int, most: int) -> Iterator[Round]:
        """The rest of the set, `size` images a block, at most `most` candidates a round. `UserError` where the filters
        let next to nothing through."""
        for start in range(int(self.kept.sum()), len(self.labels), size):
            yield from self._block(self.labels[start : start + size], most)

    def _block(self, labels: Tensor, most: int) -> Iterator[Round]:
        parts: list[Block] = []
        missing = torch.bincount(labels, minlength=len(self.tried))
        while missing.any():
            part = self._round(missing, most)
            parts.append(part._replace(left_out=part.left_out._replace(images=None)))
            missing = missing - torch.bincount(part.labels, minlength=len(missing))
            self._give_up(missing)
            block = None if missing.any() else joined(parts, labels)
            yield Round(sum(len(p.labels) for p in parts), part.left_out, block)

    def _round(self, missing: Tensor, most: int) -> Block:
        """Draw and sift at most `most` candidates of the labels that are `missing`, in the order of their seeds."""
        labels = torch.arange(len(missing)).repeat_interleave(missing)[:most]
        place = torch.arange(len(labels)) - torch.searchsorted(labels, labels)  # among those of its label
        seeds = self.request.seed + len(missing) * (self.tried[labels] + place) + labels
        images = self.source.images(labels, seeds)
        sifted = self.sieve(images, labels)
        kept, out = sifted.reason < 0, sifted.reason >= 0
        reasons = sifted.reason[out]
        values = [sifted.values[self.names[reason]][row] for reason, row in zip(reasons, torch.nonzero(out)[:, 0])]
        left_out = LeftOut(labels[out], seeds[out], reasons, torch.tensor(values, dtype=torch.float64), images[out])
        self._count(labels[kept], labels[out], reasons)
        scores = {name: sifted.values[name][kept] for name in self.scores}
        return Block(images[kept], labels[kept], seeds[kept], scores, left_out)

    def _count(self, kept: Tensor, left_out: Tensor, reasons: Tensor) -> None:
        classes = len(self.tried)
        self.kept += torch.bincount(kept, minlength=classes)
        self.tried += torch.bincount(torch.cat([kept, left_out]), minlength=classes)
        self.refused.index_put_((left_out, reasons), torch.tensor(1), accumulate=True)

    def _give_up(self, missing: Tensor) -> None:
        for label in torch.nonzero(missing)[:, 0].tolist():
            kept, tried = int(self.kept[label]), int(self.tried[label])
            if tried >= PATIENCE and kept < SHARE * tried:
                name = self.source.class_names[label]
                worst = FILTERS[self.names[int(self.refused[label].argmax())]]
                raise UserError(
                    f"Of {tried:,} images of '{name}' the filters let {kept} through, less than {SHARE:.0%}: "
                    f"lower “{worst.title}”, which left out most of them."
                )


def joined(parts: Sequence[Block], labels: Tensor) -> Block:
    """The images of several rounds in the order of `labels`; those left out by label and seed."""
    found = Block(
        torch.cat([p.images for p in parts]),
        torch.cat([p.labels for p in parts]),
        torch.cat([p.seeds for p in parts]),
        {name: torch.cat([p.scores[name] for p in parts]) for name in parts[0].scores},
        LeftOut(*(torch.cat(column) for column in zip(*(p.left_out[:4] for p in parts), strict=True))),
    )
    rows = torch.empty(len(labels), dtype=torch.int64)
    rows[labels.argsort(stable=True)] = found.labels.argsort(stable=True)  # the i-th of a label to its i-th place
    out = found.left_out.seeds.argsort(stable=True)
    scores = {name: values[rows] for name, values in found.scores.items()}
    left_out = LeftOut(*(column[out] for column in found.left_out[:4]))
    return Block(found.images[rows], found.labels[rows], found.seeds[rows], scores, left_out)
