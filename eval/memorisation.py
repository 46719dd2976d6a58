"""Are the images copies of training images? Each one's nearest training and test image, and what they say.

An image near to a training image need not be a copy: typical and smooth images are near to everything, and
guidance makes images typical. The ratio of the distance to the training split and that to the test split
cancels this: who is near to everything is near to both. It is held against the ratio of real test images of
the same label, which no model can have copied. The three samples (training, test, generated) are those of
Meehan, Chaudhuri and Dasgupta 2020, "A non-parametric test to detect data-copying in generative models"; a verdict
for every image is the aim of the authenticity of Alaa et al. 2022, "How faithful is your synthetic data?"

What moves the numbers besides copying, measured on 600 to 10,000 of MNIST's digits each: (1) Other people wrote the
training digits than the test digits, so even a new digit in their hands leans towards the training split. Training
digits, each left out of its own neighbours, give `memorised` .088 (from .057 for 1 to .117 for 5) and a mean `nearer`
of .576. (2) What takes a digit away from all real ones brings its ratio towards 1. Test digits that were smoothed
(1-2-1 each way), each left out of its own neighbours, come .32 nearer to the training split, yet give .009 and .433;
noise of 64 grey levels gives .000 and .312. So values below those of real digits are no merit. (3) Pixels see no copy
that was moved: of copies with noise of 16, 32 and 64 grey levels 98, 90 and 45 % are found, moved by one pixel 14 %.
The mean of two similar training digits is found in 62 % of cases: it is nearer to them than chance allows.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from eval.neighbours import nearest
from eval.sources import RealSource
from eval.summary import UNLABELLED


class NeighbourScorer:
    """The nearest training image and the nearest test image of any label: row in the split, Euclidean distance.

    A test image is not its own neighbour, whatever file it comes from: an image that is bit for bit a test
    image gets the nearest *other* one. Real images thus have the same columns under every source, and copied
    test images the ratios of real ones, which they are.
    """

    name = "neighbours"
    asked = ()
    columns = ("train_index", "train_distance", "test_index", "test_distance")

    def __init__(self, dataset: str = "mnist"):
        train, test = RealSource("train", dataset), RealSource("test", dataset)
        self.train, self.test = train.data.images, test.data.images
        self.id = f"neighbours@{train.info.sha256[:12]}+{test.info.sha256[:12]}"

    def __call__(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """uint8 [N, C, H, W] -> every column [N]; distances count a pixel in [0, 1]. `labels` are not looked at."""
        train_distance, train_index = nearest(images, self.train)
        distance, index = nearest(images, self.test, 2)
        place = (distance[:, :1] == 0).long()  # 1 where the nearest is the image itself
        found = (train_index, train_distance, index.gather(1, place), distance.gather(1, place))
        return {column: values[:, 0] for column, values in zip(self.columns, found, strict=True)}


# ---------------------------------------------------------------- tables -> verdicts


def ratio(table: Mapping) -> NDArray[np.float64]:
    """train_distance / test_distance [N]: small is near to training images only; 0 / 0 is 1, x / 0 infinite."""
    train, test = (np.asarray(table[c], dtype=np.float64) for c in ("train_distance", "test_distance"))
    found = np.where(train > 0, np.inf, 1.0)
    np.divide(train, test, out=found, where=test > 0)
    return found


def thresholds(real_table: Mapping, level: float = 0.05) -> dict[int, float]:
    """{label: the ratio below which a share `level` of the real images of that label lies; -1: of all}.

    Of n images the floor(level n) smallest lie below, fewer where ratios are equal: never more than `level`.
    """
    return {label: float(r[int(level * len(r))]) for label, r in _sorted(real_table).items()}


def memorised(table: Mapping, real_table: Mapping) -> NDArray[np.bool_]:
    """Whether an image's ratio is below the threshold of its label, bool [N]: 5 % of real test images by construction.

    Nearly all copies are below it, lightly changed ones too. ValueError for a label without real images.
    """
    below = thresholds(real_table)
    return ratio(table) < np.array([below[label] for label in _labels(table, below)])


def nearer(table: Mapping, real_table: Mapping) -> NDArray[np.float64]:
    """The share of real test images of the same label with a larger ratio, ties counted half: [N].

    The mean is the probability that an image is nearer to the training split than a real one is (Meehan's
    statistic on ratios): .5 for real images. Its interval takes the real images as given, which makes it 9 % too
    narrow where they are 5 times as many as the images judged, and 29 % where they are as many.
    """
    ranked, ratios = _sorted(real_table), ratio(table)
    labels = np.array(_labels(table, ranked), dtype=np.int64)
    found = np.empty(len(ratios))
    for label in np.unique(labels).tolist():
        real, rows = ranked[label], labels == label
        sides = [np.searchsorted(real, ratios[rows], side) for side in ("left", "right")]
        found[rows] = 1 - (sides[0] + sides[1]) / (2 * len(real))
    return found


def closest(table: Mapping, count: int = 12) -> list[dict]:
    """The `count` images nearest to a training image, nearest first; several may be near to the same one.

    Each is {row (in the table), label, seed, train_index, train_distance, test_index, test_distance}.
    """
    order = np.argsort(np.asarray(table["train_distance"]), kind="stable")[:count].tolist()
    keys = ("label", "seed", *NeighbourScorer.columns)
    return [{"row": row} | {key: np.asarray(table[key])[row].item() for key in keys} for row in order]


def _sorted(real_table: Mapping) -> dict[int, NDArray[np.float64]]:
    """Ratios of real images, ascending: for every label there is, and for `UNLABELLED` all of them."""
    ratios, labels = ratio(real_table), np.asarray(real_table["label"])
    by_label = {label: np.sort(ratios[labels == label]) for label in np.unique(labels).tolist()}
    return {UNLABELLED: np.sort(ratios)} | by_label


def _labels(table: Mapping, known: Mapping) -> list[int]:
    """The table's labels; ValueError where one is not among the `known`."""
    labels = np.asarray(table["label"]).tolist()
    if missing := set(labels) - known.keys():
        raise ValueError(f"no real images of label {min(missing)} to compare with")
    return labels
