"""MNIST's own file format, IDX (http://yann.lecun.com/exdb/mnist/), for images of any number of channels.

A big-endian header (two zero bytes, a type code, the number of dimensions, then each dimension as a 4-byte integer)
followed by the bytes themselves. Files may be gzipped or plain.
"""

import gzip
import hashlib
import math
import struct
import zlib
from pathlib import Path

import torch
from torch import Tensor

from diffusion_core.errors import UserError

DIMENSIONS = (1, 3, 4)  # labels, grey images, images in colour


def read_idx(where: Path, stem: str, md5: dict[str, str] | None) -> Tensor:
    """The file `stem`, or `stem`.gz, of unsigned bytes -> uint8 tensor of the dimensions in its header.

    `md5` holds checksums of uncompressed files by name; None checks the form only. `UserError` names the file at fault.
    """
    path = next((p for p in (where / f"{stem}.gz", where / stem) if p.is_file()), None)
    if path is None:
        raise UserError(f"Data file {where / stem}.gz is missing. Restore it, or set the data folder.")
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"Data file {path} is damaged ({error}). Restore it from its source.") from None
    if md5 is not None and checksum(raw) != md5.get(stem):
        raise UserError(f"Data file {path} is damaged (wrong checksum). Restore it from its source.")
    if len(raw) < 4 or raw[:3] != b"\0\0\x08" or len(raw) < 4 + 4 * raw[3]:
        raise UserError(f"Data file {path} is not an IDX file of unsigned bytes.")
    sizes = struct.unpack(f">{raw[3]}I", raw[4 : 4 + 4 * raw[3]])
    body = raw[4 + 4 * raw[3] :]
    if raw[3] not in DIMENSIONS or len(body) != math.prod(sizes):
        raise UserError(f"Data file {path} is damaged: header says {sizes}, body has {len(body)} bytes.")
    return torch.frombuffer(bytearray(body), dtype=torch.uint8).view(*sizes)


def idx_bytes(values: Tensor) -> bytes:
    """uint8 [N], [N, H, W] or [N, H, W, C] -> the content of an IDX file."""
    header = b"\0\0\x08" + bytes([values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    return header + values.contiguous().numpy().tobytes()


def checksum(raw: bytes) -> str:
    """md5, as data sets publish it."""
    return hashlib.md5(raw, usedforsecurity=False).hexdigest()
