"""CLIP as a judge: any open_clip model, and the small one that this project trained and ships for each data set.

A class is the mean of the embeddings of its captions, normalised again; an image is held against it by
cosine. Raw cosines say little: captions that differ in one word share a large common part. What
carries information is the softmax over the classes at the model's own scale, and the margin between
the class asked for and the best other one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eval.clip_files import WEIGHTS, check_tag, fingerprint, own_vocabulary, read
from eval.errors import UserError
from eval.forms import form
from eval.judge import JUDGES, chunked, read_card, read_weights
from eval.prompts import captions
from eval.source_base import Form

SMALL = "small"  # the one that is trained on the data set itself


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
    data: Form  # whose classes it tells apart
    _banks: dict[str, Tensor] = field(default_factory=dict, repr=False)

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.data.class_names

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
            rows = [self.encode_texts(captions(self.data.name, name, prompt_set)) for name in self.class_names]
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


def margins(cosines: Tensor, labels: Tensor) -> Tensor:
    """Cosine with the class asked for, less that with the best other one: [N, K] and int [N] -> [N]."""
    asked = cosines.gather(1, labels[:, None])[:, 0]
    return asked - cosines.scatter(1, labels[:, None], -torch.inf).amax(1)


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


@lru_cache(maxsize=8)
def load_clip(name: str = SMALL, dataset: str = "mnist") -> ClipModel:
    """`small` (shipped), `MODEL/TAG` as open_clip knows them, or a folder that open_clip wrote; of `dataset`'s classes.

    `UserError`, one line, where the name is unknown or the weights cannot be had.
    """
    data = form(dataset)
    if name == SMALL:
        return load_small_clip(JUDGES / data.name / "clip", data)
    if name and Path(name).is_dir():
        model, tokenizer = read(name, f"local-dir:{name}", None, own_vocabulary(Path(name)))
    else:
        check_tag(name)
        model, tokenizer = read(name, *name.split("/", 1), {})
    return ClipModel(_short(name), model, tokenizer, fingerprint(model), {}, data)


def _short(name: str) -> str:
    """A name fit for reports: of a folder only its own name, never the way to it."""
    return Path(name).resolve().name if Path(name).is_dir() else name


def load_small_clip(folder: Path, data: Form) -> ClipModel:
    """A CLIP with a card, named by what it sees: its weights must have the card's sha256."""
    if not folder.is_dir():
        raise UserError(
            f"'{data.name}' has no small CLIP yet. Train it: python -m eval.train_judges clip --data {data.name}."
        )
    card = read_card(folder)
    _, sha256 = read_weights(folder / WEIGHTS, card)
    model, tokenizer = read(data.noun, f"local-dir:{folder}", None, own_vocabulary(folder))
    return ClipModel(data.noun, model, tokenizer, sha256, card, data)
