"""Images of a data set from wherever somebody has them: torchvision's download, IDX files, folders of classes, zips.

What is published as IDX or comes from torchvision is checked against the published checksums. Folders of images are
decoded, cut to a square and resized, so they may be a re-encoding of what was published: `origin` says so, and stands
beside every number that comes of them.
"""

import io
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from diffusion_core.data import MOST_CLASSES, SPLITS, DataSpec
from diffusion_core.errors import UserError
from diffusion_core.idx import read_idx
from eval.source_base import shown
from eval.trees import Tree, opened

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
MOST_BYTES = 64 << 20  # of one file
HELD_OUT = 6  # every so many images of a class are for testing where nobody said which
TORCHVISION = {"mnist": "MNIST", "fashion": "FashionMNIST", "cifar10": "CIFAR10"}
Progress = Callable[[int, int], None]


class Part(NamedTuple):
    """A split: images uint8 [N, H, W] or [N, H, W, 3], labels uint8 [N]."""

    images: Tensor
    labels: Tensor


class Taken(NamedTuple):
    """Both splits and what is known of them; `origin` is empty where they are the published images to the bit."""

    parts: dict[str, Part]
    class_names: tuple[str, ...]
    origin: str


def download(entry: DataSpec, folder: Path) -> Taken:
    """By torchvision, into `folder`; `UserError` with the other way where that fails."""
    if entry.name not in TORCHVISION:
        raise UserError(f"'{entry.name}' cannot be downloaded. Give its images: --take FOLDER.")
    try:
        return _torchvision(entry, folder, download=True)
    except Exception as error:  # network, mirrors, disk: torchvision and urllib raise many kinds
        reason = " ".join(str(error).split())[:160]
        raise UserError(
            f"'{entry.name}' cannot be downloaded ({reason}). Try again with a network, or give a folder or zip files "
            f"that you have: python -m app dataset {entry.name} --take FOLDER."
        ) from None


def take(path: Path, entry: DataSpec | None, size: int, grey: bool, progress: Progress | None = None) -> Taken:
    """From a folder of somebody's; `entry` is that of a known data set, whose form the images must have or get.

    IDX files (also where torchvision leaves them); torchvision's own folder of CIFAR-10; or `train` and `test`, each a
    folder or .zip of class folders; or one folder or .zip of class folders, of which every sixth image is for testing.
    """
    if not path.exists():
        raise UserError(f"There is no {shown(path)}.")
    if found := idx_folder(path):
        return _idx(found, entry)
    if entry and (path / "cifar-10-batches-py").is_dir():
        return _torchvision(entry, path, download=False)
    return _classes(path, entry, size, grey, progress)


def idx_folder(path: Path) -> Path | None:
    """Where under `path` the IDX files lie, if they do."""
    places = (path, path / "raw", *sorted(path.glob("*/raw"))) if path.is_dir() else ()
    return next((place for place in places if any(place.glob("train-images-idx[34]-ubyte*"))), None)


def _idx(folder: Path, entry: DataSpec | None) -> Taken:
    parts = {}
    channels = 3 if any(folder.glob("train-images-idx4-ubyte*")) else 1
    md5 = entry.md5 if entry else None
    for split, prefix in SPLITS.items():
        images = read_idx(folder, f"{prefix}-images-idx{3 if channels == 1 else 4}-ubyte", md5)
        parts[split] = Part(images, read_idx(folder, f"{prefix}-labels-idx1-ubyte", md5))
    most = max(int(part.labels.max()) for part in parts.values())
    names = entry.class_names if entry else tuple(map(str, range(most + 1)))
    return Taken(parts, names, "" if md5 else "IDX files of somebody's own")


def _torchvision(entry: DataSpec, folder: Path, download: bool) -> Taken:
    """Verified and read by torchvision, which knows the published checksums."""
    from torchvision import datasets

    known, parts = getattr(datasets, TORCHVISION[entry.name]), {}
    for split in SPLITS:
        try:
            found = known(str(folder), train=split == "train", download=download)
        except RuntimeError as error:
            raise UserError(f"{shown(folder)}: {' '.join(str(error).split())[:160]}") from None
        images = found.data if isinstance(found.data, Tensor) else torch.from_numpy(found.data)
        parts[split] = Part(images, torch.as_tensor(found.targets, dtype=torch.uint8))
    return Taken(parts, entry.class_names, "")


# ---------------------------------------------------------------- folders of classes


def _classes(path: Path, entry: DataSpec | None, size: int, grey: bool, progress: Progress | None) -> Taken:
    shape = entry.shape if entry else (1 if grey else 3, size, size)
    halves = {split: next((p for p in (path / split, path / f"{split}.zip") if p.exists()), None) for split in SPLITS}
    if None in halves.values():
        halves = {"all": path}
    trees, names = {}, set()
    for half, where in halves.items():
        with opened(where, entry.class_names if entry else ()) as tree:
            listed = {name: read for name, read in tree.items() if name.lower().endswith(SUFFIXES)}
            names |= {name.split("/")[0] for name in listed if "/" in name}
            trees[half] = _decoded(where, listed, shape, progress)
    class_names = _ordered(names, entry, path)
    labelled = {half: _labelled(found, class_names) for half, found in trees.items()}
    if "all" in labelled:
        labelled = _divided(labelled["all"], class_names)
    kinds = Counter(kind for found in trees.values() for _, kind, _ in found)
    origin = (
        f"{kinds.most_common(1)[0][0].upper()} files in class folders, a re-encoding of the published images"
        if entry
        else ""
    )
    return Taken({split: _mixed(part) for split, part in labelled.items()}, class_names, origin)


def _decoded(where: Path, tree: Tree, shape: tuple[int, int, int], progress: Progress | None) -> list:
    """(class folder, kind of file, pixels uint8) of every image; `UserError` that names a file which is none."""
    found = []
    for i, (name, read) in enumerate(sorted(tree.items())):
        folder, _, file = name.partition("/")
        if not file:
            raise UserError(f"{shown(where)}: {shown(name)} lies in no class folder.")
        try:
            pixels = fitted(read(MOST_BYTES), shape)
        except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
            raise UserError(
                f"{shown(where)}: {shown(name)} is no image ({' '.join(str(error).split())[:80]})."
            ) from None
        found.append((folder, Path(file).suffix.lower().lstrip(".").replace("jpg", "jpeg"), pixels))
        if progress and i % 100 == 0:
            progress(i, len(tree))
    if not found:
        raise UserError(f"{shown(where)} holds no class folders of images ({', '.join(SUFFIXES)}).")
    return found


def fitted(raw: bytes, shape: tuple[int, int, int]) -> np.ndarray:
    """An image file -> uint8 [H, W] or [H, W, 3]: as it is where it fits, else its middle square, resized."""
    with Image.open(io.BytesIO(raw)) as file:
        image = ImageOps.exif_transpose(file).convert("L" if shape[0] == 1 else "RGB")
    if image.size != (shape[2], shape[1]):
        image = ImageOps.fit(image, (shape[2], shape[1]), Image.Resampling.LANCZOS)
    return np.asarray(image)


def _ordered(names: set[str], entry: DataSpec | None, path: Path) -> tuple[str, ...]:
    """The class names in their order: that of the entry, or numbers by value and words by the alphabet."""
    if entry:
        if odd := sorted(names ^ set(entry.class_names)):
            raise UserError(f"{shown(path)}: the class folders of '{entry.name}' are not these ({shown(odd[0])}).")
        return entry.class_names
    if len(names) < 2:
        raise UserError(f"{shown(path)} needs a folder for each of at least two classes.")
    if len(names) > MOST_CLASSES:
        raise UserError(f"{shown(path)} has {len(names)} class folders; at most {MOST_CLASSES} are told apart.")
    return tuple(sorted(names, key=lambda name: [(not t.isdigit(), int(t) if t.isdigit() else 0, t)
                                                 for t in re.split(r"(\d+)", name) if t]))  # fmt: skip


def _labelled(found: list, class_names: tuple[str, ...]) -> Part:
    labels = torch.tensor([class_names.index(folder) for folder, _, _ in found], dtype=torch.uint8)
    return Part(torch.from_numpy(np.stack([pixels for _, _, pixels in found])), labels)


def _divided(part: Part, class_names: tuple[str, ...]) -> dict[str, Part]:
    """Every sixth image of each class, drawn by a fixed seed, for testing."""
    rng, test = torch.Generator().manual_seed(0), torch.zeros(len(part.labels), dtype=torch.bool)
    for label, name in enumerate(class_names):
        rows = (part.labels == label).nonzero()[:, 0]
        if len(rows) < HELD_OUT:
            raise UserError(f"Class '{shown(name)}' has {len(rows)} images; at least {HELD_OUT} are needed.")
        test[rows[torch.randperm(len(rows), generator=rng)[: len(rows) // HELD_OUT]]] = True
    return {split: Part(part.images[rows], part.labels[rows]) for split, rows in (("train", ~test), ("test", test))}


def _mixed(part: Part) -> Part:
    """In an order of chance, by a fixed seed: judges hold out the last images, which must be of all classes."""
    order = torch.randperm(len(part.labels), generator=torch.Generator().manual_seed(0))
    return Part(part.images[order], part.labels[order])
