"""Images and labels in IDX files, as MNIST itself and torchvision keep them, read with distrust.

An IDX file (http://yann.lecun.com/exdb/mnist/) is a big-endian header (two zero bytes, a type code, the number
of dimensions, then each dimension in 4 bytes) and the bytes themselves, gzipped or not. The labels lie beside
the images: train-images-idx3-ubyte.gz has train-labels-idx1-ubyte.gz; without them the images are unlabelled.
Images in colour (idx4) have four dimensions, the last one the colour, as diffusion_core/data.py keeps them.
No more is inflated than the header announces.
"""

import gzip
import math
import re
import struct
import zlib
from pathlib import Path

import torch
from torch import Tensor

from eval.errors import UserError
from eval.rows import MAX_IMAGES, Rows
from eval.source_base import Form, shown

NAME = re.compile(r"idx[134]-ubyte(\.gz)?$")  # what marks a file as one of these
TORCHVISION = "MNIST/raw/train-images-idx3-ubyte"  # where its MNIST looks in a folder
COLOUR = "train-images-idx4-ubyte"  # in a folder of a data set in colour
MAX_BYTES = 256 << 20


def read_idx(path: str | Path, form: Form) -> Rows:
    """Images uint8 [N, C, H, W] and their labels. `UserError` names the file that is missing or damaged."""
    path = Path(path)
    if "idx1-ubyte" in path.name:
        kind = "idx3" if form.shape[0] == 1 else "idx4"
        raise UserError(f"{shown(path)} holds labels; give the file of the images beside it (images-{kind}-ubyte).")
    images = _images(path)
    beside = _labels_beside(path)
    labels = _read(beside, 1).long() if beside else None
    if labels is not None and len(labels) != len(images):
        raise UserError(f"{shown(path)} has {len(images)} images, {shown(beside)} {len(labels)} labels.")
    return Rows(images, labels, None)


def _images(path: Path) -> Tensor:
    """uint8 [N, C, H, W] of a file of three dimensions (grey), or of four by its name."""
    if "idx4-ubyte" in path.name:
        return _read(path, 4).permute(0, 3, 1, 2).contiguous()
    return _read(path, 3)[:, None]


def _labels_beside(path: Path) -> Path | None:
    stem = re.sub("idx[34]", "idx1", path.name.removesuffix(".gz").replace("images", "labels"))
    if "labels" not in stem:
        return None
    return next((p for p in (path.with_name(f"{stem}.gz"), path.with_name(stem)) if p.is_file()), None)


def _read(path: Path, dimensions: int) -> Tensor:
    """One file of unsigned bytes -> uint8 tensor of the dimensions in its header."""
    name = shown(path)
    if not path.is_file():
        raise UserError(f"There is no file {name}.")
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            head = file.read(4 + 4 * dimensions)
            if len(head) < 4 + 4 * dimensions or head[:4] != bytes([0, 0, 8, dimensions]):
                raise UserError(f"{name} is not an IDX file of unsigned bytes in {dimensions} dimensions.")
            sizes = struct.unpack(f">{dimensions}I", head[4:])
            size = math.prod(sizes)
            if not 0 < sizes[0] <= MAX_IMAGES or not 0 < size <= MAX_BYTES:
                limit = f"1 to {MAX_IMAGES:,} images and {MAX_BYTES >> 20} MiB"
                raise UserError(f"{name} announces {list(sizes)}; {limit} are read.")
            body = file.read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or "it is damaged or cut off"
        raise UserError(f"{name} cannot be read ({reason}).") from None
    if len(body) != size:
        raise UserError(f"{name} is damaged: its header announces {size:,} bytes, there are {len(body):,} or more.")
    return torch.frombuffer(bytearray(body), dtype=torch.uint8).view(*sizes)
