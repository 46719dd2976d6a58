"""The U-Net F(x, c_noise, label). It knows nothing of diffusion.

Ronneberger et al. 2015 (encoder, decoder, skip connections), with the residual blocks and the
embeddings of Ho et al. 2020, on images folded by a pixel-unshuffle so that a CPU has wide and short
feature maps to work on.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diffusion_core.attention import attend
from diffusion_core.config import CONDITIONINGS, NORMS, UP_CONVS, NetworkConfig
from diffusion_core.errors import UserError

EMBEDDING = 256
HEAD = 32  # channels an attention head
BESIDE = 32  # channels of the embedding where it is concatenated


class PixelRMSNorm(nn.Module):
    """Root-mean-square norm over the channels of each pixel (Zhang & Sennrich 2019)."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        x = x.permute(0, 2, 3, 1)  # [N, H, W, C], contiguous in channels_last
        return F.rms_norm(x, (x.shape[-1],), self.weight.to(x.dtype), 1e-5).permute(0, 3, 1, 2)


def make_norm(kind: str, channels: int) -> nn.Module:
    """One of NORMS over feature maps [N, channels, H, W]."""
    if kind == "group":
        return nn.GroupNorm(math.gcd(channels, 16), channels)
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    return PixelRMSNorm(channels) if kind == "rms" else nn.Identity()


def zeroed(module: nn.Module) -> nn.Module:
    """The same module, starting at zero: a block that begins as the identity trains more calmly."""
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return module


class Embedding(nn.Module):
    """Noise level and label -> one vector [N, EMBEDDING]. Label `classes` means "no label".

    Without `time` the noise level is left out. A label is int [N], or float [N, classes + 1]: how much of each class's
    vector goes into a mixture.
    """

    def __init__(self, classes: int, time: bool = True):
        super().__init__()
        # c_noise = ln(sigma)/4 spans about two units: periods from 16 units down to 1/8.
        self.register_buffer("frequencies", 2 * math.pi * 2.0 ** torch.linspace(-4, 3, 32), persistent=False)
        told = nn.Sequential(nn.Linear(64, EMBEDDING), nn.SiLU(), nn.Linear(EMBEDDING, EMBEDDING)) if time else None
        self.time = told
        self.label = nn.Embedding(classes + 1, EMBEDDING)

    def forward(self, c_noise: Tensor, label: Tensor) -> Tensor:
        asked = self._mixed(label) if label.is_floating_point() else self.label(label)
        if self.time is None:
            return F.silu(asked)
        angles = c_noise[:, None] * self.frequencies  # [N, 32]
        waves = torch.cat([angles.cos(), angles.sin()], dim=1)  # [N, 64]
        return F.silu(self.time(waves) + asked)

    def _mixed(self, weights: Tensor) -> Tensor:
        """[N, classes + 1] -> [N, EMBEDDING]; no matrix product, which autocast would round to bfloat16."""
        return (weights[:, :, None] * self.label.weight).sum(1)


class Block(nn.Module):
    """Two 3x3 convolutions; between them the embedding enters the feature maps."""

    def __init__(self, config: NetworkConfig, before: int, after: int):
        super().__init__()
        self.residual, self.conditioning = config.residual, config.conditioning
        beside = BESIDE if config.conditioning == "concat" else 0
        self.norm1 = make_norm(config.norm, before)
        self.conv1 = nn.Conv2d(before, after, 3, padding=1)
        self.condition = nn.Linear(EMBEDDING, {"film": 2 * after, "add": after, "concat": beside}[config.conditioning])
        self.norm2 = make_norm(config.norm, after)
        conv2 = nn.Conv2d(after + beside, after, 3, padding=1)
        # Without a residual path a zero output would stop every gradient.
        self.conv2 = zeroed(conv2) if config.residual else conv2
        self.project = nn.Conv2d(before, after, 1) if config.residual and before != after else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        condition = self.condition(embedding)[:, :, None, None]  # [N, C, 2C or BESIDE, 1, 1]
        if self.conditioning == "film":
            scale, shift = condition.chunk(2, dim=1)
            h = self.norm2(h) * (1 + scale) + shift
        elif self.conditioning == "add":
            h = self.norm2(h + condition)
        else:
            h = torch.cat([self.norm2(h), condition.expand(-1, -1, *h.shape[2:])], dim=1)  # [N, C + BESIDE, H, W]
        h = self.conv2(F.silu(h))
        return self.project(x) + h if self.residual else h


class Attention(nn.Module):
    """Self-attention over the pixels of a feature map, with a residual path."""

    def __init__(self, config: NetworkConfig, channels: int):
        super().__init__()
        self.heads = max(1, channels // HEAD)
        self.norm = make_norm(config.norm, channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = zeroed(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        n, c, height, width = x.shape
        qkv = self.qkv(self.norm(x)).flatten(2).transpose(1, 2)  # [N, HW, 3C]
        q, k, v = qkv.reshape(n, -1, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        h = attend(q, k, v, self.training)  # [N, heads, HW, C/heads]
        h = h.transpose(1, 2).reshape(n, height, width, c).permute(0, 3, 1, 2)
        return x + self.out(h)


class UNet(nn.Module):
    """F(x [N, C, H, W], c_noise [N], label int [N] or float [N, classes + 1]) -> [N, C, H, W].

    `label == config.classes` is the null label, a float label a mixture (see `Embedding`). H and W must be divisible by
    patch * 2 ** (levels - 1); `UserError` otherwise, and for an unknown norm or conditioning.
    """

    def __init__(self, config: NetworkConfig):
        super().__init__()
        check_network(config)
        widths, folded = config.channels, config.image[0] * config.patch**2
        self.config = config
        self.embedding = Embedding(config.classes, config.time)
        self.conv_in = nn.Conv2d(folded, widths[0], 3, padding=1)
        self.encoder, self.down = nn.ModuleList(), nn.ModuleList()
        self.decoder, self.up = nn.ModuleList(), nn.ModuleList()
        skips, now = [], widths[0]
        for level, width in enumerate(widths):
            stage = nn.ModuleList()
            for _ in range(config.blocks):
                stage.append(Block(config, now, width))
                now = width
                skips.append(width)
            self.encoder.append(stage)
            last = level == len(widths) - 1
            self.down.append(nn.Identity() if last else nn.Conv2d(width, width, 3, stride=2, padding=1))
        self.middle = nn.ModuleList([Block(config, now, now), Block(config, now, now)])
        self.attention = Attention(config, now) if config.attention else nn.Identity()
        for level, width in reversed(list(enumerate(widths))):
            stage = nn.ModuleList()
            for _ in range(config.blocks):
                stage.append(Block(config, now + (skips.pop() if config.skip else 0), width))
                now = width
            self.decoder.append(stage)
            if level and config.up_conv == "low":
                now = widths[level - 1]
            self.up.append(nn.Conv2d(width, now, 3, padding=1) if level else nn.Identity())
        self.norm_out = make_norm(config.norm, now)
        self.conv_out = zeroed(nn.Conv2d(now, folded, 3, padding=1))

    def forward(self, x: Tensor, c_noise: Tensor, label: Tensor) -> Tensor:
        embedding = self.embedding(c_noise, label)
        h, skips = self.encode(x, embedding)
        for i, (stage, up) in enumerate(zip(self.decoder, self.up, strict=True)):
            for block in stage:
                h = block(torch.cat([h, skips.pop()], dim=1) if self.config.skip else h, embedding)
            if i < len(self.up) - 1:
                low = self.config.up_conv == "low"
                h = F.interpolate(up(h), scale_factor=2.0) if low else up(F.interpolate(h, scale_factor=2.0))
        h = self.conv_out(F.silu(self.norm_out(h)))
        return F.pixel_shuffle(h, self.config.patch)

    def encode(self, x: Tensor, embedding: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The feature maps at the lowest level [N, C, h, w], and those that skip the decoder's lower levels."""
        skips = []
        x = F.pixel_unshuffle(x, self.config.patch)  # [N, C p^2, H/p, W/p]
        h = self.conv_in(x.contiguous(memory_format=torch.channels_last))
        for stage, down in zip(self.encoder, self.down, strict=True):
            for block in stage:
                h = block(h, embedding)
                skips.append(h)
            h = down(h)
        h = self.middle[0](h, embedding)
        return self.middle[1](self.attention(h), embedding), skips


def check_network(config: NetworkConfig) -> None:
    """`UserError` that names the first field no network can be built from."""
    if config.norm not in NORMS:
        raise UserError(f"There is no norm {config.norm!r}. Known: {', '.join(NORMS)}.")
    if config.conditioning not in CONDITIONINGS:
        raise UserError(f"There is no conditioning {config.conditioning!r}. Known: {', '.join(CONDITIONINGS)}.")
    if config.up_conv not in UP_CONVS:
        raise UserError(f"There is no up_conv {config.up_conv!r}. Known: {', '.join(UP_CONVS)}.")
    sizes = (*config.image, config.classes, config.patch, config.blocks, *config.channels)
    if not config.channels or min(sizes) < 1:
        raise UserError("Image, classes, patch, blocks and channels must all be at least 1.")
    factor = config.patch * 2 ** (len(config.channels) - 1)
    if config.image[1] % factor or config.image[2] % factor:
        raise UserError(f"Images of {config.image[1:]} pixels cannot be folded and halved by {factor}.")
