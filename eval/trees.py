"""The files of a folder, two levels deep, or of a zip of one: names first, contents when asked for."""

import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from eval.errors import UserError
from eval.rows import is_class
from eval.source_base import shown

Tree = dict[str, Callable[[int], bytes]]  # "0/a.png" -> read(limit in bytes); names with "/" at any system
MAX_NAMES = 200_000  # of all files; images are counted apart


@contextmanager
def opened(path: Path, class_names: tuple[str, ...]) -> Iterator[Tree]:
    """The tree of a folder or a .zip. Hidden files are left out; links to folders are followed, once.

    The one folder that often lies around everything in a .zip is taken off, unless it is that of a class.
    """
    if path.is_dir():
        yield _folder(path)
        return
    try:
        archive = zipfile.ZipFile(path)
    except OSError as error:
        raise UserError(f"{shown(path)} cannot be read ({_reason(error)}).") from None
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        raise UserError(f"{shown(path)} is damaged or not a .zip file.") from None
    with archive:
        tree: Tree = {name: partial(_member, archive, name) for name in _zip_names(path, archive)}
        tops = {name.split("/")[0] for name in tree}
        outer = len(tops) == 1 and all("/" in name for name in tree) and not is_class(*tops, class_names)
        yield {name.partition("/")[2] if outer else name: read for name, read in tree.items()}


def read_file(path: str | Path, limit: int) -> bytes:
    """A regular file of at most `limit` bytes; `UserError` otherwise, without the file's name."""
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):  # reading a pipe would wait for ever
            raise UserError("it is not a regular file.")
        if status.st_size > limit:
            raise UserError(f"it has {status.st_size:,} bytes; at most {limit:,} are read.")
        return Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"it cannot be read ({_reason(error)}).") from None


def _folder(path: Path) -> Tree:
    tree: Tree = {}
    for name in _listed(path):
        if not os.path.isdir(path / name):
            tree[name] = partial(read_file, path / name)
            continue
        for inner in _listed(path / name):
            if os.path.isdir(path / name / inner):
                where = shown(path / name / inner)
                raise UserError(f"{where}: images lie in the folder itself or in class folders, not deeper.")
            tree[f"{name}/{inner}"] = partial(read_file, path / name / inner)
    if len(tree) > MAX_NAMES:
        raise UserError(f"{shown(path)} holds {len(tree):,} files; at most {MAX_NAMES:,} are looked at.")
    return tree


def _listed(path: Path) -> list[str]:
    """Sorted names that are not hidden."""
    try:
        return sorted(name for name in os.listdir(path) if not name.startswith("."))
    except OSError as error:
        raise UserError(f"{shown(path)} cannot be read ({_reason(error)}).") from None


def _zip_names(path: Path, archive: zipfile.ZipFile) -> list[str]:
    names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
    if len(names) > MAX_NAMES:
        raise UserError(f"{shown(path)} holds {len(names):,} files; at most {MAX_NAMES:,} are looked at.")
    parts = {name: name.split("/") for name in names}
    return sorted(n for n in names if parts[n][0] != "__MACOSX" and not any(p.startswith(".") for p in parts[n]))


def _member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """One member; no more than `limit` bytes are ever inflated."""
    try:
        with archive.open(name) as file:
            data = file.read(limit + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError):
        raise UserError("it is damaged or encrypted in the .zip file.") from None
    if len(data) > limit:
        raise UserError(f"it has more than {limit:,} bytes.")
    return data


def _reason(error: OSError) -> str:
    return error.strerror or "damaged"
