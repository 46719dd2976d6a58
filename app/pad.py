"""A digit that somebody drew or photographed, in the form of MNIST: 28x28, the ink in a box of 20, its mass amid.

Read with distrust: the size is judged in the header, before anything is decoded.
"""

import base64
import binascii
import io
import warnings
from contextlib import suppress

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from scipy import ndimage
from torch import Tensor

from diffusion_core.errors import UserError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
MAX_BYTES, MAX_SIDE = 4 << 20, 4096
HEAD = "data:image/png;base64,"
MAX_TEXT = 400_000  # characters of a drawing that a browser sends
SIDE, BOX = 28, 20
FAINT = 0.35  # of the darkest ink: below it is paper, shadow or dirt
LEAST = 24  # grey levels between ink and paper


def from_data_uri(text) -> Tensor:
    """The drawing that the page's pad sends, "data:image/png;base64,...", fitted. `UserError` for anything else."""
    return fitted(decoded(sent(text, "The drawing did not arrive. Clear the pad and draw a digit again.")))


def sent(text, told: str) -> bytes:
    """The PNG file that a canvas sends as a data: URI; `UserError(told)` for anything else."""
    if isinstance(text, str) and text.startswith(HEAD) and len(text) <= MAX_TEXT:
        with suppress(binascii.Error, ValueError):
            return base64.b64decode(text[len(HEAD) :], validate=True)
    raise UserError(told)


def decoded(data: bytes) -> NDArray:
    """One picture of any size, mode and rotation -> grey float [H, W], on white where it is see-through.

    `UserError` in one line for what is none.
    """
    if len(data) > MAX_BYTES:
        raise UserError(f"The picture is larger than {MAX_BYTES >> 20} MB. Give a smaller one.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # remarks on odd metadata; the size is judged below
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                if max(image.size) > MAX_SIDE:
                    raise UserError(
                        f"The picture claims {image.size[0]:,} x {image.size[1]:,} pixels; at most {MAX_SIDE:,} a side."
                    )
                if image.mode.startswith("I;16"):
                    return np.asarray(image).astype(np.float64) / 257
                upright = ImageOps.exif_transpose(image).convert("RGBA")
    except UserError:
        raise
    except UnidentifiedImageError:
        raise UserError("This is not a PNG, JPEG, WebP, BMP or GIF picture.") from None
    except Image.DecompressionBombError:
        raise UserError(f"The picture claims far too many pixels; at most {MAX_SIDE:,} a side.") from None
    except Exception:  # Pillow's decoders raise nearly anything on damaged files
        raise UserError("The picture is damaged or cut off.") from None
    paper = Image.new("RGBA", upright.size, "white")
    return np.asarray(Image.alpha_composite(paper, upright).convert("L")).astype(np.float64)


def fitted(grey: NDArray) -> Tensor:
    """Greys [H, W] of one digit, dark on light or light on dark -> uint8 [1, 1, 28, 28] as MNIST has them.

    LeCun et al. 1998: the ink scaled into 20x20, the aspect kept, and its centre of mass moved to the middle.
    `UserError` where there is no ink.
    """
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    ink = np.abs(grey - np.median(border))
    if ink.max() < LEAST:
        raise UserError("There is no digit in it yet. Draw one, thick and large.")
    ink = np.where(ink < FAINT * ink.max(), 0, ink / ink.max())
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = BOX / max(cut.shape)
    size = tuple(max(1, round(length * scale)) for length in cut.shape[::-1])
    picture = Image.fromarray(np.round(255 * cut).astype(np.uint8))
    small = np.asarray(picture.resize(size, Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC))
    large = np.zeros((SIDE, SIDE))
    y, x = (SIDE - small.shape[0]) // 2, (SIDE - small.shape[1]) // 2
    large[y : y + small.shape[0], x : x + small.shape[1]] = small
    centre = np.array(ndimage.center_of_mass(large))
    moved = ndimage.shift(large, np.round((SIDE - 1) / 2 - centre), order=0)  # by whole pixels: nothing is blurred
    return torch.from_numpy(moved.astype(np.uint8))[None, None]
