"""Small pictures for the report page: images from one PNG, interval bars and curves as SVG. Text in them is escaped."""

import base64
import io
import math
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup, escape
from PIL import Image
from torch import Tensor

from eval.metrics import Estimate

COLUMNS = 40  # images a row of the sprite
LARGE = 56  # pixels of the page that a large tile is about as wide as
BAR, TALL = 92, 16  # pixels of an interval bar


class Sprite:
    """Images as one PNG in the page's style sheet; a tile shows its part of it, at any whole multiple of its size."""

    def __init__(self, on_paper: bool = False):
        """`on_paper`: grey images are ink on paper, which is white where the page is light; others stay as they are."""
        self.on_paper = on_paper
        self.tiles: list[np.ndarray] = []

    def tile(self, image: Tensor, says: str) -> Markup:
        """Adds uint8 [C, H, W] and returns the element that shows it. `says` is read to those who cannot see it."""
        pixels = image.permute(1, 2, 0).numpy()
        self.tiles.append(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
        y, x = divmod(len(self.tiles) - 1, COLUMNS)
        return Markup('<i class="px" role="img" aria-label="{}" title="{}" style="--x:{};--y:{}"></i>').format(
            says, says, x, y
        )

    def css(self) -> Markup:
        """The rule that gives every tile its pixels; nothing where there is no tile."""
        if not self.tiles:
            return Markup("")
        height, width = self.tiles[0].shape[:2]
        rows = -(-len(self.tiles) // COLUMNS)
        sheet = np.zeros((rows * height, COLUMNS * width, *self.tiles[0].shape[2:]), np.uint8)
        for i, pixels in enumerate(self.tiles):
            y, x = divmod(i, COLUMNS)
            sheet[y * height : (y + 1) * height, x * width : (x + 1) * width] = pixels
        ink = "--ink:invert(1);--ink-blend:multiply;--dark-blend:screen" if self.on_paper and sheet.ndim == 2 else ""
        size = f":root{{--w:{width};--h:{height};--columns:{COLUMNS};--zoom:{max(1, round(LARGE / width))};{ink}}}"
        return Markup(f'{size}.px{{background-image:url("{_png(sheet)}")}}')


def _png(pixels: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


# ---------------------------------------------------------------- intervals


def axis(entries: Sequence[Estimate], unit: str) -> tuple[float, float]:
    """Where bars of these estimates begin and end. Shares end at 1, and begin at 0, .6, .8 or .9, below them all."""
    found = [e for e in entries if e.value is not None]
    lows = [e.value if e.low is None else e.low for e in found]
    highs = [e.value if e.high is None else e.high for e in found]
    if unit == "%":
        return next((start for start in (0.9, 0.8, 0.6) if lows and min(lows) > start), 0.0), 1.0
    low, high = min(lows, default=0.0), max(highs, default=1.0)
    room = 0.08 * (high - low) or 1.0
    return low - room, high + room


def interval(entry: Estimate, real: Estimate | None, ends: tuple[float, float], says: str) -> Markup:
    """A bar from `ends[0]` to `ends[1]`: the 95 % interval, a dot for the value, a tall stroke for real images."""
    if entry.value is None:
        return Markup("")

    def x(value: float) -> float:
        at = (value - ends[0]) / (ends[1] - ends[0])
        return round(4 + (BAR - 8) * min(max(at, 0.0), 1.0), 1)

    parts = [f'<path class="track" d="M4 {TALL / 2}H{BAR - 4}"/>']
    if entry.low is not None:
        parts.append(f'<path class="span" d="M{x(entry.low)} {TALL / 2}H{x(entry.high)}"/>')
    if real is not None and real.value is not None:
        parts.append(f'<path class="real" d="M{x(real.value)} 2V{TALL - 2}"/>')
    parts.append(f'<circle class="dot" cx="{x(entry.value)}" cy="{TALL / 2}" r="3"/>')
    return Markup(
        f'<svg class="bar" width="{BAR}" height="{TALL}" viewBox="0 0 {BAR} {TALL}" role="img" '
        f'aria-label="{escape(says)}">{"".join(parts)}</svg>'
    )


# ---------------------------------------------------------------- the curve of recognition

WIDE, HIGH = 460, 250
LEFT, RIGHT, TOP, BOTTOM = 40, 8, 12, 44


def curve(section: dict, says: str) -> Markup:
    """Share of images read as the class asked for, by denoising step: `recognised`, and `for_good` with its band."""
    sigmas, overall = section["sigmas"], section["overall"]
    steps = len(sigmas)

    def x(step: float) -> float:
        return round(LEFT + (WIDE - LEFT - RIGHT) * step / steps, 1)

    def y(share: float) -> float:
        return round(TOP + (HIGH - TOP - BOTTOM) * (1 - share), 1)

    def line(entries: Sequence[dict], kind: str) -> str:
        points = [f"{x(k)},{y(e['value'])}" for k, e in enumerate(entries) if e["value"] is not None]
        return f'<polyline class="{kind}" points="{" ".join(points)}"/>'

    parts = [f'<path class="grid" d="M{LEFT} {y(s)}H{WIDE - RIGHT}"/>' for s in (0, 0.5, 1)]
    parts += [f'<text class="end" x="{LEFT - 6}" y="{y(s) + 4}">{s:.0%}</text>' for s in (0, 0.5, 1)]
    every = max(1, math.ceil(steps / 8))
    for k in range(0, steps - every // 2, every):
        parts.append(f'<text class="mid" x="{x(k)}" y="{HIGH - BOTTOM + 16}">{sigmas[k]:.2g}</text>')
    parts.append(f'<text class="mid" x="{x(steps) - 10}" y="{HIGH - BOTTOM + 16}">done</text>')
    parts.append(f'<text class="mid" x="{x(steps / 2)}" y="{HIGH - 6}">noise level σ, falling step by step</text>')
    parts += [line(curves["for_good"], "class") for curves in section.get("per_class", {}).values()]
    parts += [_band(overall["for_good"], x, y), line(overall["recognised"], "now"), line(overall["for_good"], "good")]
    step = overall["t50"]["step"]
    if step is not None:
        parts.append(f'<path class="half" d="M{x(step)} {TOP}V{HIGH - BOTTOM}"/>')
        parts.append(f'<circle class="dot" cx="{x(step)}" cy="{y(overall["for_good"][step]["value"])}" r="4"/>')
    return Markup(
        f'<svg class="curve" viewBox="0 0 {WIDE} {HIGH}" role="img" aria-label="{escape(says)}">{"".join(parts)}</svg>'
    )


def _band(entries: Sequence[dict], x, y) -> str:
    """The 95 % interval of each step as one area."""
    found = [(k, e) for k, e in enumerate(entries) if e["low"] is not None]
    over = [f"{x(k)},{y(e['high'])}" for k, e in found]
    under = [f"{x(k)},{y(e['low'])}" for k, e in reversed(found)]
    return f'<polygon class="band" points="{" ".join(over + under)}"/>'
