"""Images in parquet files, one or a folder of several, as Hugging Face's `datasets` writes them.

Columns: `image` or `images`; `label` or `labels` (whole numbers or class names) and `seed` or `seeds`, both
optional. An image is a struct with `bytes` (the Image feature), bytes (an encoded image, or just the pixels,
row by row), or a list of uint8, nested or not. Read batch by batch, by column, with distrust.
"""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from eval.errors import UserError
from eval.images import MAGIC, MAX_FILE, decode
from eval.rows import MAX_IMAGES, Rows, label_of, seed_of
from eval.source_base import Form, shown

BATCH = 1024
MAX_BYTES = 512 << 20  # of the columns that are read, unpacked
COLUMNS = {"image": ("image", "images"), "label": ("label", "labels"), "seed": ("seed", "seeds")}


def read_parquet(path: str | Path, form: Form) -> Rows:
    """The rows of a file, or of all .parquet files in a folder by their names. `UserError` names the file and row."""
    path = Path(path)
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    parts: list[Part] = []
    for file in files:
        parts.append(_read(file, form, MAX_IMAGES - sum(len(images) for images, *_ in parts)))
    if not any(len(images) for images, *_ in parts):
        raise UserError(f"{shown(path)} holds no images.")
    images = torch.from_numpy(np.concatenate([images for images, *_ in parts]))
    return Rows(images, *(_joined(path, key, [part[i] for part in parts]) for i, key in ((1, "label"), (2, "seed"))))


Part = tuple[NDArray, list[int] | None, list[int] | None]  # images uint8 [n, C, H, W], labels, seeds


def _joined(path: Path, key: str, columns: list[list[int] | None]) -> torch.Tensor | None:
    """One column of all files."""
    known = [column for column in columns if column is not None]
    if known and len(known) < len(columns):
        raise UserError(f"{shown(path)}: some of its files have a column '{key}' and some do not.")
    return torch.tensor([value for column in known for value in column]) if known else None


def _read(path: Path, form: Form, most: int) -> Part:
    """One file. Its metadata are checked before any column is unpacked."""
    name = shown(path)
    if not path.is_file():
        raise UserError(f"There is no file {name}.")
    try:
        with pq.ParquetFile(path) as file:
            columns = _columns(name, file)
            _check_size(name, file, columns, most)
            return _rows(name, file, columns, form)
    except UserError:
        raise
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, IndexError) as error:
        reason = "Permission denied" if isinstance(error, PermissionError) else "it is damaged or no parquet file"
        raise UserError(f"{name} cannot be read ({reason}).") from None


def _columns(name: str, file: pq.ParquetFile) -> dict[str, str]:
    """{"image": its column's name, ...} for those that the file has."""
    present = file.schema_arrow.names
    found = {key: next((n for n in names if n in present), None) for key, names in COLUMNS.items()}
    if found["image"] is None:
        there = shown(", ".join(present), 120)
        raise UserError(f"{name} has no column 'image' or 'images' (it has: {there}).")
    return {key: column for key, column in found.items() if column}


def _check_size(name: str, file: pq.ParquetFile, columns: dict[str, str], most: int) -> None:
    meta = file.metadata
    if meta.num_rows > most:
        raise UserError(f"{name} has {meta.num_rows:,} rows; at most {MAX_IMAGES:,} images are read in all.")
    size = 0
    for group in range(meta.num_row_groups):
        chunks = (meta.row_group(group).column(i) for i in range(meta.num_columns))
        size += sum(c.total_uncompressed_size for c in chunks if c.path_in_schema.split(".")[0] in columns.values())
    if size > MAX_BYTES:
        raise UserError(f"{name} holds {size >> 20} MiB of images; at most {MAX_BYTES >> 20} MiB are read.")


def _rows(name: str, file: pq.ParquetFile, columns: dict[str, str], form: Form) -> Part:
    images = np.empty((file.metadata.num_rows, *form.shape), np.uint8)
    converters = {"label": lambda value: label_of(value, form.class_names), "seed": seed_of}
    values: dict[str, list[int]] = {key: [] for key in converters if key in columns}
    row = 0
    try:
        for batch in file.iter_batches(BATCH, columns=list(columns.values())):
            lists = {key: batch.column(columns[key]).to_pylist() for key in values}
            for i, pixels in enumerate(_pixels(batch.column(columns["image"]), form)):
                images[row] = pixels
                for key in values:
                    values[key].append(converters[key](lists[key][i]))
                row += 1
    except UserError as error:
        raise UserError(f"{name}, row {row}: {error}") from None
    return images, values.get("label"), values.get("seed")


# ---------------------------------------------------------------------------
# The image column.


def _pixels(column: pa.Array, form: Form) -> Iterator[NDArray]:
    """uint8 [C, H, W] of every row; `UserError` says what is wrong with the next one."""
    if pa.types.is_struct(column.type) and column.type.get_field_index("bytes") >= 0:
        column = pc.struct_field(column, "bytes")
    convert = _from_bytes if _is_bytes(column.type) else _from_list if _is_list(column.type) else None
    if convert is None:
        raise UserError(f"images are {shown(column.type, 80)}; needed are encoded images or lists of uint8.")
    for value in column:
        if not value.is_valid:
            raise UserError("the image is missing; its bytes must be in the file, a path is not followed.")
        yield convert(value, form)


def _from_bytes(value: pa.Scalar, form: Form) -> NDArray:
    """An encoded image, or exactly the pixels row by row."""
    data = value.as_py()
    if len(data) == math.prod(form.shape) and not data.startswith(MAGIC):
        return _shaped(np.frombuffer(data, np.uint8), form)
    if len(data) > MAX_FILE:
        raise UserError(f"the image has {len(data):,} bytes; at most {MAX_FILE:,} are read.")
    return decode(data, form)


def _from_list(value: pa.Scalar, form: Form) -> NDArray:
    values = value.values
    while _is_list(values.type):
        values = values.flatten()
    if values.type != pa.uint8():
        raise UserError(f"its pixels are {shown(values.type, 80)}, not uint8.")
    if len(values) != math.prod(form.shape) or values.null_count:
        raise UserError(f"it has {len(values) - values.null_count} pixels; '{form.name}' needs {form.shape[1:]}.")
    return _shaped(values.to_numpy(), form)


def _shaped(pixels: NDArray, form: Form) -> NDArray:
    """uint8 [H * W * C], channels last -> [C, H, W]."""
    channels, height, width = form.shape
    return pixels.reshape(height, width, channels).transpose(2, 0, 1)


def _is_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
