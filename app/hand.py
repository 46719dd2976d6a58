"""A date, a phone number or a plate in one hand: digits from one noise, and signs as thick as they are. No gradio."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app import sprites, strokes, vector
from diffusion_core.checkpoint import Checkpoint
from diffusion_core.errors import UserError
from diffusion_core.generate import inverted
from diffusion_core.interpolate import one_hand
from diffusion_core.noise import MAX_WRITTEN, Noise
from eval.shape import measure

VARIATION = 0.15  # two 7s differ and are of one hand
STEPS = 12  # of Heun's method from an example to its noise: twice as many bring it back no better (docs/play.md)
GAP, MARGIN = 5, 6  # pixels between two signs, and around the line
FAINT = 60  # grey levels; a column without more is outside of a digit
ENLARGED = 8  # pixels of the PNG a pixel of the digits
SIGNS = "".join(strokes.STROKES)


class Line(NamedTuple):
    """What was written: the digits uint8 [N, C, 28, 28], the signs in their order, and the whole uint8 [H, W]."""

    text: str
    digits: Tensor
    whole: NDArray


def checked(text) -> str:
    """Text of digits and signs, blanks at the ends taken off. `UserError` for any other."""
    text = text.strip() if isinstance(text, str) else ""
    if not 0 < len(text) <= MAX_WRITTEN:
        raise UserError(f"Write 1 to {MAX_WRITTEN} characters, such as 17.05.2026.")
    odd = next((c for c in text if not (c.isascii() and c.isdigit()) and c not in SIGNS), None)
    if odd is not None:
        said = "letters cannot be written, the model knows digits" if odd.isalpha() else "it cannot be written"
        name = odd if odd.isprintable() else "A control character"
        raise UserError(f"{name}: {said}. Use digits, blanks and {' '.join(SIGNS.strip())}")
    if not any(c.isdigit() for c in text):
        raise UserError("Write at least one digit.")
    return text


def style_of_seed(seed: int, shape: tuple[int, int, int]) -> Tensor:
    """The noise float [1, C, H, W] of a hand that nobody has."""
    return Noise(torch.tensor([seed])).normal(*shape)


def style_of_example(checkpoint: Checkpoint, image: Tensor, label: int, seed: int) -> Tensor:
    """The noise float [1, C, H, W] that an example, uint8 [1, C, H, W] of the digit `label`, comes from."""
    labels, seeds = torch.tensor([label]), torch.tensor([seed])
    return inverted(checkpoint, image, labels, seeds, checkpoint.meta.sample, STEPS)


def write(checkpoint: Checkpoint, text: str, style: Tensor, seed: int, variation: float) -> Line:
    """A checked text in the hand `style`."""
    labels = torch.tensor([int(c) for c in text if c.isdigit()])
    digits = one_hand(checkpoint, labels, style, seed, variation)
    return Line(text, digits, composed(text, digits))


def composed(text: str, digits: Tensor) -> NDArray:
    """The line uint8 [28 + margins, W]: every digit cut to its columns, the signs as thick and slanted as they are."""
    shape = measure(digits)
    thickness, slant = float(shape["thickness"].median()), float(shape["slant"].median())
    drawn = iter(sprites.arrays(digits))
    parts = [_cut(next(drawn)) if c.isdigit() else strokes.sign(c, max(1.5, thickness), slant) for c in text]
    gap = np.zeros((strokes.SIDE, GAP), np.uint8)
    line = np.concatenate([part for pair in zip([gap] * len(parts), parts, strict=True) for part in pair][1:], axis=1)
    return np.pad(line, MARGIN)


def _cut(tile: NDArray) -> NDArray:
    """The columns of a digit that hold ink; all of them where none does."""
    grey = tile if tile.ndim == 2 else tile.max(-1)
    columns = np.flatnonzero(grey.max(0) > FAINT)
    return grey[:, columns[0] : columns[-1] + 1] if len(columns) else grey


def png(line: Line) -> bytes:
    """Black ink on white paper, every pixel a square."""
    return sprites.png((255 - line.whole).repeat(ENLARGED, 0).repeat(ENLARGED, 1))


def svg(line: Line, paper: bool = True) -> str:
    """Its outlines; see `vector.document`."""
    height, width = line.whole.shape
    return vector.document([(vector.outline(line.whole), 0, 0, 1)], width, height, line.text, paper)
