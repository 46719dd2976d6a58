"""`python -m app dataset`: gets the images of a data set into data/, or makes a data set of any folder of images."""

import argparse
import json
import tempfile
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

from diffusion_core.errors import UserError

SIZES = (28, 32, 64)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Everything but --json."""
    parser.add_argument("name", nargs="?", help="a known data set, or a new name (nothing: say which there are)")
    parser.add_argument(
        "--take", type=Path, metavar="FOLDER", help="images that you have: class folders, zips, IDX files"
    )
    parser.add_argument("--size", type=int, choices=SIZES, default=32, help="pixels a side of a new one (default: 32)")
    parser.add_argument("--grey", action="store_true", help="a new one in grey (default: in colour)")
    parser.add_argument("--flip", action="store_true", help="a mirror image of a new one is as good as the image")
    parser.add_argument("--noun", default="image", help='what an image of a new one shows, such as "flower"')


def dataset(arguments: Namespace) -> dict:
    """Run it; returns what there is now."""
    if arguments.name is None:
        return listing(arguments)
    from app import taking
    from app.terminal import Bar, say
    from diffusion_core.data import DATASETS, NAME

    known = DATASETS.get(arguments.name)
    if not known and not NAME.fullmatch(arguments.name):
        raise UserError("A data set's name is made of small letters, digits, - and _, 40 at most.")
    if not known and not arguments.take:
        raise UserError(f"There is no data set '{arguments.name}'. Make it of a folder of images: --take FOLDER.")
    with Bar(arguments, "reading") as progress:
        if arguments.take:
            taken = taking.take(arguments.take, known, arguments.size, arguments.grey, progress)
        else:
            with tempfile.TemporaryDirectory() as folder:
                taken = taking.download(known, Path(folder))
    entry = described(arguments, known, taken)
    folder = write(entry, taken)
    counts = {split: len(part.labels) for split, part in taken.parts.items()}
    say(arguments, f"{counts['train']:,} images to train on and {counts['test']:,} to test on: {folder}")
    if entry.origin:
        say(arguments, f"They are {entry.origin}.")
    say(arguments, f"Train on them: python -m app train --preset {entry.name}")
    return {"name": entry.name, "folder": str(folder), "class_names": list(entry.class_names), **counts}


def listing(arguments: Namespace) -> dict:
    """Every known data set, and whether its images are here."""
    from app.terminal import say
    from diffusion_core.data import DATASETS, own, present, spec

    found = []
    for name in (*DATASETS, *own()):
        entry, here = spec(name), present(name)
        channels, height, width = entry.shape
        kind = "grey" if channels == 1 else "colour"
        state = "here" if here else f"not here (python -m app dataset {name})"
        say(arguments, f"{name}: {len(entry.class_names)} classes, {height}x{width} {kind}, {state}")
        found.append({"name": name, "here": here, "class_names": list(entry.class_names), "shape": list(entry.shape)})
    return {"datasets": found}


def described(arguments: Namespace, known, taken):
    """The entry of what was taken: a known one with its origin, or a new one with everything measured."""
    from diffusion_core.data import DataSpec, checked

    if known:
        return replace(known, origin=taken.origin)
    images = taken.parts["train"].images
    mean, std = scale(images)
    shape = (1 if images.ndim == 3 else 3, *images.shape[1:3])
    return checked(
        DataSpec(
            arguments.name, taken.class_names, shape, round(mean, 4), round(std, 4), noun=arguments.noun,
            flip=arguments.flip, origin=taken.origin,
        )
    )  # fmt: skip


def scale(images) -> tuple[float, float]:
    """Mean and standard deviation of all pixels, uint8, in [0, 1]; by counting: no copy as floats is made."""
    import torch

    counts, grey = images.flatten().bincount(minlength=256).double(), torch.arange(256).double() / 255
    mean = (counts * grey).sum() / counts.sum()
    return float(mean), float(((counts * (grey - mean).square()).sum() / counts.sum()).sqrt())


def write(entry, taken) -> Path:
    """data/NAME with the four files and, unless they are the published ones, the entry; whole or not at all."""
    from diffusion_core.config import to_dict
    from diffusion_core.data import DATA, DATASETS, ENTRY, SPLITS
    from diffusion_core.idx import checksum, idx_bytes
    from eval.atomic import atomic_folder

    if entry.name == "mnist":
        raise UserError("MNIST is part of this project and never replaced. Give the copy another name.")
    sums = {}
    with atomic_folder(DATA / entry.name) as folder:
        for split, part in taken.parts.items():
            for what, values in (("images", part.images), ("labels", part.labels)):
                raw = idx_bytes(values)
                stem = f"{SPLITS[split]}-{what}-idx{values.ndim}-ubyte"
                (folder / stem).write_bytes(raw)
                sums[stem] = checksum(raw)
        if DATASETS.get(entry.name) is None or sums != entry.md5:
            text = json.dumps(to_dict(replace(entry, md5=sums)), indent=1)
            (folder / ENTRY).write_text(text + "\n")
    return DATA / entry.name
