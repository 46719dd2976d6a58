"""The classifier judges: small networks trained by this project and shipped with their weights.

`classifier` reports: it is the judge behind every accuracy that is shown. `second`, of another architecture
and seed, reports beside it: what both say does not hang on one network. `selector`, another again, is used
only to choose settings, so that the judges that report were never tuned against.

A judge is a folder: `model.safetensors` (float32) and `card.json`, which says how it was trained, how
it scores on real test digits, and the sha256 that the weights must have.
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

JUDGES = Path(__file__).resolve().parent.parent / "checkpoints" / "judges"
CHUNK = 100  # images a forward pass, which fit the cache; never changes a result by more than 1e-5


def conv_bn(inside: int, outside: int) -> nn.Sequential:
    """3x3 convolution, batch norm, ReLU: [N, inside, H, W] -> [N, outside, H, W]."""
    conv = nn.Conv2d(inside, outside, 3, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outside), nn.ReLU(inplace=True))


class JudgeNet(nn.Module):
    """Five convolutions with batch norm; pixels in [0, 1] [N, 1, 28, 28] -> logits [N, classes]."""

    def __init__(self, classes: int = 10, mean: float = 0.1307, std: float = 0.3081):
        super().__init__()
        self.mean, self.std = mean, std
        self.body = nn.Sequential(
            conv_bn(1, 32),
            nn.MaxPool2d(2),  # [N, 32, 14, 14]
            conv_bn(32, 48),
            conv_bn(48, 48),
            nn.MaxPool2d(2),  # [N, 48, 7, 7]
            conv_bn(48, 96),
            conv_bn(96, 128),
        )
        self.head = nn.Linear(128, classes)

    def features(self, x: Tensor) -> Tensor:
        """Pixels in [0, 1] [N, 1, 28, 28] -> penultimate features [N, 128]."""
        return self.body((x - self.mean) / self.std).mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


class SelectorNet(nn.Module):
    """Two wide 5x5 convolutions and a dense layer, no batch norm; same interface as `JudgeNet`."""

    def __init__(self, classes: int = 10, mean: float = 0.1307, std: float = 0.3081):
        super().__init__()
        self.mean, self.std = mean, std
        self.body = nn.Sequential(
            nn.Conv2d(1, 32, 5, padding=2),
            nn.MaxPool2d(2),
            nn.GELU(),  # [N, 32, 14, 14]
            nn.Conv2d(32, 64, 5, padding=2),
            nn.MaxPool2d(2),
            nn.GELU(),  # [N, 64, 7, 7]
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(64 * 7 * 7, 128),
            nn.GELU(),
        )
        self.head = nn.Linear(128, classes)

    def features(self, x: Tensor) -> Tensor:
        """Pixels in [0, 1] [N, 1, 28, 28] -> penultimate features [N, 128]."""
        return self.body((x - self.mean) / self.std)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


class DepthwiseBlock(nn.Module):
    """ConvNeXt block (Liu et al. 2022): x + MLP(norm(depthwise 5x5(x))), the MLP and norm at each pixel."""

    def __init__(self, channels: int):
        super().__init__()
        self.mix = nn.Conv2d(channels, channels, 5, padding=2, groups=channels)
        self.mlp = nn.Sequential(
            nn.LayerNorm(channels), nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.mlp(self.mix(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class DepthwiseNet(nn.Module):
    """A residual trunk of depthwise convolutions at 7x7, layer norm, no pooling; same interface as `JudgeNet`."""

    def __init__(self, classes: int = 10, mean: float = 0.1307, std: float = 0.3081):
        super().__init__()
        self.mean, self.std = mean, std
        self.body = nn.Sequential(
            nn.Conv2d(1, 32, 4, stride=2, padding=1),  # [N, 32, 14, 14]
            nn.GELU(),
            nn.Conv2d(32, 96, 3, stride=2, padding=1),  # [N, 96, 7, 7]
            *[DepthwiseBlock(96) for _ in range(4)],
        )
        self.norm = nn.LayerNorm(96)
        self.head = nn.Linear(96, classes)

    def features(self, x: Tensor) -> Tensor:
        """Pixels in [0, 1] [N, 1, 28, 28] -> penultimate features [N, 96]."""
        return self.norm(self.body((x - self.mean) / self.std).mean((2, 3)))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


NETS = {"JudgeNet": JudgeNet, "SelectorNet": SelectorNet, "DepthwiseNet": DepthwiseNet}


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


@lru_cache(maxsize=8)
def load_judge(name: str | Path = "classifier") -> Judge:
    """The judge called `name` under `checkpoints/judges/`, or the one in the folder `name`.

    `UserError` names the file that is missing or damaged.
    """
    folder = JUDGES / name  # an absolute path replaces the left side
    card = read_card(folder)
    weights, sha256 = read_weights(folder / "model.safetensors", card)
    if card.get("architecture") not in NETS:
        raise UserError(f"{folder / 'card.json'}: unknown architecture. Known: {', '.join(NETS)}.")
    net = NETS[card["architecture"]](classes=len(card["class_names"]))
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
