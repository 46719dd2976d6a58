"""Training runs as they lie on disk: the columns of their logs, and the sample grids. No gradio."""

import json
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from app import looks
from diffusion_core.errors import UserError
from diffusion_core.fit import GRIDS, LOG

ALIVE = 60.0  # seconds since the last line of a log within which a run is taken to be going on
QUARTERS = {"loss_q1": "least noise", "loss_q2": "less", "loss_q3": "more", "loss_q4": "most noise"}


class Run(NamedTuple):
    """A log's columns, float64 [lines] each (NaN where a line says null), and its grids (images seen, file)."""

    name: str
    columns: dict[str, np.ndarray]
    grids: tuple[tuple[int, Path], ...]
    written: float  # when the log was, Unix time
    looks: tuple[dict, ...] = ()  # what the judges made of its images, in order (`looks.py`)

    @property
    def going_on(self) -> bool:
        return time.time() - self.written < ALIVE

    @property
    def images(self) -> int:
        return int(self.columns["images"][-1])


def read(folder: Path) -> Run:
    """The run in `folder`; `UserError` where its log cannot be read. A last line still being written is left out."""
    log = folder / LOG
    lines = log.read_text(encoding="utf-8").split("\n")[:-1]
    try:
        rows = [json.loads(line) for line in lines]
        names = ("images", "seconds", "loss", *QUARTERS, "grad_norm", "lr", "reward")
        columns = {name: np.array([row.get(name) for row in rows], dtype=np.float64) for name in names}
    except (ValueError, TypeError, AttributeError):
        raise UserError(f"The log of {folder.name} is damaged: {LOG} is not one JSON object a line.") from None
    if not rows:
        raise UserError(f"The log of {folder.name} has no line yet. Wait for its first {LOG} entry.")
    grids = sorted((int(path.stem), path) for path in (folder / GRIDS).glob("*.png") if path.stem.isdigit())
    return Run(folder.name, columns, tuple(grids), log.stat().st_mtime, tuple(looks.read(folder)))


def smoothed(values: np.ndarray, share: float) -> np.ndarray:
    """Running average with weight `share` in [0, 1) on the past, unbiased at the start; NaN is passed over."""
    result, total, weight = np.full(len(values), np.nan), 0.0, 0.0
    for i, value in enumerate(values):
        if np.isfinite(value):
            total, weight = share * total + (1 - share) * value, share * weight + (1 - share)
        if weight:
            result[i] = total / weight
    return result


def film(run: Run, thresholds: list[int]) -> list[np.ndarray]:
    """For each number of images seen, the newest grid [H, W(, 3)] that the run had made by then."""
    pictures = {}
    found = []
    for threshold in thresholds:
        images, path = max((g for g in run.grids if g[0] <= threshold), default=run.grids[0])
        if images not in pictures:
            pictures[images] = np.asarray(Image.open(path))
        found.append(pictures[images])
    return found
