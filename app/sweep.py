"""The settings tried on a checkpoint, as its `sweep.csv` lists them. No gradio."""

import csv
from pathlib import Path
from typing import NamedTuple

from diffusion_core.errors import UserError

SWEEP = "sweep.csv"
COLUMNS = ("setting", "n", "accuracy", "fd", "precision", "recall", "density", "coverage")
REAL_ROW = "real test digits"  # in the file, whatever its data set


class Setting(NamedTuple):
    """One row: what was set, how many images were drawn, and two of their scores in [0, 1]."""

    title: str
    n: int
    accuracy: float
    recall: float


class Sweep(NamedTuple):
    """Every setting in the order of the file, and as many real test images under the same judges."""

    real: Setting
    tried: tuple[Setting, ...]


def read(folder: Path) -> Sweep:
    """The sweep in `folder`; `UserError` names the line that is damaged."""
    try:
        with open(folder / SWEEP, encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
    except (OSError, ValueError, csv.Error) as error:
        raise _damaged(folder, f"it is no CSV file ({type(error).__name__})") from None
    if tuple(header) != COLUMNS:
        raise _damaged(folder, f"its first line must be {','.join(COLUMNS)}")
    settings = [_setting(folder, line, row) for line, row in enumerate(rows, 2)]
    if not settings or settings[0].title != REAL_ROW:
        raise _damaged(folder, f"its first row must be '{REAL_ROW}'")
    return Sweep(settings[0], tuple(settings[1:]))


def _setting(folder: Path, line: int, row: list[str]) -> Setting:
    try:
        said = dict(zip(COLUMNS, row, strict=True))
        found = Setting(said["setting"], int(said["n"]), float(said["accuracy"]), float(said["recall"]))
    except ValueError:
        raise _damaged(folder, f"line {line} does not hold {len(COLUMNS)} values of the right kind") from None
    if found.n < 1 or not (0 <= found.accuracy <= 1 and 0 <= found.recall <= 1):
        raise _damaged(folder, f"line {line} needs n of 1 or more, accuracy and recall between 0 and 1")
    return found


def _damaged(folder: Path, why: str) -> UserError:
    return UserError(f"The settings tried on {folder.name} are not shown: {SWEEP} is damaged, {why}.")
