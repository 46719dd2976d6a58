"""One encoded image (PNG, JPEG, WebP, BMP or GIF) -> the pixels of a data set's form, read with distrust.

Nothing is resized, blended or guessed. The size in the header is compared before anything is decoded, so a
decompression bomb is refused for what it claims. Several frames, translucent pixels (on which background?)
and colour where the data set is grey are refused; 1-bit, palette, 16-bit and RGB images that are grey are
converted, and the EXIF rotation is applied.
"""

import io
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from eval.errors import UserError
from eval.source_base import Form

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif"}
MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"GIF8")
MAX_FILE = 1 << 20  # bytes of one encoded image; a small one needs a thousandth
NEUTRAL = 2  # grey levels by which the channels of a grey image may differ: lossy WebP has no grey and rounds


def decode(data: bytes, form: Form) -> NDArray:
    """uint8 [C, H, W] of exactly the form's shape. `UserError` says what is wrong, without the image's name."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on odd metadata
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                _check_header(image, form)
                image.verify()  # the checksums of a PNG; the image cannot be used afterwards
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                pixels = _pixels(ImageOps.exif_transpose(image), form)
    except UserError:
        raise
    except UnidentifiedImageError:
        raise UserError("it is not a PNG, JPEG, WebP, BMP or GIF image.") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UserError(f"it claims more than 89 million pixels; '{form.name}' needs {_size(form)}.") from None
    except Exception:  # Pillow's decoders raise nearly anything on damaged files
        raise UserError("the image is damaged or cut off.") from None
    return pixels


def _check_header(image: Image.Image, form: Form) -> None:
    height, width = form.shape[1:]
    if image.size not in ((width, height), (height, width)):  # EXIF may turn it; `_pixels` looks again
        raise UserError(_wrong_size(image.size, form))
    if getattr(image, "is_animated", False):
        raise UserError("it has several frames; one image a file is needed.")


def _pixels(image: Image.Image, form: Form) -> NDArray:
    """Decoded, turned upright and converted: uint8 [C, H, W]."""
    channels, height, width = form.shape
    if image.size != (width, height):
        raise UserError(_wrong_size(image.size, form))
    wide = image.mode.startswith("I;16")
    if image.has_transparency_data and (wide or np.asarray(image.convert("RGBA"))[..., 3].min() < 255):
        raise UserError("it has translucent pixels; flatten it onto its background first.")
    if wide:
        grey = (np.asarray(image).astype(np.uint32) * 255 + 32_767) // 65_535
        rgb = np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
    else:
        rgb = np.asarray(image.convert("RGB"))  # [H, W, 3]
    if channels == 3:
        return rgb.transpose(2, 0, 1)
    if int((rgb.max(2) - rgb.min(2)).max()) > NEUTRAL:
        raise UserError(f"it is in colour where '{form.name}' is grey; convert it to grey first.")
    return rgb[None, :, :, 1]


def _size(form: Form) -> str:
    return f"{form.shape[2]}x{form.shape[1]}"


def _wrong_size(size: tuple[int, int], form: Form) -> str:
    return f"it is {size[0]}x{size[1]} pixels; '{form.name}' needs {_size(form)}."
