"""Which synthetic digits are let through: one number a digit and filter, and the least that is asked of it.

A filter is an entry of `FILTERS`: a function from images and labels to values, larger being better. Values are rounded
to `PLACES`, so that what is written into a file is what was decided on, and do not depend on the images beside an
image: networks always see whole blocks (as in diffusion_core/generate.py), and distances are exact.

Judges that filter are no evidence afterwards. `selector` never reports, so `classifier` and `second` can still say
what a filtered set is worth; CLIP's own scores say nothing any more once its margin has filtered.

Distances are counted in units of the digit itself: the median distance of a real training digit of that label to its
nearest other one. In plain pixels a 1 is 1.9 from its nearest neighbour and a 2 is 5.0, so one limit for both would
leave out ones and nothing else. The ratio of eval/memorisation.py, which needs no unit, is no filter on purpose: it
looks at the test split, and a training set that was chosen by its nearness to test digits could not be tested on them.
"""

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from eval import cache
from eval.clip import load_clip, margins
from eval.errors import UserError
from eval.judge import CHUNK, load_judge
from eval.neighbours import nearest
from eval.sources import RealSource

PLACES = 5  # decimals of a value
SAMPLE = 100  # training digits of each label that the unit of distance is measured on
Measure = Callable[[Tensor, Tensor], Tensor]  # uint8 [N, C, H, W], int64 [N] -> float [N]


class Filter(NamedTuple):
    """`low` to `high` is the range of its least value; `load(least)` gives the measure; `alone`: whether a value
    belongs to the digit alone, whatever else is in the set."""

    title: str
    short: str  # of a column
    unit: str
    low: float
    high: float
    words: str
    load: Callable[[float], Measure]
    judge: str | None = None  # whose scores are no evidence afterwards
    alone: bool = True


class Sifted(NamedTuple):
    """`reason` int64 [N]: the place of the filter that refused a digit, -1 where none did; `values` float64 by filter
    [N], NaN where an earlier filter had refused already."""

    reason: Tensor
    values: dict[str, Tensor]


class Sieve:
    """The filters asked for, in the order of `FILTERS`: the first one that refuses a digit is the reason."""

    def __init__(self, least: Mapping[str, float]):
        """`least` by filter. `UserError` for an unknown filter or a value out of its range."""
        self.least = checked(least)
        self.measures = {name: FILTERS[name].load(value) for name, value in self.least.items()}

    def __call__(self, images: Tensor, labels: Tensor) -> Sifted:
        """uint8 [N, C, H, W] and int64 [N]. A digit that was refused is not shown to the filters that follow."""
        reason = torch.full((len(images),), -1)
        values = {name: torch.full((len(images),), math.nan, dtype=torch.float64) for name in self.least}
        rows = torch.arange(len(images))
        for place, (name, least) in enumerate(self.least.items()):
            if not len(rows):
                break
            found = self.measures[name](images[rows], labels[rows]).double().round(decimals=PLACES)
            values[name][rows] = found
            reason[rows[found < least]] = place
            rows = rows[found >= least]
        return Sifted(reason, values)

    def remember(self, images: Tensor, labels: Tensor) -> None:
        """Digits that were let through earlier: new ones are held against them, too."""
        for measure in self.measures.values():
            if isinstance(measure, Apart):
                measure.remember(images, labels)


def checked(least: Mapping[str, float]) -> dict[str, float]:
    """The same in the order of `FILTERS`; `UserError` that names the filter and its range."""
    for name, value in least.items():
        if name not in FILTERS:
            raise UserError(f"There is no filter '{name[:40]}'. Known: {', '.join(FILTERS)}.")
        low, high = FILTERS[name].low, FILTERS[name].high
        if not low <= value <= high:  # NaN is in no range
            raise UserError(f"{FILTERS[name].title} must be a number from {low:g} to {high:g}, not {value}.")
    return {name: float(least[name]) for name in FILTERS if name in least}


# ---------------------------------------------------------------------------
# The measures.


def confidence(_least: float) -> Measure:
    """The probability that the judge `selector` gives to the digit asked for."""
    judge = load_judge("selector")

    def measure(images: Tensor, labels: Tensor) -> Tensor:
        return in_blocks(judge.probabilities, images).gather(1, labels[:, None])[:, 0]

    return measure


def clip_margin(_least: float) -> Measure:
    """CLIP's cosine with the caption of the digit asked for, less that with the best other caption."""
    clip = load_clip("digit")

    def measure(images: Tensor, labels: Tensor) -> Tensor:
        return margins(in_blocks(clip.cosines, images), labels)

    return measure


def from_training(_least: float) -> Measure:
    """The distance to the nearest training digit of any label, in units of the label's."""
    training = RealSource("train").data.images
    unit = units()

    def measure(images: Tensor, labels: Tensor) -> Tensor:
        return nearest(images, training)[0][:, 0].double() / unit[labels]

    return measure


class Apart:
    """The distance to the nearest digit of the same label that was let through before, in units of the label's; the
    first of a label is infinitely far. Holds all that was let through, 784 bytes a digit."""

    def __init__(self, least: float):
        self.least, self.unit = least, units()
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
        """One after the other: each digit that is far enough counts for those behind it."""
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


FILTERS: dict[str, Filter] = {
    "confidence": Filter(
        "Confidence", "confidence", "", 0, 1,
        "The judge selector gives the digit asked for at least this probability.",
        confidence, "selector",
    ),
    "clip_margin": Filter(
        "CLIP margin", "CLIP margin", "", -2, 2,
        "CLIP's cosine with the right caption is ahead of any other by at least this.",
        clip_margin, "clip",
    ),
    "from_training": Filter(
        "Distance from training digits", "near training", "×", 0, 3,
        "At least this far from every training digit; 1 is how far a real digit usually is from its nearest one.",
        from_training,
    ),
    "diversity": Filter(
        "Distance from each other", "near another", "×", 0, 3,
        "At least this far from every digit of the same label that was kept before; the same unit.",
        Apart, alone=False,
    ),
}  # fmt: skip


def in_blocks(judge: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """judge(images) of uint8 [N, C, H, W] in whole blocks, the last one filled up: the same to the bit at any N."""
    whole = -(-len(images) // CHUNK) * CHUNK
    return judge(images[torch.arange(whole) % len(images)])[: len(images)]


def units() -> Tensor:
    """The median distance of a training digit to its nearest other one, by label: float64 [10], a pixel in [0, 1]."""
    return _units(RealSource("train").id)


@lru_cache(maxsize=4)
def _units(training: str) -> Tensor:
    return torch.tensor(cache.facts(("nearest neighbours", training, SAMPLE), _measured)["units"], dtype=torch.float64)


def _measured() -> dict:
    data, found = RealSource("train").data, []
    for label in range(len(data.spec.class_names)):
        rows = torch.nonzero(data.labels == label)[:SAMPLE, 0]
        found.append(nearest(data.images[rows], data.images, exclude=rows)[0].median().item())
    return {"units": found}
