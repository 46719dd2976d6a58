"""Outlines of digits as SVG: true curves of the ink, sharp at any size. No gradio."""

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray
from skimage.measure import approximate_polygon, find_contours

from eval.shape import SCALE, enlarge

LEVEL = 127.5  # the edge of the ink
TOLERANCE = 0.03  # pixels of the image that a simplified outline may be off


def outline(grey: NDArray) -> str:
    """uint8 [H, W], 255 = ink -> the closed contours of the ink as the `d` of a path, in pixels of the image.

    The image is enlarged by cubic splines before its level line is followed. Fill it with the rule "evenodd": the
    hole of a 0 is a contour as well.
    """
    large = np.pad(enlarge(np.asarray(grey, np.float64)[None])[0], 1)  # ink at the border closes its contour there
    parts = []
    for contour in find_contours(large, LEVEL):
        line = approximate_polygon((contour - 0.5) / SCALE, TOLERANCE)[:-1]  # its last point is its first
        if len(line) > 2:
            parts.append("M" + "L".join(f"{x:.4g} {y:.4g}" for y, x in line) + "Z")
    return "".join(parts)


Path = tuple[str, float, float, float]  # of an outline: d, x, y, opacity


def document(paths: Sequence[Path], width: float, height: float, title: str, paper: bool = True) -> str:
    """Outlines as an SVG file, black on white; without `paper`, in the colour of the text around it."""
    drawn = "".join(
        f'<path d="{d}" transform="translate({x:g} {y:g})" opacity="{opacity:.3g}"/>' for d, x, y, opacity in paths if d
    )
    back = '<rect width="100%" height="100%" fill="#fff"/>' if paper else ""
    colour = "#000" if paper else "currentColor"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{escape(title)}"><title>{escape(title)}</title>{back}'
        f'<g fill="{colour}" fill-rule="evenodd">{drawn}</g></svg>\n'
    )
