"""A pad to draw on with mouse, pen or finger: what was drawn, read on the server with distrust. No gradio.

The browser keeps the strokes; `reading(...)` is the JavaScript that puts them among the values of a click.
"""

import base64
import binascii
import io
from html import escape

import numpy as np
from PIL import Image, UnidentifiedImageError

from diffusion_core.errors import UserError

SIDE = 280  # of the canvas; ten times that of a digit, so that strokes have soft edges
MAX_TEXT = 400_000  # characters of a drawing as a data: URI; strokes need a tenth
HEAD = "data:image/png;base64,"
BOX = 20  # MNIST's digits fill a square of 20 pixels in one of 28, their centre of mass in its middle

# Strokes are white on nothing. A line a move, a dot a click; Clear, and a new value, leave an empty canvas.
SCRIPT = """
let last = null;
const at = (event) => {
  const box = event.target.getBoundingClientRect();
  return [(event.clientX - box.left) * event.target.width / box.width,
          (event.clientY - box.top) * event.target.height / box.height];
};
const stroke = (canvas, from, to) => {
  const ink = canvas.getContext('2d');
  ink.strokeStyle = canvas.dataset.colour;
  ink.lineWidth = Number(canvas.dataset.width);
  ink.lineCap = ink.lineJoin = 'round';
  ink.beginPath(); ink.moveTo(...from); ink.lineTo(...to); ink.stroke();
  canvas.parentElement.classList.add('drawn');
};
element.addEventListener('pointerdown', (event) => {
  if (!event.target.matches('canvas')) return;
  event.preventDefault();
  event.target.setPointerCapture(event.pointerId);
  last = at(event);
  stroke(event.target, last, last);
});
element.addEventListener('pointermove', (event) => {
  if (!last || !event.target.matches('canvas')) return;
  const now = at(event);
  stroke(event.target, last, now);
  last = now;
});
['pointerup', 'pointercancel'].forEach((kind) => element.addEventListener(kind, () => { last = null; }));
element.addEventListener('click', (event) => {
  if (!event.target.closest('[data-clear]')) return;
  const canvas = element.querySelector('canvas');
  canvas.getContext('2d').clearRect(0, 0, canvas.width, canvas.height);
  canvas.parentElement.classList.remove('drawn');
});
"""


def pad(label: str, hint: str, under: str = "", width: int = 24, colour: str = "#fff") -> str:
    """The canvas; `under` is the data: URI of an image below it, `width` that of a stroke, of 280."""
    below = f' style="background-image:url({under})"' if under else ""
    return (
        f'<div class="pad"><div class="pad-ground"{below}><canvas width="{SIDE}" height="{SIDE}" data-width="{width}" '
        f'data-colour="{colour}" role="img" aria-label="{escape(label)}"></canvas><span aria-hidden="true">'
        f'{escape(hint)}</span></div><button type="button" class="quiet" data-clear>Clear</button></div>'
    )


def reading(places: dict[int, str]) -> str:
    """JavaScript for a click: `places` maps the number of an input to the id of the pad that fills it."""
    lines = "".join(
        f"values[{i}] = document.querySelector('#{name} canvas')?.toDataURL('image/png') ?? '';"
        for i, name in places.items()
    )
    return f"(...values) => {{ {lines} return values; }}"


def strokes(text) -> np.ndarray:
    """What was drawn as ink float [SIDE, SIDE] in [0, 1]; `UserError` for anything that no pad sends."""
    if not isinstance(text, str) or not text.startswith(HEAD) or len(text) > MAX_TEXT:
        raise UserError("There is no drawing. Draw something first.")
    try:
        data = base64.b64decode(text[len(HEAD) :], validate=True)
        with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
            if picture.size != (SIDE, SIDE):
                raise UserError(f"A drawing is {SIDE} by {SIDE} pixels.")
            alpha = np.asarray(picture.convert("RGBA"))[..., 3]
    except (binascii.Error, UnidentifiedImageError, ValueError, OSError, SyntaxError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError("The drawing cannot be read. Clear it and draw again.") from None
    return alpha.astype(np.float64) / 255


def painted(text, shape: tuple[int, int]) -> np.ndarray:
    """The pixels of an image [H, W] that were painted over by half or more: bool [H, W]."""
    ink = strokes(text)
    return np.asarray(Image.fromarray(ink.astype(np.float32)).resize(shape[::-1], Image.Resampling.BOX)) >= 0.5


def as_digit(ink: np.ndarray, side: int = 28) -> np.ndarray:
    """Ink float [H, W] in [0, 1] -> uint8 [side, side] as in MNIST (LeCun et al. 1998): fitted into 20 pixels of
    28, its centre of mass in the middle. `UserError` for an empty one."""
    rows, columns = (np.nonzero(ink.max(axis) > 0.1)[0] for axis in (1, 0))
    if not len(rows):
        raise UserError("There is nothing in it: draw a digit first.")
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)
    scale = BOX * side / 28 / max(cut.shape)
    size = [max(1, round(length * scale)) for length in cut.shape[::-1]]
    small = np.asarray(Image.fromarray(cut).resize(size, Image.Resampling.BOX))
    y, x = (np.arange(length) for length in small.shape)
    centre = np.array([(small.sum(1) * y).sum(), (small.sum(0) * x).sum()]) / small.sum()
    top, left = np.clip(np.round(side / 2 - centre), 0, np.array([side] * 2) - small.shape).astype(int)
    page = np.zeros((side, side), np.float32)
    page[top : top + small.shape[0], left : left + small.shape[1]] = small
    return (page * 255).round().clip(0, 255).astype(np.uint8)
