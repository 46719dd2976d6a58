"""What a filter can ask of an image: functions from images and labels to a number each, larger being better.

No value depends on the images beside an image, but that of `Apart` on those before it: networks always see whole
blocks (as in diffusion_core/generate.py), and distances are exact.

Distances are counted in units of the class itself: the median distance of a real training image of that label to its
nearest other one. In plain pixels a 1 of MNIST is 1.9 from its nearest neighbour and a 2 is 5.0, so one limit for both
would leave out ones and nothing else. The ratio of eval/memorisation.py, which needs no unit, is no filter on purpose:
it looks at the test split, and a training set that was chosen by its nearness to test images could not be tested on
them.
"""

import math
from collections.abc import Callable
from functools import lru_cache, partial

import torch
from torch import Tensor

from eval import cache
from eval.clip import load_clip, margins
from eval.judge import CHUNK, load_judge
from eval.neighbours import nearest
from eval.sources import RealSource

PLACES = 5  # decimals of a value: what is written into a file is what was decided on
SAMPLE = 100  # training images of each label that the unit of distance is measured on
Measure = Callable[[Tensor, Tensor], Tensor]  # uint8 [N, C, H, W], int64 [N] -> float [N]


def confidence(_least: float, dataset: str) -> Measure:
    """The probability that the judge `selector` gives to the class asked for."""
    judge = load_judge("selector", dataset)

    def measure(images: Tensor, labels: Tensor) -> Tensor:
        return in_blocks(judge.probabilities, images).gather(1, labels[:, None])[:, 0]

    return measure


def clip_margin(_least: float, dataset: str) -> Measure:
    """CLIP's cosine with the caption of the class asked for, less that with the best other caption."""
    clip = load_clip(dataset=dataset)

    def measure(images: Tensor, labels: Tensor) -> Tensor:
        return margins(in_blocks(clip.cosines, images), labels)

    return measure


def from_training(_least: float, dataset: str) -> Measure:
    """The distance to the nearest training image of any label, in units of the label's."""
    training = RealSource("train", dataset).data.images
    unit = units(dataset)

    def measure(images: Tensor, labels: Tensor) -> Tensor:
        return nearest(images, training)[0][:, 0].double() / unit[labels]

    return measure


class Apart:
    """The distance to the nearest image of the same label that was let through before, in units of the label's; the
    first of a label is infinitely far. Holds the pixels of all that was let through."""

    def __init__(self, least: float, dataset: str):
        self.least, self.unit = least, units(dataset)
        self.kept: dict[int, Tensor] = {}

    def __call__(self, images: Tensor, labels: Tensor) -> Tensor:
        found = torch.empty(len(images), dtype=torch.float64)
        for label in labels.unique().tolist():
            rows = torch.nonzero(labels == label)[:, 0]
            found[rows] = self._one_label(images[rows], label)
        return found

    def remember(self, images: Tensor, labels: Tensor) -> None:
        for label in labels.unique().tolist():
            self.kept[label] = torch.cat([*self._before(label), images[labels == label]])

    def _one_label(self, images: Tensor, label: int) -> Tensor:
        """One after the other: each image that is far enough counts for those behind it."""
        found, new = self._distances(images, self._before(label), label), []
        for i, image in enumerate(images.split(1)):
            if new:
                found[i] = min(found[i], self._distances(image, new, label)[0])
            if found[i].round(decimals=PLACES) >= self.least:
                new.append(image)
        self.kept[label] = torch.cat([*self._before(label), *new])
        return found

    def _before(self, label: int) -> list[Tensor]:
        return [self.kept[label]] if label in self.kept else []

    def _distances(self, images: Tensor, others: list[Tensor], label: int) -> Tensor:
        if not others:
            return torch.full((len(images),), math.inf, dtype=torch.float64)
        return nearest(images, torch.cat(others))[0][:, 0].double() / self.unit[label]


def in_blocks(judge: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """judge(images) of uint8 [N, C, H, W] in whole blocks, the last one filled up: the same to the bit at any N."""
    whole = -(-len(images) // CHUNK) * CHUNK
    return judge(images[torch.arange(whole) % len(images)])[: len(images)]


def units(dataset: str) -> Tensor:
    """The median distance of a training image to its nearest other one, by label: float64 [K], a pixel in [0, 1]."""
    return _units(dataset, RealSource("train", dataset).id)


@lru_cache(maxsize=4)
def _units(dataset: str, training: str) -> Tensor:
    known = cache.facts(("nearest neighbours", training, SAMPLE), partial(_measured, dataset))
    return torch.tensor(known["units"], dtype=torch.float64)


def _measured(dataset: str) -> dict:
    data, found = RealSource("train", dataset).data, []
    for label in range(len(data.spec.class_names)):
        rows = torch.nonzero(data.labels == label)[:SAMPLE, 0]
        found.append(nearest(data.images[rows], data.images, exclude=rows)[0].median().item())
    return {"units": found}
