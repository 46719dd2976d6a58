"""Images that are there already, in memory: what a file or a folder of any form is read into.

The rows are put into one order, whatever order the file had, so that the same images give the same numbers
to the last bit from a folder, an .npz or a parquet file: round by round, the first image of every label,
then the second (the order of a checkpoint's plan); within a label by seed. Where no seeds are given, by the
sha256 of the pixels, and the seeds are 0..N-1 in that order.
"""

import hashlib
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from eval.errors import UserError
from eval.source_base import Form, Progress, Source, SourceInfo, shown

MAX_IMAGES = 100_000
SOME = 12  # classes that a message names


class Rows(NamedTuple):
    """images uint8 [N, C, H, W]; labels and seeds int64 [N], None where they are not known."""

    images: Tensor
    labels: Tensor | None
    seeds: Tensor | None


class RowsSource(Source):
    """Images with the labels and seeds that their file gives them."""

    def __init__(self, path: str | Path, kind: str, rows: Rows, form: Form):
        """`UserError` names `path` where the rows are not images and labels of `form`."""
        where = shown(path)
        labels = _checked_labels(where, rows, form)
        order = torch.tensor(_canonical(rows.images, labels, rows.seeds))
        self._images, self._labels = rows.images[order], labels[order]
        self._seeds = torch.arange(len(order)) if rows.seeds is None else rows.seeds[order]
        keys = zip(self._labels.tolist(), self._seeds.tolist(), strict=True)
        self._rows = {key: i for i, key in enumerate(keys)}
        if len(self._rows) < len(order):
            raise UserError(f"{where}: two images have the same label and seed. Leave 'seeds' out.")
        sha256 = digest(self._images, self._labels, self._seeds)
        name = file_name(path)
        super().__init__(
            SourceInfo(
                id=f"{name}@{sha256[:12]}",
                kind=kind,
                name=name,
                dataset=form.name,
                class_names=form.class_names,
                sha256=sha256,
                labelled=int(labels.max()) >= 0,
                given=shown(Path(path).name, 100),
                seeded=rows.seeds is not None,
            )
        )

    def plan(self, per_class: int | None, seed: int = 0) -> tuple[Tensor, Tensor]:
        """The first `per_class` of each label, fewer where there are fewer. `seed` is unused."""
        n = len(self._labels)
        if per_class is not None:
            if per_class < 1:
                raise UserError(f"The count per class must be at least 1, not {per_class}.")
            if self.info.labelled:
                n = sum(min(count, per_class) for count in Counter(self._labels.tolist()).values())
            else:
                n = per_class * len(self.class_names)
        return self._labels[:n].clone(), self._seeds[:n].clone()

    def images(self, labels: Tensor, seeds: Tensor, progress: Progress | None = None) -> Tensor:
        try:
            rows = [self._rows[key] for key in zip(labels.tolist(), seeds.tolist(), strict=True)]
        except KeyError as error:
            raise UserError(f"{self.name} has no image with (label, seed) {error}.") from None
        if progress:
            progress(len(rows), len(rows))
        return self._images[rows]


def digest(*tensors: Tensor) -> str:
    """sha256 over the tensors' bytes."""
    return hashlib.sha256(b"".join(t.contiguous().numpy().tobytes() for t in tensors)).hexdigest()


def file_name(path: str | Path) -> str:
    """The file's name without what says its form; a folder's name as it is."""
    path = Path(path)
    name = path.resolve().name if path.is_dir() else re.sub(r"(\.(npz|parquet|zip|gz))+$", "", path.name, flags=re.I)
    return shown(name, 100) or "images"


def label_of(value: object, class_names: tuple[str, ...]) -> int:
    """A label as people write it, a class's name or its index (-1: none), as an index; `UserError` otherwise.

    Where classes are called by numbers that are not their own indices, text is a name and never an index.
    """
    if isinstance(value, str) and value in class_names:
        return class_names.index(value)
    number = _whole(value)
    numbered = isinstance(value, str) and any(_whole(name) not in (None, i) for i, name in enumerate(class_names))
    if number is None or not -1 <= number < len(class_names) or (numbered and number != -1):
        raise UserError(f"label {shown(repr(value), 40)} is not one of the classes {classes_shown(class_names)}.")
    return number


def is_class(name: str, class_names: tuple[str, ...]) -> bool:
    """Whether a folder of this name holds the images of a class."""
    try:
        return label_of(name, class_names) >= 0
    except UserError:
        return False


def classes_shown(class_names: tuple[str, ...]) -> str:
    """ "0..9", with the names where they say more: "0..2 (red square, disc, cross)"; not all of many."""
    last = len(class_names) - 1
    if class_names == tuple(map(str, range(last + 1))):
        return f"0..{last}"
    names = class_names if last < SOME else (*class_names[: SOME - 1], "...", class_names[-1])
    return f"0..{last} ({shown(', '.join(names), 200)})"


def seed_of(value: object) -> int:
    """A seed as people write it; `UserError` unless it is a whole number from 0 to 2^63 - 1."""
    number = _whole(value)
    if number is None or not 0 <= number < 2**63:
        raise UserError(f"seed {shown(repr(value), 40)} is not a whole number from 0 to 2^63 - 1.")
    return number


def _whole(value: object) -> int | None:
    """A number, or its decimal digits."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,19}", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _checked_labels(where: str, rows: Rows, form: Form) -> Tensor:
    """int64 [N], all -1 where there are none. Images, counts and labels fit the form, or `UserError`."""
    if tuple(rows.images.shape[1:]) != form.shape:
        found, needed = list(rows.images.shape[1:]), list(form.shape)
        raise UserError(f"{where}: images are {found} (channels first); '{form.name}' needs {needed}.")
    labels = torch.full((len(rows.images),), -1) if rows.labels is None else rows.labels
    low, high = int(labels.min()), int(labels.max())
    if high >= len(form.class_names):
        raise UserError(f"{where}: label {high} is outside 0..{len(form.class_names) - 1}.")
    if low < -1 or low < 0 <= high:
        raise UserError(f"{where}: label {low} is below 0. Only where no image has a label are all of them -1.")
    return labels


def _canonical(images: Tensor, labels: Tensor, seeds: Tensor | None) -> list[int]:
    """The rows in the order that the module describes."""
    keys = [hashlib.sha256(i.numpy().tobytes()).digest() for i in images] if seeds is None else seeds.tolist()
    label_list, seen, places = labels.tolist(), Counter(), []
    for row in sorted(range(len(keys)), key=keys.__getitem__):
        label = label_list[row]
        places.append((seen[label], label, row))
        seen[label] += 1
    return [row for *_, row in sorted(places)]
