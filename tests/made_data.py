"""A data set that is unlike MNIST in every way: three classes with names of words, in colour, 32 x 32 pixels.

The fixture `made_data` registers it and writes its files; it lies in no folder of the repository.
"""

import numpy as np
import pytest
import torch
from torch import Tensor

from diffusion_core import data
from diffusion_core.data import SPLITS, DataSpec
from diffusion_core.idx import idx_bytes

MADE = DataSpec(
    name="made",
    class_names=("red square", "disc", "cross"),
    shape=(3, 32, 32),
    mean=0.25,
    std=0.22,
    noun="shape",
    flip=True,
)
COUNTS = {"train": (60, 50, 40), "test": (30, 25, 20)}  # images of each class: no two are as frequent
COLOURS = ((220, 40, 40), (40, 190, 60), (60, 80, 230))


def draw(labels: Tensor, seeds: Tensor) -> Tensor:
    """uint8 [N, 3, 32, 32]: each class's shape, its place, size and brightness decided by (label, seed)."""
    pairs = zip(labels.tolist(), seeds.tolist(), strict=True)
    return torch.from_numpy(np.stack([_draw(label, seed) for label, seed in pairs]))


def _draw(label: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng([label, seed])
    y, x = np.mgrid[:32, :32] - rng.integers(12, 20, 2)[:, None, None]
    reach = int(rng.integers(5, 10))
    shape = (
        np.maximum(abs(x), abs(y)) <= reach,
        x * x + y * y <= reach * reach,
        (np.minimum(abs(x), abs(y)) <= 1) & (np.maximum(abs(x), abs(y)) <= reach),
    )[label]
    image = rng.integers(0, 60, (3, 32, 32)).astype(np.uint8)
    image[:, shape] = (rng.uniform(0.7, 1.1) * np.array(COLOURS[label])).astype(np.uint8)[:, None]
    return image


def split(name: str) -> tuple[Tensor, Tensor]:
    """Images and labels of a split, as many of each class as `COUNTS` says, in a mixed order."""
    labels = torch.arange(3).repeat_interleave(torch.tensor(COUNTS[name]))
    labels = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))]
    first = 0 if name == "train" else 10_000
    return draw(labels, first + torch.arange(len(labels))), labels


@pytest.fixture(scope="module")
def made_data(tmp_path_factory) -> DataSpec:
    """The registered data set, its files in a folder that its variable names; gone after the file of tests."""
    folder = tmp_path_factory.mktemp("made")
    for name, prefix in SPLITS.items():
        images, labels = split(name)
        (folder / f"{prefix}-images-idx4-ubyte").write_bytes(idx_bytes(images.permute(0, 2, 3, 1)))
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(idx_bytes(labels.to(torch.uint8)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(data.DATASETS, MADE.name, MADE)
        patch.setenv(MADE.env, str(folder))
        yield MADE
