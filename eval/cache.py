"""What was computed once, kept on disk: whoever asks again for the same images waits for nothing.

A block of images is known by the hash of its bytes, a judge by its id, which changes with its weights.
Only whole blocks are kept: a few images drawn in the page leave no file behind. What is damaged is
computed again.
"""

import hashlib
import io
import json
import os
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

CACHE = Path(__file__).resolve().parent.parent / ".cache"
BLOCK = 500  # images in a file
LIMIT = 1 << 30  # bytes; the files that were not used for longest go first
CODE = 1  # to be raised when the same question has another answer: the code of a judge or metric changed


def features(judge: str, images: Tensor, encode: Callable[[Tensor], Tensor]) -> Tensor:
    """encode(images): uint8 [N, C, H, W] -> float32 [N, d], a block at a time from disk where it is there."""
    first = _block(judge, images[:BLOCK], encode)
    # Filled in place: results that outlive the large tensors they came from would leave holes in the memory.
    found = first.new_empty(len(images), *first.shape[1:])
    found[:BLOCK] = first
    for start in range(BLOCK, len(images), BLOCK):
        found[start : start + BLOCK] = _block(judge, images[start : start + BLOCK], encode)
    return found


def facts(about: object, find: Callable[[], dict]) -> dict:
    """find(), a JSON object that depends on `about` (anything whose repr says it all) and on nothing else."""
    path = CACHE / "facts" / _key(f"{about!r} {CODE} {torch.__version__}".encode())
    content = _read(path)
    if content is None:
        content = json.dumps(find(), allow_nan=False).encode()
        _write(path, content)
    return json.loads(content)


def _block(judge: str, images: Tensor, encode: Callable[[Tensor], Tensor]) -> Tensor:
    if len(images) < BLOCK:
        return encode(images).cpu()
    path = CACHE / _key(f"{judge} {CODE} {torch.__version__}".encode()) / _key(_bytes(images))
    content = _read(path)
    if content is not None:
        return torch.from_numpy(np.load(io.BytesIO(content), allow_pickle=False))
    found = encode(images).cpu()
    buffer = io.BytesIO()
    np.save(buffer, found.numpy(), allow_pickle=False)
    _write(path, buffer.getvalue())
    return found


def _read(path: Path) -> bytes | None:
    """What was written; None where there is nothing, or something else."""
    try:
        raw = path.read_bytes()
        os.utime(path)
    except OSError:
        return None
    digest, content = raw[:32], raw[32:]
    return content if hashlib.sha256(content).digest() == digest else None


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all; a disk that refuses costs time, not the result."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with suppress(OSError):
        prune_once()
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(hashlib.sha256(content).digest() + content)
        os.replace(beside, path)


@lru_cache(maxsize=1)
def prune_once() -> None:
    """Looking through the whole folder at every write would cost more than writing."""
    prune()


def prune(limit: int = LIMIT) -> None:
    """Delete what was not used for longest, until at most `limit` bytes are left."""
    files = [(path.stat().st_mtime, path.stat().st_size, path) for path in CACHE.glob("*/*") if path.is_file()]
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= limit:
            return
        path.unlink(missing_ok=True)
        total -= size


def _bytes(images: Tensor) -> bytes:
    return repr(tuple(images.shape)).encode() + images.contiguous().numpy().tobytes()


def _key(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
