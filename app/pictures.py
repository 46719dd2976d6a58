"""The images of a report as thumbnails; blanks for real ones that are not on this machine. No gradio."""

import numpy as np
import torch
from torch import Tensor

from app import classes, markup, sprites
from eval.forms import form
from eval.report import Report

HATCH, GROUND = 150, 120  # grey levels of a blank, seen on light and dark


def pictures(report: Report, rows: np.ndarray | slice | list[int]) -> list[str]:
    """A data URI for each of `rows`."""
    if report.images is not None:
        return sprites.thumbnails(report.images[rows])
    return [sprites.thumbnails(blank(report.source.dataset))[0]] * len(report.table.iloc[rows])


def blank(dataset: str) -> Tensor:
    """A hatched square of the size of a data set's images, uint8 [1, 1, H, W]."""
    height, width = form(dataset).shape[1:]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.where((x + y) % 8 < 2, HATCH, GROUND).to(torch.uint8)[None, None]


def note(report: Report) -> str:
    """As HTML, why the images are blanks, and what to do; "" where they are not."""
    return markup.note(classes.away(report.source.dataset)) if report.images is None else ""
