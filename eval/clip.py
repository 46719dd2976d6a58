"""CLIP as a judge: any open_clip model, and the digit CLIP that this project trained and ships.

A class is the mean of the embeddings of its captions, normalised again; an image is held against it by
cosine. Raw cosines say little: ten captions that differ in one word share a large common part. What
carries information is the softmax over the classes at the model's own scale, and the margin between
the class asked for and the best other one.

open_clip is imported when a model is loaded, not before: it is slow to import.
"""

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eval.errors import UserError
from eval.judge import JUDGES, chunked, read_card, read_weights
from eval.prompts import captions

CONFIG = "open_clip_config.json"
WEIGHTS = "open_clip_model.safetensors"
DIGITS = tuple("0123456789")
SUGGESTED = "ViT-B-32/datacomp_xl_s13b_b90k"


@dataclass(frozen=True, eq=False)
class ClipModel:
    """A CLIP and the classes it tells apart.

    Methods named `…_pixels` take float pixels in [0, 1] and are differentiable; the others take uint8
    images [N, C, H, W], work in chunks and keep no gradients. `scale` is what the model multiplies
    cosines with before a softmax.
    """

    name: str
    model: nn.Module
    tokenizer: object
    sha256: str
    card: dict
    dataset: str = "mnist"
    class_names: tuple[str, ...] = DIGITS
    _banks: dict[str, Tensor] = field(default_factory=dict, repr=False)

    @property
    def id(self) -> str:
        """Name, weights and the prompt set that is scored with unless another is asked for."""
        return f"clip:{self.name}@{self.sha256[:12]}/default"

    @property
    def scale(self) -> float:
        return self.model.logit_scale.exp().item()

    def encode_pixels(self, x: Tensor) -> Tensor:
        """[N, 1 or 3, H, W] in [0, 1] -> unit vectors [N, D], differentiable."""
        return F.normalize(self.model.encode_image(prepare(x, self.model.visual.preprocess_cfg)), dim=1)

    def encode_images(self, images: Tensor) -> Tensor:
        """uint8 [N, C, H, W] -> unit vectors float32 [N, D]."""
        return chunked(self.encode_pixels, images)

    @torch.no_grad()
    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Captions -> unit vectors float32 [M, D]."""
        return F.normalize(self.model.encode_text(self.tokenizer(list(texts))), dim=1)

    def text_bank(self, prompt_set: str = "default") -> Tensor:
        """One unit vector per class [K, D]: the mean of its captions' vectors, normalised again."""
        if prompt_set not in self._banks:
            rows = [self.encode_texts(captions(self.dataset, name, prompt_set)) for name in self.class_names]
            self._banks[prompt_set] = F.normalize(torch.stack([row.mean(0) for row in rows]), dim=1)
        return self._banks[prompt_set]

    def cosines(self, images: Tensor, prompt_set: str = "default") -> Tensor:
        """uint8 [N, C, H, W] -> cosine with each class, float32 [N, K] in [-1, 1]."""
        return (self.encode_images(images) @ self.text_bank(prompt_set).T).clamp(-1, 1)

    def logits(self, images: Tensor, prompt_set: str = "default") -> Tensor:
        """uint8 [N, C, H, W] -> scaled cosines [N, K]: their softmax is the zero-shot probability."""
        return self.scale * self.cosines(images, prompt_set)

    def logits_from_pixels(self, x: Tensor, prompt_set: str = "default") -> Tensor:
        """[N, 1 or 3, H, W] in [0, 1] -> scaled cosines [N, K], differentiable."""
        return self.scale * self.encode_pixels(x) @ self.text_bank(prompt_set).T


def prepare(x: Tensor, cfg: dict) -> Tensor:
    """[N, 1 or 3, H, W] in [0, 1] -> what the model was trained on [N, 3, S, S], differentiable.

    Grey is repeated to three channels; another size is resized (antialiased, squashed to the model's
    square); then the model's own mean and standard deviation (`preprocess_cfg` of open_clip).
    """
    size = cfg["size"] if isinstance(cfg["size"], int) else cfg["size"][0]
    if x.shape[2:] != (size, size):
        x = F.interpolate(x, (size, size), mode=cfg["interpolation"], antialias=True).clamp(0, 1)
    mean, std = (torch.tensor(cfg[key], dtype=x.dtype).view(1, 3, 1, 1) for key in ("mean", "std"))
    return (x.expand(-1, 3, -1, -1) - mean) / std


# ---------------------------------------------------------------- loading


@lru_cache(maxsize=4)
def load_clip(name: str = "digit") -> ClipModel:
    """`digit` (shipped), `MODEL/TAG` as open_clip knows them, or a folder that open_clip wrote.

    `UserError`, one line, where the name is unknown or the weights cannot be had.
    """
    if name == "digit":
        return load_digit_clip(JUDGES / "clip")
    if Path(name).is_dir():
        return _wrap(name, f"local-dir:{name}", None, _own_vocabulary(Path(name)))
    import open_clip

    model, _, tag = name.partition("/")
    known = {f"{m}/{t}" for m, t in open_clip.list_pretrained()}
    if name not in known:
        near = sorted(k for k in known if k.startswith(f"{model}/"))[:4] or [SUGGESTED]
        raise UserError(f"There is no CLIP '{name}'. Use 'digit', a folder, or MODEL/TAG: {', '.join(near)}.")
    return _wrap(name, model, tag, {})


def load_digit_clip(folder: Path) -> ClipModel:
    """A CLIP with a card: its weights must have the card's sha256."""
    card = read_card(folder)
    _, sha256 = read_weights(folder / WEIGHTS, card)
    return _wrap("digit", f"local-dir:{folder}", None, _own_vocabulary(folder), sha256, card)


def _own_vocabulary(folder: Path) -> dict[str, str]:
    """`bpe_path` of a folder that brings its own: the config's is relative to the working directory."""
    try:
        config = json.loads((folder / CONFIG).read_text())
        path = (config["model_cfg"]["text_cfg"].get("tokenizer_kwargs") or {}).get("bpe_path")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"{folder} is not a CLIP folder: it has no readable {CONFIG}.") from None
    return {"bpe_path": str(folder / Path(path).name)} if path else {}


def _wrap(
    name: str, source: str, tag: str | None, tokenizer: dict, sha256: str = "", card: dict | None = None
) -> ClipModel:
    import open_clip

    try:
        with _quiet():
            model = open_clip.create_model_from_pretrained(source, tag, return_transform=False)
            words = open_clip.get_tokenizer(source, **tokenizer)
    except Exception as error:  # network, disk, format: open_clip and its downloaders raise many kinds
        reason = " ".join(str(error).split())[:160]
        advice = "Go online once, or use 'digit'."
        raise UserError(f"CLIP '{name}' cannot be loaded ({reason}). {advice}") from None
    model.eval().requires_grad_(False)
    return ClipModel(name, model, words, sha256 or fingerprint(model), card or {})


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
