"""Data sets: a registry entry each, verified on load, held as one uint8 tensor.

The file format is MNIST's own IDX (http://yann.lecun.com/exdb/mnist/): a big-endian header
(two zero bytes, a type code, the number of dimensions, then each dimension as a 4-byte integer)
followed by the bytes themselves. Files may be gzipped or plain.
"""

import gzip
import hashlib
import math
import os
import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from diffusion_core.errors import UserError

ROOT = Path(__file__).resolve().parent.parent
SPLITS = {"train": "train", "test": "t10k"}


@dataclass(frozen=True)
class DataSpec:
    """One registry entry.

    `mean` and `std` are those of the training pixels in [0, 1]; the model sees pixels that are
    centred and scaled with them (see `pixels.py`). `env` names the variable that points to another
    folder with the same layout. `md5` holds the checksum of each uncompressed file; None means that
    the files are the user's own and only their form is checked.
    """

    name: str
    class_names: tuple[str, ...]
    shape: tuple[int, int, int]  # channels, height, width
    mean: float
    std: float
    env: str
    md5: dict[str, str] | None = None


class Dataset(NamedTuple):
    """One split in memory: images uint8 [N, C, H, W], labels int64 [N]."""

    images: Tensor
    labels: Tensor
    spec: DataSpec


DATASETS = {
    "mnist": DataSpec(
        name="mnist",
        class_names=tuple("0123456789"),
        shape=(1, 28, 28),
        mean=0.1307,
        std=0.3081,
        env="MNIST_DIR",
        md5={
            "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
            "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
            "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
            "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
        },
    ),
}


def spec(name: str) -> DataSpec:
    """The registry entry called `name`; `UserError` with the known names otherwise."""
    if name not in DATASETS:
        raise UserError(f"There is no data set '{name}'. Known: {', '.join(sorted(DATASETS))}.")
    return DATASETS[name]


def load(name: str = "mnist", split: str = "train", folder: str | Path | None = None) -> Dataset:
    """Load a split: from `folder`, else from the folder the spec's variable names, else `data/NAME`.

    Files of the embedded folder must match their checksums. A folder of the user's own only has to
    hold well-formed files of the same shape. `UserError` names the file that is missing or damaged.
    """
    entry = spec(name)
    if split not in SPLITS:
        raise UserError(f"There is no split '{split}'. Known: {', '.join(SPLITS)}.")
    own = folder or os.environ.get(entry.env)
    where = Path(own) if own else ROOT / "data" / name
    return _load(entry.name, split, where.resolve(), not own)


@lru_cache(maxsize=4)
def _load(name: str, split: str, where: Path, verify: bool) -> Dataset:
    entry, prefix = DATASETS[name], SPLITS[split]
    md5 = entry.md5 if verify else None
    images = _read_idx(where, f"{prefix}-images-idx3-ubyte", md5)
    labels = _read_idx(where, f"{prefix}-labels-idx1-ubyte", md5).long()
    channels, height, width = entry.shape
    if images.shape[1:] != (height, width):
        raise UserError(
            f"{where}/{prefix}-images-idx3-ubyte holds images of {tuple(images.shape[1:])} pixels; "
            f"'{name}' needs {(height, width)}."
        )
    if len(images) != len(labels) or len(images) == 0:
        raise UserError(f"{where}: {len(images)} {split} images but {len(labels)} labels.")
    if int(labels.max()) >= len(entry.class_names):
        raise UserError(f"{where}: label {int(labels.max())} is outside 0..{len(entry.class_names) - 1}.")
    return Dataset(images.view(-1, channels, height, width), labels, entry)


def _read_idx(where: Path, stem: str, md5: dict[str, str] | None) -> Tensor:
    """One IDX file of unsigned bytes -> uint8 tensor of the dimensions in its header."""
    path = next((p for p in (where / f"{stem}.gz", where / stem) if p.is_file()), None)
    if path is None:
        raise UserError(f"Data file {where / stem}.gz is missing. Restore it, or set the data folder.")
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"Data file {path} is damaged ({error}). Restore it from its source.") from None
    if md5 is not None and hashlib.md5(raw, usedforsecurity=False).hexdigest() != md5[stem]:
        raise UserError(f"Data file {path} is damaged (wrong checksum). Restore it from its source.")
    if len(raw) < 4 or raw[:3] != b"\0\0\x08" or len(raw) < 4 + 4 * raw[3]:
        raise UserError(f"Data file {path} is not an IDX file of unsigned bytes.")
    sizes = struct.unpack(f">{raw[3]}I", raw[4 : 4 + 4 * raw[3]])
    body = raw[4 + 4 * raw[3] :]
    if raw[3] not in (1, 3) or len(body) != math.prod(sizes):
        raise UserError(f"Data file {path} is damaged: header says {sizes}, body has {len(body)} bytes.")
    return torch.frombuffer(bytearray(body), dtype=torch.uint8).view(*sizes)
