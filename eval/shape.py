"""The shape of digits, as Morpho-MNIST measures it: stroke thickness and length, slant, width, height; and the ink.

Castro et al. 2019, "Morpho-MNIST: Quantitative Assessment and Diagnostics for Representation Learning". 0 is paper,
255 is ink; lengths are in pixels of the image. Everything an image gives is whole numbers of grey levels before it is
averaged, so no value depends on the images beside it.

The definitions have biases that comparisons of two sets share. Strokes below 3 px are read up to 0.5 px too thick,
lengths up to 8 % too long where a line climbs by steps, and the blurred edge adds 0.3 to 0.8 px of height and 0.7 to
1.8 px of width.
"""

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import skeletonize
from torch import Tensor

MEASURES = ("thickness", "slant", "width", "height", "length", "ink")
SCALE = 4  # pixels are split SCALE x SCALE before they are measured
THRESHOLD = 0.5  # ink is darker than this, on the scale from the image's lightest to its darkest place
OUTSIDE = 0.01  # share of the ink beyond each side of the bounding parallelogram
BLOCK = 250  # images that are enlarged at once


class ShapeScorer:
    """The columns of `measure`, for a table of scores. Labels are not looked at."""

    name = "shape"
    id = "shape@1"  # another number when a measure changes
    columns = MEASURES
    asked = ()

    def __call__(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        return measure(images)


def measure(images: Tensor) -> dict[str, Tensor]:
    """uint8 [N, C, H, W] -> {measure: float32 [N]}. Channels are averaged.

    thickness: twice the distance to the paper, averaged over the skeleton, in pixels
    slant:     angle in radians to which upright strokes lean; positive leans to the right, as in italics
    width, height: of the parallelogram at that slant around all but the outermost 1 % of ink on each side, in pixels
    length:    of the skeleton, in pixels
    ink:       grey levels in all / 255, in pixels
    An image of a single grey has no strokes: all but its ink are 0.
    """
    grey = images.double().mean(1).numpy()  # [N, H, W]
    blocks = [_measure(grey[i : i + BLOCK]) for i in range(0, len(grey), BLOCK)]
    joined = np.concatenate([np.zeros((0, len(MEASURES))), *blocks])  # [N, 6], also for no images
    return dict(zip(MEASURES, torch.from_numpy(joined).float().unbind(1), strict=True))


def _measure(grey: NDArray) -> NDArray:
    """Greys [N, H, W] -> measures [N, 6] in the order of `MEASURES`."""
    large = enlarge(grey)
    low, high = large.min((1, 2)), large.max((1, 2))
    drawn = high > low
    strokes = large >= (low + (high - low) * THRESHOLD)[:, None, None]
    out = np.zeros((len(grey), len(MEASURES)))
    for i in np.flatnonzero(drawn):
        out[i, 0], out[i, 4] = thickness_and_length(_cut_out(strokes[i]))
    out[drawn, 1], out[drawn, 2], out[drawn, 3] = slant_width_height(large[drawn])
    out[:, 5] = grey.sum((1, 2)) / 255
    return out


# ---------------------------------------------------------------- enlarging


def enlarge(grey: NDArray) -> NDArray:
    """[N, H, W] -> whole greys float64 [N, 4 H, 4 W]: cubic splines, then a Gaussian of 1/3 pixel, rounded down."""
    # One small product per image: a single large one would round differently at other batch sizes.
    large = _spline(grey.shape[1]) @ grey @ _spline(grey.shape[2]).T
    large = np.clip(large, grey.min((1, 2), keepdims=True), grey.max((1, 2), keepdims=True))  # splines overshoot
    large = ndimage.gaussian_filter(large, (0, SCALE / 3, SCALE / 3))
    return np.floor(large + 1e-6)  # rounding errors must not turn 255 into 254


@cache
def _spline(size: int) -> NDArray:
    """The linear map [4 size, size] that enlarges a line of pixels by cubic splines."""
    return ndimage.zoom(np.eye(size), (SCALE, 1), order=3, mode="mirror", grid_mode=True)


# ---------------------------------------------------------------- skeleton


def thickness_and_length(strokes: NDArray) -> tuple[float, float]:
    """bool [4 H, 4 W] with some ink -> thickness and length in pixels of the image.

    The skeleton is that of Zhang and Suen 1984. (The reference code takes the medial axis with ties broken at
    random: 0.01 px thicker on average, but 5 % longer, as it grows a twig into every bump of the outline.)
    Length: neighbours on the skeleton are 1 apart, diagonal ones sqrt(2).
    """
    bones = skeletonize(strokes)
    distance = ndimage.distance_transform_edt(strokes)[bones].mean()
    straight = (bones[:, 1:] & bones[:, :-1]).sum() + (bones[1:] & bones[:-1]).sum()
    diagonal = (bones[1:, 1:] & bones[:-1, :-1]).sum() + (bones[1:, :-1] & bones[:-1, 1:]).sum()
    return 2 * distance / SCALE, (straight + np.sqrt(2) * diagonal) / SCALE


def _cut_out(strokes: NDArray) -> NDArray:
    """bool [H, W] with some True -> the box around them and one row or column of False on each side."""
    rows, columns = np.flatnonzero(strokes.any(1)), np.flatnonzero(strokes.any(0))
    return np.pad(strokes[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], 1)


# ---------------------------------------------------------------- moments


def slant_width_height(large: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Greys [N, 4 H, 4 W], each with some ink -> slant in radians, width and height in pixels of the image, all [N].

    slant = arctan(-mu_11 / mu_02) in image coordinates, whose y points down.
    """
    n, rows, columns = large.shape
    y, x = np.arange(rows), np.arange(columns)
    by_row, by_column = large.sum(2), large.sum(1)  # [N, rows], [N, columns]
    total = by_row.sum(1)
    mean_x, mean_y = by_column @ x / total, by_row @ y / total
    mu_11 = ((large @ x) @ y) / total - mean_x * mean_y
    mu_02 = by_row @ (y * y) / total - mean_y**2
    shear = mu_11 / mu_02  # columns to the right for each row down

    # Undoing the shear moves every row by whole columns, so that a row stays what it is.
    shift = np.floor(0.5 - shear[:, None] * (y - mean_y[:, None])).astype(np.int64)  # [N, rows]
    image, row, column = np.nonzero(large)
    place = np.clip(column + shift[image, row], 0, columns - 1)
    upright = np.bincount(image * columns + place, large[image, row, column], n * columns).reshape(n, columns)
    return np.arctan(-shear), _extent(upright) / SCALE, _extent(by_row) / SCALE


def _extent(mass: NDArray) -> NDArray:
    """How far the ink [N, L] along a line reaches without the outermost 1 % on each side, in places: [N]."""
    edges = np.arange(mass.shape[1] + 1)
    below = np.pad(mass.cumsum(1), ((0, 0), (1, 0))) / mass.sum(1)[:, None]  # [N, L + 1]
    ends = [np.interp([OUTSIDE, 1 - OUTSIDE], b, edges) for b in below]
    return np.array([right - left for left, right in ends])
