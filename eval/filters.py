"""Which synthetic images are let through: a registry of filters, and the sieve that applies them.

A filter asks that a number measured of an image (eval/measures.py) be at least so much. Judges that filter are no
evidence afterwards. `selector` never reports, so `classifier` and `second` can still say what a filtered set is worth;
CLIP's own scores say nothing any more once its margin has filtered.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from eval.errors import UserError
from eval.measures import PLACES, Apart, Measure, clip_margin, confidence, from_training


class Filter(NamedTuple):
    """`low` to `high` is the range of its least value; `load(least, dataset)` gives the measure; `alone`: whether a
    value belongs to the image alone, whatever else is in the set."""

    title: str
    short: str  # of a column
    unit: str
    low: float
    high: float
    words: str
    load: Callable[[float, str], Measure]
    judge: str | None = None  # whose scores are no evidence afterwards
    alone: bool = True


class Sifted(NamedTuple):
    """`reason` int64 [N]: the place of the filter that refused an image, -1 where none did; `values` float64 by filter
    [N], NaN where an earlier filter had refused already."""

    reason: Tensor
    values: dict[str, Tensor]


class Sieve:
    """The filters asked for, in the order of `FILTERS`: the first one that refuses an image is the reason."""

    def __init__(self, least: Mapping[str, float], dataset: str):
        """`least` by filter. `UserError` for an unknown filter or a value out of its range."""
        self.least = checked(least)
        self.measures = {name: FILTERS[name].load(value, dataset) for name, value in self.least.items()}

    def __call__(self, images: Tensor, labels: Tensor) -> Sifted:
        """uint8 [N, C, H, W] and int64 [N]. An image that was refused is not shown to the filters that follow."""
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
        """Images that were let through earlier: new ones are held against them, too."""
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


FILTERS: dict[str, Filter] = {
    "confidence": Filter(
        "Confidence", "confidence", "", 0, 1,
        "The judge selector gives the class asked for at least this probability.",
        confidence, "selector",
    ),
    "clip_margin": Filter(
        "CLIP margin", "CLIP margin", "", -2, 2,
        "CLIP's cosine with the right caption is ahead of any other by at least this.",
        clip_margin, "clip",
    ),
    "from_training": Filter(
        "Distance from training images", "near training", "×", 0, 3,
        "At least this far from every training image; 1 is how far a real image usually is from its nearest one.",
        from_training,
    ),
    "diversity": Filter(
        "Distance from each other", "near another", "×", 0, 3,
        "At least this far from every image of the same label that was kept before; the same unit.",
        Apart, alone=False,
    ),
}  # fmt: skip
