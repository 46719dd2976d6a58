"""uint8 images -> lossless PNGs inside data: URIs, so that a page needs no files. No gradio."""

import base64
import io

import numpy as np
from PIL import Image
from torch import Tensor

ENLARGED = 4  # pixels of an animation a pixel of the image
FRAME_MS, LAST_MS = 120, 1500


def arrays(images: Tensor) -> np.ndarray:
    """uint8 [N, C, H, W] -> uint8 [N, H, W] for one channel, [N, H, W, 3] for colour."""
    if images.shape[1] == 1:
        return images[:, 0].numpy()
    return images.permute(0, 2, 3, 1).numpy()


def data_uri(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def png(pixels: np.ndarray) -> bytes:
    """uint8 [H, W] or [H, W, 3] -> the bytes of a PNG."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


def thumbnails(images: Tensor) -> list[str]:
    """uint8 [N, C, H, W] -> one data URI an image, at its own size."""
    return [data_uri(png(pixels)) for pixels in arrays(images)]


def side(uri: str) -> int:
    """How many pixels wide the PNG in a data URI is, by its header."""
    header = base64.b64decode(uri.partition(",")[2][:32])  # 24 bytes
    return int.from_bytes(header[16:20])


def films(frames: list[Tensor]) -> list[str]:
    """Frames, each uint8 [N, C, H, W] -> N data URIs: the frames of one image, one below the other."""
    stacks = [arrays(frame) for frame in frames]
    return [data_uri(png(np.concatenate(film))) for film in zip(*stacks, strict=True)]


def sheet(images: Tensor, columns: int, gap: int = 2) -> np.ndarray:
    """uint8 [N, C, H, W] -> one picture, `columns` images a row, `gap` black pixels around each."""
    tiles = arrays(images)
    height, width = tiles.shape[1] + gap, tiles.shape[2] + gap
    rows = -(-len(tiles) // columns)
    picture = np.zeros((rows * height + gap, columns * width + gap, *tiles.shape[3:]), np.uint8)
    for i, tile in enumerate(tiles):
        y, x = gap + (i // columns) * height, gap + (i % columns) * width
        picture[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
    return picture


def animation(frames: list[Tensor], columns: int, kind: str, enlarged: int = ENLARGED, last_ms: int = LAST_MS) -> bytes:
    """Frames, each uint8 [N, C, H, W] -> a moving picture, "GIF" or "WEBP", lossless for greys; the last stays."""
    sheets = [sheet(frame, columns).repeat(enlarged, 0).repeat(enlarged, 1) for frame in frames]
    first, *rest = (Image.fromarray(pixels) for pixels in sheets)
    buffer, pauses = io.BytesIO(), [FRAME_MS] * len(rest) + [last_ms]
    options = {"lossless": True} if kind == "WEBP" else {"optimize": False}
    first.save(buffer, kind, save_all=True, append_images=rest, duration=pauses, loop=0, **options)
    return buffer.getvalue()


def ink(images: Tensor, columns: int) -> str:
    """A strip of images as a stencil (data URI): the pixel's value becomes the opacity of black ink."""
    picture = sheet(images, columns, gap=0)
    alpha = picture if picture.ndim == 2 else picture.max(-1)
    pixels = np.zeros((*alpha.shape, 2), np.uint8)
    pixels[..., 1] = alpha
    buffer = io.BytesIO()
    Image.fromarray(pixels, "LA").save(buffer, "PNG", compress_level=9)
    return data_uri(buffer.getvalue())


def npz(images: Tensor, labels: Tensor, seeds: Tensor) -> str:
    """The arrays that `sample --out x.npz` writes, as a data URI."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, images=arrays(images), labels=labels.numpy(), seeds=seeds.numpy())
    return data_uri(buffer.getvalue(), "application/octet-stream")
