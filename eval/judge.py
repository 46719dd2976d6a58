"""The classifier judges: small networks trained by this project and shipped with their weights, for each data set.

`classifier` reports: it is the judge behind every accuracy that is shown. `second`, of another architecture
and seed, reports beside it: what both say does not hang on one network. `selector`, another again, is used
only to choose settings, so that the judges that report were never tuned against.

A judge is a folder, checkpoints/judges/DATASET/NAME: `model.safetensors` (float32) and `card.json`, which says how it
was trained, how it scores on real test images, and the sha256 that the weights must have.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from safetensors.torch import load as load_safetensors
from torch import Tensor, nn
from torch.nn import functional as F

from eval.errors import UserError
from eval.judge_nets import NETS

JUDGES = Path(__file__).resolve().parent.parent / "checkpoints" / "judges"
CHUNK = 100  # images a forward pass, which fit the cache; never changes a result by more than 1e-5


def chunked(function, images: Tensor, size: int = CHUNK) -> Tensor:
    """Apply `function` to float pixels in [0, 1], `size` images at a time, without gradients.

    `images` is uint8 [N, C, H, W]; the results are joined along the first dimension.
    """
    with torch.no_grad():
        return torch.cat([function(part.float() / 255) for part in images.split(size)])


@dataclass(frozen=True)
class Judge:
    """A trained classifier and its card.

    `net` maps pixels in [0, 1] to logits and is differentiable; `logits` and `features` take uint8
    images [N, C, H, W], work in chunks and keep no gradients.
    """

    name: str
    net: nn.Module
    card: dict
    sha256: str

    @property
    def id(self) -> str:
        """Name and the first digits of the weights' hash: changes when the weights do."""
        return f"{self.name}@{self.sha256[:12]}"

    def logits(self, images: Tensor) -> Tensor:
        """uint8 [N, C, H, W] -> float32 [N, classes]."""
        return chunked(self.net, images)

    def probabilities(self, images: Tensor) -> Tensor:
        """uint8 [N, C, H, W] -> float32 [N, classes], each row sums to 1."""
        return F.softmax(self.logits(images), dim=1)

    def features(self, images: Tensor) -> Tensor:
        """uint8 [N, C, H, W] -> penultimate features float32 [N, D]."""
        return chunked(self.net.features, images)


def load_judge(name: str = "classifier", dataset: str = "mnist") -> Judge:
    """The judge called `name` of a data set. `UserError` names the file that is missing or damaged."""
    folder = JUDGES / dataset / name
    if not folder.is_dir():
        raise UserError(
            f"'{dataset}' has no judge '{name}' yet. Train it: python -m eval.train_judges {name} --data {dataset}."
        )
    return read_judge(folder)


@lru_cache(maxsize=16)
def read_judge(folder: Path) -> Judge:
    """The judge in a folder; `UserError` names the file that is missing or damaged."""
    card = read_card(folder)
    weights, sha256 = read_weights(folder / "model.safetensors", card)
    if card.get("architecture") not in NETS:
        raise UserError(f"{folder / 'card.json'}: unknown architecture. Known: {', '.join(NETS)}.")
    pixels = card["pixels"]
    build = NETS[card["architecture"]]
    net = build(len(card["class_names"]), tuple(pixels["image"]), pixels["mean"], pixels["std"])
    try:
        net.load_state_dict(weights)
    except RuntimeError:
        raise UserError(f"{folder / 'model.safetensors'} does not fit a {card['architecture']}.") from None
    net = net.to(memory_format=torch.channels_last)  # faster on a CPU
    return Judge(card["name"], net.eval().requires_grad_(False), card, sha256)


def read_card(folder: Path) -> dict:
    """A judge's `card.json`; `UserError` where it is missing or not JSON."""
    path = folder / "card.json"
    try:
        return json.loads(path.read_text())
    except OSError:
        raise UserError(f"Judge file {path} is missing. Restore it, or train the judge again.") from None
    except ValueError:
        raise UserError(f"Judge file {path} is damaged (not JSON). Restore it from its source.") from None


def read_weights(path: Path, card: dict) -> tuple[dict[str, Tensor], str]:
    """Weights by name and their sha256; `UserError` unless it equals the card's."""
    try:
        raw = path.read_bytes()
    except OSError:
        raise UserError(f"Judge file {path} is missing. Restore it, or train the judge again.") from None
    sha256 = hashlib.sha256(raw).hexdigest()
    if sha256 != card.get("sha256"):
        raise UserError(f"Judge file {path} is damaged (its sha256 is not the card's). Restore it.")
    return load_safetensors(raw), sha256
