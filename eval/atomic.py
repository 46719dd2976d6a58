"""Files and folders that are there whole or not at all.

Everything is written beside its target under a name that starts with a dot and ends with .tmp, synced
to disk, and renamed.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Gives a path to write to; it becomes `path` when the block ends well and vanishes otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = _beside(path)
    try:
        yield beside
        sync(beside)
        os.replace(beside, path)
        sync(path.parent)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Gives a new folder to fill; it becomes `path`, in place of an older one, when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = _beside(path)
    try:
        beside.mkdir()
        yield beside
        for file in beside.iterdir():
            sync(file)
        sync(beside)
        _take_place(beside, path)
        sync(path.parent)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _take_place(new: Path, path: Path) -> None:
    """Rename `new` to `path`. An older folder there moves away first and returns if that fails."""
    older = _beside(path.with_name(f"{path.name}.old"))
    if not path.exists():
        os.rename(new, path)
        return
    os.rename(path, older)
    try:
        os.rename(new, path)
    except OSError:
        os.rename(older, path)
        raise
    shutil.rmtree(older, ignore_errors=True)


def sync(path: Path) -> None:
    """Ask the disk to keep a file's or a folder's content."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")
