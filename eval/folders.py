"""A folder of images, or a .zip of one: as Hugging Face's "imagefolder" has it, or as `python -m app sample` writes.

Labels and seeds come from the first of these that is there:
  metadata.csv or metadata.jsonl   columns file_name, label (a class's name or index) and seed, the last two optional
  class folders                    named as the classes, or by their indices: ankle boot/a.png or 9/a.png
  names LABEL-SEED.png             all of them, the label an index, the seed with six digits or more
and otherwise the images are unlabelled. Files are taken in the order of their names; files that are not images
are left alone. Which label a class has is the data set's to say, never the order of the folders; a class whose name
cannot be that of a folder goes by its index.
"""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np
import torch

from eval.errors import UserError
from eval.images import MAX_FILE, SUFFIXES, decode
from eval.rows import MAX_IMAGES, Rows, classes_shown, is_class, label_of, seed_of
from eval.source_base import Form, shown
from eval.trees import Tree, opened

METADATA = ("metadata.csv", "metadata.jsonl")
MAX_METADATA = 64 << 20
UNREADABLE = {".tif", ".tiff", ".svg", ".psd", ".eps", ".avif", ".heic", ".jp2", ".pgm", ".ppm"}
OURS = re.compile(r"(\d+)-(\d{6,})")  # as app/commands.py names images
Named = tuple[list[int] | None, list[int] | None]  # labels and seeds, as far as they are known


def read_folder(path: str | Path, form: Form) -> Rows:
    """The images, labels and seeds of a folder. `UserError` names the first file that is wrong."""
    path = Path(path)
    if not path.exists():
        raise UserError(f"There is no file {shown(path)}.")
    with opened(path, form.class_names) as tree:
        names = _image_names(path, tree)
        try:
            labels, seeds = _named(tree, names, form)
        except UserError as error:
            raise UserError(f"{shown(path)}: {error}") from None
        images = np.empty((len(names), *form.shape), np.uint8)
        for i, name in enumerate(names):
            try:
                images[i] = decode(tree[name](MAX_FILE), form)
            except UserError as error:
                raise UserError(f"{shown(path / name)}: {error}") from None
    as_tensor = (None if known is None else torch.tensor(known) for known in (labels, seeds))
    return Rows(torch.from_numpy(images), *as_tensor)


def _image_names(path: Path, tree: Tree) -> list[str]:
    suffixes = {name: PurePosixPath(name).suffix.lower() for name in tree}
    if foreign := sorted(name for name, suffix in suffixes.items() if suffix in UNREADABLE):
        raise UserError(f"{shown(path / foreign[0])}: save it as PNG; {suffixes[foreign[0]]} images are not read.")
    names = sorted(name for name, suffix in suffixes.items() if suffix in SUFFIXES)
    if not names:
        raise UserError(f"{shown(path)} holds no images. Read are PNG, JPEG, WebP, BMP and GIF files.")
    if len(names) > MAX_IMAGES:
        raise UserError(f"{shown(path)} holds {len(names):,} images; at most {MAX_IMAGES:,} are read.")
    return names


# ---------------------------------------------------------------------------
# Labels and seeds.


def _named(tree: Tree, names: list[str], form: Form) -> Named:
    tables = [name for name in METADATA if name in tree]
    if len(tables) > 1:
        raise UserError("it has both metadata.csv and metadata.jsonl; keep one of them.")
    if tables:
        try:
            return _from_metadata(_entries(tables[0], tree[tables[0]](MAX_METADATA)), names, form)
        except UserError as error:
            raise UserError(f"{tables[0]}: {error}") from None
    return _from_names(names, form)


def _from_metadata(entries: dict[str, dict], names: list[str], form: Form) -> Named:
    if odd := sorted(entries.keys() ^ set(names)):
        lack = "has no line for" if odd[0] in set(names) else "names a file that is no image here,"
        raise UserError(f"it {lack} '{shown(odd[0], 100)}'.")
    labels = _column(entries, names, "label", lambda value: label_of(value, form.class_names))
    if labels is None and all("/" in name for name in names):
        labels = _from_names(names, form)[0]
    return labels, _column(entries, names, "seed", seed_of)


def _column(entries: dict[str, dict], names: list[str], column: str, convert: Callable[..., int]) -> list[int] | None:
    """A column's values in the order of `names`; None where no line has one."""
    values = [entries[name].get(column) for name in names]
    if all(value in (None, "") for value in values):
        return None
    converted = []
    for name, value in zip(names, values, strict=True):
        try:
            converted.append(convert(value))
        except UserError as error:
            raise UserError(f"'{shown(name, 100)}': {error}") from None
    return converted


def _entries(name: str, content: bytes) -> dict[str, dict]:
    """The lines of metadata.csv or metadata.jsonl by their file_name."""
    try:
        text = content.decode("utf-8-sig")
        if name.endswith(".csv"):
            lines = list(csv.DictReader(io.StringIO(text), strict=True))
        else:
            lines = [json.loads(line) for line in text.split("\n") if line.strip()]
    except (ValueError, csv.Error, RecursionError) as error:
        raise UserError(f"it is damaged ({shown(error, 100)}).") from None
    entries: dict[str, dict] = {}
    for line in lines:
        if not isinstance(line, dict) or not isinstance(line.get("file_name"), str):
            raise UserError("every line needs a file_name, and may have a label and a seed.")
        if line["file_name"] in entries:
            raise UserError(f"'{shown(line['file_name'], 100)}' is in it twice.")
        entries[line["file_name"]] = line
    return entries


def _from_names(names: list[str], form: Form) -> Named:
    folders = [name.rpartition("/")[0] for name in names]
    if all(folders):
        known = {folder: _class(folder, form) for folder in sorted(set(folders))}
        return [known[folder] for folder in folders], None
    if any(folders):
        beside = names[folders.index("")]
        raise UserError(f"it has images both in folders and beside them ('{shown(beside, 100)}').")
    ours = [OURS.fullmatch(PurePosixPath(name).stem) for name in names]
    if not any(ours):
        return None, None
    if not all(ours):
        odd = names[ours.index(None)]
        raise UserError(f"some names are LABEL-SEED.png, but '{shown(odd, 100)}' is not; name all so, or none.")
    return [label_of(int(match[1]), form.class_names) for match in ours], [seed_of(match[2]) for match in ours]


def _class(folder: str, form: Form) -> int:
    """A class folder's label."""
    if not is_class(folder, form.class_names):
        known = classes_shown(form.class_names)
        raise UserError(f"folder '{shown(folder, 100)}' is not a class of '{form.name}' (they are {known}).")
    return label_of(folder, form.class_names)
