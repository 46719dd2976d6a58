"""Gets CLIP models through open_clip: from a folder, from the cache, from the network; or says why not.

open_clip is imported when a model is loaded, not before: it is slow to import.
"""

import hashlib
import json
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

import torch
from torch import nn

from eval.errors import UserError

CONFIG = "open_clip_config.json"
WEIGHTS = "open_clip_model.safetensors"
SUGGESTED = "ViT-B-32/datacomp_xl_s13b_b90k"


def read(name: str, source: str, tag: str | None, tokenizer: dict) -> tuple[nn.Module, Callable]:
    """Model (frozen, in evaluation mode) and tokenizer; `UserError` with the reason where that fails.

    `source` and `tag` are open_clip's own names; `tokenizer` holds what its tokenizer must be told.
    """
    import open_clip

    try:
        with _quiet(), _no_vain_downloads() if tag else nullcontext():
            model = open_clip.create_model_from_pretrained(source, tag, return_transform=False)
            words = open_clip.get_tokenizer(source, **tokenizer)
    except Exception as error:  # network, disk, format: open_clip and its downloaders raise many kinds
        reason = " ".join(str(error).split())[:160]
        advice = "Go online once, or use 'small'." if tag else "Restore its files, or use 'small'."
        raise UserError(f"CLIP '{name}' cannot be loaded ({reason}). {advice}") from None
    return model.eval().requires_grad_(False), words


def check_tag(name: str) -> None:
    """`UserError` that lists a few known names unless open_clip knows `name` as MODEL/TAG."""
    import open_clip

    known = {f"{model}/{tag}" for model, tag in open_clip.list_pretrained()}
    if name not in known:
        model = name.partition("/")[0]
        near = sorted(k for k in known if k.startswith(f"{model}/"))[:4] or [SUGGESTED]
        raise UserError(f"There is no CLIP '{name}'. Use 'small', a folder, or MODEL/TAG: {', '.join(near)}.")


def own_vocabulary(folder: Path) -> dict[str, str]:
    """`bpe_path` of a folder that brings its own: the config's is relative to the working directory."""
    try:
        config = json.loads((folder / CONFIG).read_text())
        path = (config["model_cfg"]["text_cfg"].get("tokenizer_kwargs") or {}).get("bpe_path")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"{folder} is not a CLIP folder: it has no readable {CONFIG}.") from None
    return {"bpe_path": str(folder / Path(path).name)} if path else {}


def fingerprint(model: nn.Module) -> str:
    """sha256 over the names and values of all weights, for models that come without a card."""
    digest = hashlib.sha256()
    for key, value in sorted(model.state_dict().items()):
        digest.update(key.encode())
        digest.update(value.contiguous().view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


@contextmanager
def _quiet() -> Iterator[None]:
    """No log lines beside the one-line error."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(before)


@contextmanager
def _no_vain_downloads() -> Iterator[None]:
    """Without a network only the cache is asked; the downloader would retry for a minute."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or not _reachable(constants.ENDPOINT)
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _reachable(address: str, seconds: float = 3.0) -> bool:
    """Whether the host of an address answers; taken for granted behind a proxy."""
    if getproxies():
        return True
    url = urlsplit(address)
    try:
        socket.create_connection((url.hostname, url.port or 443), timeout=seconds).close()
    except OSError:
        return False
    return True
