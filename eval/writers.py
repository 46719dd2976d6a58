"""Data sets of labelled images in four forms, each written block by block: what is in memory is one block.

The same blocks give the same bytes. Every form is read back by eval/sources.py, as by the library it is meant for.
"""

import csv
import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from torch import Tensor

from eval.idx import COLOUR, TORCHVISION
from eval.npz import ARRAYS
from eval.source_base import Form
from eval.synthesis import Block

PLACE = "synthetic"  # what an example calls the folder


@dataclass(frozen=True)
class DataSet:
    """What is written: `count` images of a form, the names of their scores, and the blocks, anew at each call."""

    count: int
    form: Form
    scores: tuple[str, ...]
    blocks: Callable[[], Iterator[Block]]


class Format(NamedTuple):
    """`write(folder, data set)`; `opening(form)`: how a program opens the folder `PLACE`; the files that Hugging Face's
    `datasets` reads."""

    title: str
    write: Callable[[Path, DataSet], None]
    opening: Callable[[Form], str]
    datasets: tuple[str, ...] = ()


# ---------------------------------------------------------------------------
# Hugging Face's datasets.

FOLDER, METADATA = "train", "metadata.jsonl"
PARQUET = "train-00000-of-00001.parquet"


def write_imagefolder(folder: Path, data: DataSet) -> None:
    """train/LABEL-SEED.png, the label a number whatever its class is called, and a line an image in metadata.jsonl."""
    (folder / FOLDER).mkdir()
    with open(folder / METADATA, "w", encoding="utf-8") as lines:
        for block in data.blocks():
            for image, row in zip(block.images, rows(block), strict=True):
                name = f"{FOLDER}/{file_name(row)}"
                (folder / name).write_bytes(png(image))
                lines.write(json.dumps({"file_name": name} | row, allow_nan=False) + "\n")


def write_parquet(folder: Path, data: DataSet) -> None:
    """One file; `image` is an encoded PNG, as the feature Image has it, `label` a ClassLabel; a row group a block."""
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = [("image", image), ("label", pa.int64()), ("seed", pa.int64())]
    schema = pa.schema(columns + [(name, pa.float64()) for name in data.scores])
    said = json.dumps({"info": {"features": features(data)}})
    with pq.ParquetWriter(folder / PARQUET, schema.with_metadata({"huggingface": said})) as writer:
        for block in data.blocks():
            table = [
                {"image": {"bytes": png(image), "path": file_name(row)}} | row
                for image, row in zip(block.images, rows(block), strict=True)
            ]
            writer.write_table(pa.Table.from_pylist(table, writer.schema))


def features(data: DataSet) -> dict:
    """The columns' types as the library keeps them in a file."""
    label = {"names": list(data.form.class_names), "_type": "ClassLabel"}
    scores = {name: {"dtype": "float64", "_type": "Value"} for name in data.scores}
    return {"image": {"_type": "Image"}, "label": label, "seed": {"dtype": "int64", "_type": "Value"}} | scores


# ---------------------------------------------------------------------------
# torchvision, numpy.

INDEX = "index.csv"


def write_idx(folder: Path, data: DataSet) -> None:
    """MNIST's own files, as `torchvision.datasets.MNIST(folder)` opens them; what they have no place for in index.csv.

    torchvision asks for the four files of MNIST, so those of the test split are there, and hold no image. Images in
    colour, which it does not open, are of four dimensions (the last is the colour) and lie in the folder itself, as
    diffusion_core/data.py has them.
    """
    channels, *size = data.form.shape
    place = folder / (TORCHVISION if channels == 1 else COLOUR)
    raw = place.parent
    raw.mkdir(parents=True, exist_ok=True)
    for split, count in (("train", data.count), ("t10k", 0)):
        head = idx_head(count, *size, *([channels] if channels > 1 else []))
        (raw / place.name.replace("train", split)).write_bytes(head)
        (raw / f"{split}-labels-idx1-ubyte").write_bytes(idx_head(count))
    with (
        open(place, "ab") as images,
        open(raw / "train-labels-idx1-ubyte", "ab") as labels,
        open(folder / INDEX, "w", newline="", encoding="utf-8") as file,
    ):
        index = csv.DictWriter(file, ("label", "seed", *data.scores), lineterminator="\n")
        index.writeheader()
        for block in data.blocks():
            images.write(np.ascontiguousarray(pixels(block.images)).tobytes())
            labels.write(block.labels.numpy().astype(np.uint8).tobytes())
            index.writerows(rows(block))


def idx_head(*sizes: int) -> bytes:
    """The header of an IDX file of unsigned bytes in these dimensions."""
    return bytes([0, 0, 8, len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes)


def write_npz(folder: Path, data: DataSet) -> None:
    """`ARRAYS`: images uint8 [N, H, W] ([N, H, W, 3] in colour), labels and seeds int64 [N], scores float64 [N]."""
    channels, height, width = data.form.shape
    shape = (data.count, height, width) if channels == 1 else (data.count, height, width, channels)
    columns: dict[str, list[np.ndarray]] = {name: [] for name in ("labels", "seeds", *data.scores)}
    with zipfile.ZipFile(folder / ARRAYS, "w", zipfile.ZIP_DEFLATED) as archive:
        with _member(archive, "images", np.dtype(np.uint8), shape) as images:
            for block in data.blocks():
                images.write(np.ascontiguousarray(pixels(block.images)).tobytes())
                for name, values in {"labels": block.labels, "seeds": block.seeds, **block.scores}.items():
                    columns[name].append(values.numpy())
        for name, parts in columns.items():
            with _member(archive, name, parts[0].dtype, (data.count,)) as member:
                for part in parts:
                    member.write(part.tobytes())


def _member(archive: zipfile.ZipFile, name: str, dtype: np.dtype, shape: tuple[int, ...]):
    """An array of the archive, open for its bytes. A member has the date 1980-01-01 unless it is given another."""
    entry = zipfile.ZipInfo(f"{name}.npy")
    entry.compress_type = zipfile.ZIP_DEFLATED
    file = archive.open(entry, "w", force_zip64=True)
    head = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, head)
    return file


# ---------------------------------------------------------------------------


def _by_datasets(form: Form) -> str:
    return f'from datasets import load_dataset\n\nimages = load_dataset("{PLACE}", split="train")'


def _by_numpy(form: Form) -> str:
    return f'import numpy as np\n\nfile = np.load("{PLACE}/{ARRAYS}")\nimages, labels = file["images"], file["labels"]'


def _by_torchvision(form: Form) -> str:
    """In colour, which torchvision does not read, by numpy behind the header of 4 bytes a dimension and 4 more."""
    channels, height, width = form.shape
    if channels == 1:
        return f'from torchvision.datasets import MNIST\n\nimages = MNIST("{PLACE}", train=True)'
    return (
        f'import numpy as np\n\nimages = np.fromfile("{PLACE}/{COLOUR}", np.uint8)[20:]\n'
        f"images = images.reshape(-1, {height}, {width}, {channels})\n"
        f'labels = np.fromfile("{PLACE}/train-labels-idx1-ubyte", np.uint8)[8:]'
    )


FORMATS = {
    "imagefolder": Format("PNG files (imagefolder)", write_imagefolder, _by_datasets, (METADATA, f"{FOLDER}/*")),
    "parquet": Format("parquet", write_parquet, _by_datasets, (PARQUET,)),
    "idx": Format("IDX (as MNIST)", write_idx, _by_torchvision),
    "npz": Format("npz (numpy)", write_npz, _by_numpy),
}


def rows(block: Block) -> list[dict]:
    """What is known of each image: label, seed and scores, as plain numbers."""
    columns = {"label": block.labels, "seed": block.seeds, **block.scores}
    lists = [values.tolist() for values in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]


def file_name(row: dict) -> str:
    return f"{row['label']}-{row['seed']:06d}.png"


def png(image: Tensor) -> bytes:
    """uint8 [C, H, W] -> the bytes of a PNG."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels(image[None])[0])).save(buffer, "PNG")
    return buffer.getvalue()


def pixels(images: Tensor) -> np.ndarray:
    """uint8 [N, C, H, W] -> [N, H, W] for one channel, [N, H, W, C] for colour."""
    return images[:, 0].numpy() if images.shape[1] == 1 else images.permute(0, 2, 3, 1).numpy()
