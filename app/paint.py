"""Painting over an image with mouse, pen or finger: what was painted, read on the server with distrust. No gradio.

The browser keeps the strokes; `reading(...)` is the JavaScript that puts them among the values of a click.
"""

import io
from html import escape

import numpy as np
from PIL import Image, UnidentifiedImageError

from app.pad import sent
from diffusion_core.errors import UserError

SIDE = 280  # of the canvas; ten times that of a digit, so that strokes have soft edges
WIDTH, COLOUR = 50, "#2f5fa8"  # of a stroke

# Strokes lie on nothing. A line a move, a dot a click; Clear, and a new value, leave an empty canvas.
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


def canvas(label: str, hint: str, under: str = "") -> str:
    """The canvas; `under` is the data: URI of an image below it."""
    below = f' style="background-image:url({under})"' if under else ""
    return (
        f'<div class="paint"><div class="paint-ground"{below}><canvas width="{SIDE}" height="{SIDE}" '
        f'data-width="{WIDTH}" data-colour="{COLOUR}" role="img" aria-label="{escape(label)}"></canvas>'
        '<span aria-hidden="true">'
        f'{escape(hint)}</span></div><button type="button" class="quiet" data-clear>Clear</button></div>'
    )


def reading(place: int, name: str) -> str:
    """JavaScript for a click: what is painted in the element `name` becomes the input number `place`."""
    found = f"document.querySelector('#{name} canvas')?.toDataURL('image/png') ?? ''"
    return f"(...values) => {{ values[{place}] = {found}; return values; }}"


def strokes(text) -> np.ndarray:
    """What was painted as ink float [SIDE, SIDE] in [0, 1]; `UserError` for anything that the browser does not send."""
    data = sent(text, "Nothing is painted yet: paint over what is missing.")
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
            if picture.size != (SIDE, SIDE):
                raise UserError(f"What is painted is {SIDE} by {SIDE} pixels.")
            alpha = np.asarray(picture.convert("RGBA"))[..., 3]
    except (UnidentifiedImageError, ValueError, OSError, SyntaxError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError("What was painted cannot be read. Clear it and paint again.") from None
    return alpha.astype(np.float64) / 255


def painted(text, shape: tuple[int, int]) -> np.ndarray:
    """The pixels of an image [H, W] that were painted over by half or more: bool [H, W]."""
    ink = strokes(text)
    return np.asarray(Image.fromarray(ink.astype(np.float32)).resize(shape[::-1], Image.Resampling.BOX)) >= 0.5
