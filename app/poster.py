"""A poster of up to a thousand images: a column a class from light to dark, or a big digit of small ones. No gradio."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from app import sprites, vector
from diffusion_core.checkpoint import Checkpoint
from diffusion_core.errors import UserError
from diffusion_core.generate import generate
from diffusion_core.noise import MAX_SEED

MOST = 1000  # images
CHUNK = 64  # images between two looks at it
DIM = 0.28  # brightness of the images around a big one
ENLARGED = 3  # pixels of the PNG a pixel of the images
INSIDE = 110  # grey level of the big digit from which a cell belongs to it


class Poster(NamedTuple):
    """A poster being drawn: `images` uint8 [N, C, H, W] by cell, row by row, black where none is yet; `light` float
    [N] in 0..1, how bright each is shown; `done` of N are drawn."""

    images: Tensor
    light: NDArray
    columns: int
    done: int


def draw(checkpoint: Checkpoint, columns: int, rows: int, seed: int, number: int | None) -> Iterator[Poster]:
    """The poster again and again while it fills up; the last one has each group of images in order.

    `number`: the big digit; without one, a column a class. `UserError` for an odd size or seed.
    """
    labels, light = plan(checkpoint, columns, rows, seed, number)
    if not 0 <= seed <= MAX_SEED - len(labels):
        raise UserError(f"The seed must be from 0 to {MAX_SEED - len(labels)}, not {seed}.")
    places = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    images = torch.zeros((len(labels), *checkpoint.spec.shape), dtype=torch.uint8)
    for start in range(0, len(labels), CHUNK):
        cells = places[start : start + CHUNK]
        images[cells] = generate(checkpoint, labels[cells], seed + cells, checkpoint.meta.sample)
        yield Poster(images.clone(), light, columns, start + len(cells))
    yield Poster(images[ordered(images, labels, light)], light, columns, len(labels))


def plan(checkpoint: Checkpoint, columns: int, rows: int, seed: int, number: int | None) -> tuple[Tensor, NDArray]:
    """Which class each cell shows, int64 [rows * columns], and how bright, float [rows * columns] in 0..1."""
    if min(columns, rows) < 1 or columns * rows > MOST:
        raise UserError(f"A poster has 1 to {MOST:,} images, not {columns} x {rows}.")
    classes = checkpoint.meta.network.classes
    if number is None:
        of_columns = torch.arange(columns).mul(classes).div(columns, rounding_mode="floor")
        return of_columns.repeat(rows), np.ones(columns * rows)
    if not checkpoint.spec.strokes:
        raise UserError("Only digits spell a big one: choose columns, or a checkpoint that draws digits.")
    big = generate(checkpoint, torch.tensor([number]), torch.tensor([seed]), checkpoint.meta.sample)
    grey = stencil(sprites.arrays(big)[0], columns, rows).ravel()
    drawn = torch.randint(classes - 1, (len(grey),), generator=torch.Generator().manual_seed(seed))
    others = (number + 1 + drawn) % classes
    return torch.where(torch.from_numpy(grey > INSIDE), number, others), DIM + (1 - DIM) * grey / 255


def stencil(tile: NDArray, columns: int, rows: int) -> NDArray:
    """A digit uint8 [H, W] as large as it fits, a cell free around it: float [rows, columns], 255 = ink."""
    ink = np.argwhere(tile > INSIDE)
    (top, left), (bottom, right) = (
        (ink.min(0), ink.max(0)) if len(ink) else ((0, 0), (len(tile) - 1, tile.shape[1] - 1))
    )
    cut = tile[top : bottom + 1, left : right + 1]
    scale = min(max(1, rows - 2) / cut.shape[0], max(1, columns - 2) / cut.shape[1])
    size = max(1, round(cut.shape[1] * scale)), max(1, round(cut.shape[0] * scale))
    small = np.asarray(Image.fromarray(cut).resize(size, Image.Resampling.BICUBIC), np.float64)
    grey, y, x = np.zeros((rows, columns)), (rows - size[1]) // 2, (columns - size[0]) // 2
    grey[y : y + size[1], x : x + size[0]] = small
    return grey


def ordered(images: Tensor, labels: Tensor, light: NDArray) -> Tensor:
    """int64 [N]: which image goes to each cell. Within a label the bolder go to lighter cells, and farther down."""
    ink, order = images.flatten(1).sum(1).numpy(), torch.empty(len(labels), dtype=torch.long)
    for label in labels.unique():
        cells = (labels == label).nonzero().flatten()
        by_light = cells[np.argsort(light[cells], kind="stable")]
        order[by_light] = cells[np.argsort(ink[cells], kind="stable")]
    return order


def picture(poster: Poster) -> NDArray:
    """uint8 [H rows, W columns], or with three channels of colour."""
    grey = sprites.sheet(poster.images, poster.columns, gap=0)
    height, width = poster.images.shape[2:]
    light = poster.light.reshape(-1, poster.columns).repeat(height, 0).repeat(width, 1)
    return (grey * light.reshape(*light.shape, *[1] * (grey.ndim - 2))).astype(np.uint8)


def png(poster: Poster, enlarged: int = ENLARGED) -> bytes:
    """As it is shown, every pixel a square of `enlarged` pixels."""
    return sprites.png(picture(poster).repeat(enlarged, 0).repeat(enlarged, 1))


def svg(poster: Poster) -> str:
    """Outlines, black ink on white paper."""
    paths, (height, width) = [], poster.images.shape[2:]
    for i, tile in enumerate(sprites.arrays(poster.images)):
        row, column = divmod(i, poster.columns)
        grey = tile if tile.ndim == 2 else tile.max(-1)
        paths.append((vector.outline(grey), column * width, row * height, float(poster.light[i])))
    rows = len(poster.images) // poster.columns
    return vector.document(paths, poster.columns * width, rows * height, f"{len(paths):,} images")
