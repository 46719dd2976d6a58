"""Images, labels and seeds in one .npz file: written deterministically, read with distrust.

The form: `images` uint8 [N, H, W] (grey), [N, 1, H, W] or [N, H, W, 3] (colour); `labels` int [N], all -1
where the images are unlabelled; `seeds` int [N]. Labels and seeds are optional when read. An .npz is a zip of
.npy members; a reader that trusts it can be made to unpickle code or to fill the memory. So sizes are checked
in the headers before anything is decoded, and object arrays are refused.
"""

import math
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eval.atomic import atomic_file
from eval.errors import UserError
from eval.rows import MAX_IMAGES, Rows
from eval.source_base import shown

ARRAYS = "digits.npz"  # in a folder that was exported, whatever its images show
KEYS = ("images", "labels", "seeds")
FORM = "images uint8 [N,H,W] (or [N,H,W,3]) and, optionally, labels int [N] and seeds int [N]"
HINT = "Save pixels of 0..1 as np.round(255 * images).astype(np.uint8)."
MAX_BYTES = 256 << 20  # of one array, decoded


def write_npz(path: str | Path, images: Tensor, labels: Tensor, seeds: Tensor) -> None:
    """Write uint8 [N, C, H, W] (C = 1 or 3), labels and seeds [N]: grey as [N, H, W], colour as [N, H, W, 3].

    Whole or not at all; the same arrays give the same bytes (numpy dates zip members 1980-01-01).
    """
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ValueError(f"{images.dtype} {tuple(images.shape)} is not uint8 [N, 1 or 3, H, W]")
    if not len(images) == len(labels) == len(seeds):
        raise ValueError(f"{len(images)} images, {len(labels)} labels, {len(seeds)} seeds")
    pixels = images[:, 0] if images.shape[1] == 1 else images.permute(0, 2, 3, 1)
    arrays = {"images": pixels, "labels": labels, "seeds": seeds}
    with atomic_file(Path(path)) as beside, open(beside, "wb") as file:
        np.savez_compressed(file, **{k: np.ascontiguousarray(v.cpu().numpy()) for k, v in arrays.items()})


def read_npz(path: str | Path) -> tuple[Tensor, Tensor, Tensor]:
    """uint8 [N, C, H, W], int64 labels [N] (-1 where the file has none), int64 seeds [N] (else 0..N-1).

    `UserError` names the file, what is wrong with it, and the form that is needed.
    """
    images, labels, seeds = read_rows(path)
    n = len(images)
    return images, torch.full((n,), -1) if labels is None else labels, torch.arange(n) if seeds is None else seeds


def read_rows(path: str | Path) -> Rows:
    """The same, with None for labels or seeds that the file does not have."""
    path, name = Path(path), shown(path)
    try:
        with zipfile.ZipFile(path) as archive:
            present = [key for key in KEYS if f"{key}.npy" in archive.namelist()]
            arrays = {key: _member(archive, key) for key in present}
    except FileNotFoundError:
        raise UserError(f"There is no file {name}.") from None
    except OSError as error:
        raise UserError(f"{name} cannot be read ({error.strerror or 'damaged'}).") from None
    except UserError as error:
        raise UserError(f"{name}: {error}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, NotImplementedError):
        raise UserError(f"{name} is damaged or not an .npz file. Needed: {FORM}.") from None
    try:
        return _checked(arrays)
    except UserError as error:
        raise UserError(f"{name}: {error}") from None


def _member(archive: zipfile.ZipFile, key: str) -> NDArray:
    """One array. Its header is checked first; no more bytes are decoded than the header announces."""
    with archive.open(f"{key}.npy") as file:
        shape, fortran, dtype = _header(file)
        if dtype.kind not in "iu":
            hint = f" {HINT}" if key == "images" and dtype.kind == "f" else ""
            raise UserError(f"'{key}' is {dtype}, not whole numbers. Needed: {FORM}.{hint}")
        size = math.prod(shape) * dtype.itemsize
        if not shape or shape[0] > MAX_IMAGES or size > MAX_BYTES:
            limit = f"at most {MAX_IMAGES} images and {MAX_BYTES >> 20} MiB"
            raise UserError(f"'{key}' is {list(shape)}; {limit} are read. Needed: {FORM}.")
        body = file.read(size)
        if len(body) != size or file.read(1):
            raise UserError(f"'{key}' does not hold what its header says; save the file again.")
    return np.frombuffer(body, dtype).reshape(shape, order="F" if fortran else "C")


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, order and type from an .npy header (versions 1 and 2; the third is for names we do not read)."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(file)
    raise ValueError(f"npy version {version}")


def _checked(arrays: dict[str, NDArray]) -> Rows:
    if "images" not in arrays:
        raise UserError(f"array 'images' is missing. Needed: {FORM}.")
    images = arrays.pop("images")
    if images.dtype != np.uint8:
        raise UserError(f"'images' is {images.dtype}, not uint8. Needed: {FORM}.")
    pixels = _channels_first(images)
    for key, values in arrays.items():
        if values.ndim != 1 or len(values) != len(images):
            raise UserError(f"'{key}' is {list(values.shape)} for {len(images)} images. Needed: {FORM}.")
        unlabelled = key == "labels" and (values == -1).all()
        if (values.min() < 0 and not unlabelled) or values.max() > np.iinfo(np.int64).max:
            raise UserError(f"'{key}' holds a number below 0 or above 2^63 - 1.")
    whole = {key: torch.from_numpy(values.astype(np.int64)) for key, values in arrays.items()}
    return Rows(pixels, whole.get("labels"), whole.get("seeds"))


def _channels_first(images: NDArray) -> Tensor:
    """[N, H, W], [N, 1, H, W] or [N, H, W, 3] -> uint8 [N, C, H, W]."""
    if images.size == 0:
        raise UserError(f"'images' is empty. Needed: {FORM}.")
    if images.ndim == 3:
        images = images[:, None]
    elif images.ndim == 4 and images.shape[3] == 3:
        images = images.transpose(0, 3, 1, 2)
    elif images.ndim != 4 or images.shape[1] != 1:
        raise UserError(f"'images' is {list(images.shape)}. Needed: {FORM}.")
    return torch.from_numpy(np.array(images, order="C"))
