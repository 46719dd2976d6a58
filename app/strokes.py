"""What stands between digits in dates, numbers and plates: space . - / : +, drawn with a hand's thickness and slant.

The model knows digits only, so these are strokes with round ends, greyed at the edge by their distance to it.
"""

import numpy as np
from numpy.typing import NDArray

SIDE = 28  # of a digit's image; its box is MNIST's 20 pixels, from row 4 to row 24
TOP, MIDDLE, BOTTOM = 4.0, 14.0, 24.0
SPACE = 8  # columns of a blank
# Strokes of a sign: (x, y) to (x, y), x in pixels right of its left end; points are strokes of no length.
STROKES = {
    " ": (),
    ".": (((0, BOTTOM - 1), (0, BOTTOM - 1)),),
    ":": (((0, MIDDLE - 4), (0, MIDDLE - 4)), ((0, MIDDLE + 4), (0, MIDDLE + 4))),
    "-": (((0, MIDDLE), (7, MIDDLE)),),
    "/": (((0, BOTTOM - 0.5), (7, TOP + 0.5)),),
    "+": (((0, MIDDLE), (9, MIDDLE)), ((4.5, MIDDLE - 4.5), (4.5, MIDDLE + 4.5))),
}


def sign(character: str, thickness: float, slant: float) -> NDArray:
    """uint8 [28, W] of one of STROKES, 255 = ink; `thickness` in pixels, `slant` in radians, positive to the right."""
    strokes, half = STROKES[character], thickness / 2
    if not strokes:
        return np.zeros((SIDE, SPACE), np.uint8)
    lean = np.tan(slant)
    ends = [[(x + (MIDDLE - y) * lean, y) for x, y in stroke] for stroke in strokes]
    left = min(x for stroke in ends for x, _ in stroke) - half - 1
    width = int(np.ceil(max(x for stroke in ends for x, _ in stroke) + half + 1 - left))
    y, x = np.mgrid[:SIDE, :width] + 0.5
    ink = np.max([half - _distance(x + left, y, *stroke) for stroke in ends], axis=0)
    return np.round(255 * np.clip(ink + 0.5, 0, 1)).astype(np.uint8)


def _distance(x: NDArray, y: NDArray, a: tuple[float, float], b: tuple[float, float]) -> NDArray:
    """From each pixel to the segment from a to b."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    length = dx * dx + dy * dy
    t = np.clip(((x - a[0]) * dx + (y - a[1]) * dy) / length, 0, 1) if length else 0.0
    return np.hypot(x - a[0] - t * dx, y - a[1] - t * dy)
