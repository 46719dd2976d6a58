"""A transformer as the network F(x, c_noise, label): the same interface as the U-Net's, nothing else in common.

Patches as tokens, and blocks that the embedding scales, shifts and gates, each beginning as the identity: DiT with
adaLN-Zero (Peebles & Xie 2023). Large patches of raw pixels need no autoencoder (Li & He 2025, JiT).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diffusion_core.attention import attend
from diffusion_core.config import NetworkConfig
from diffusion_core.errors import UserError
from diffusion_core.unet import EMBEDDING, HEAD, Embedding, zeroed

WIDER = 4  # hidden units of the MLP over the width
UNUSED = ("norm", "residual", "skip", "attention", "up_conv", "conditioning")  # fields of the U-Net alone


def patchify(x: Tensor, patch: int) -> Tensor:
    """[N, C, H, W] -> tokens [N, (H/p)(W/p), C p p], row by row."""
    return F.pixel_unshuffle(x, patch).flatten(2).transpose(1, 2)


def unpatchify(tokens: Tensor, patch: int, height: int, width: int) -> Tensor:
    """The inverse of `patchify` for images of height x width pixels."""
    n, _, c = tokens.shape
    return F.pixel_shuffle(tokens.transpose(1, 2).reshape(n, c, height // patch, width // patch), patch)


def positions(height: int, width: int, channels: int) -> Tensor:
    """[height * width, channels]: sines and cosines of row and column (Vaswani et al. 2017), to start with."""
    frequencies = 10_000 ** -torch.linspace(0, 1, channels // 4)  # [channels / 4]
    row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    angles = [axis.reshape(-1, 1) * frequencies for axis in (row, column)]
    return torch.cat([wave for a in angles for wave in (a.sin(), a.cos())], dim=1)


class Block(nn.Module):
    """Attention, then an MLP; before each the tokens are normed, scaled and shifted, after it gated (adaLN-Zero)."""

    def __init__(self, width: int):
        super().__init__()
        self.heads = width // HEAD
        self.condition = zeroed(nn.Linear(EMBEDDING, 6 * width))
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, WIDER * width), nn.Linear(WIDER * width, width)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        shift1, scale1, gate1, shift2, scale2, gate2 = self.condition(embedding)[:, None].chunk(6, dim=2)  # [N, 1, D]
        x = x + gate1 * self.attend(normed(x) * (1 + scale1) + shift1)
        return x + gate2 * self.narrow(F.gelu(self.widen(normed(x) * (1 + scale2) + shift2)))

    def attend(self, x: Tensor) -> Tensor:
        n, tokens, width = x.shape
        q, k, v = self.qkv(x).view(n, tokens, 3, self.heads, HEAD).permute(2, 0, 3, 1, 4)
        h = attend(q, k, v, self.training)  # [N, heads, tokens, HEAD]
        return self.out(h.transpose(1, 2).reshape(n, tokens, width))


def normed(x: Tensor) -> Tensor:
    """Layer norm without weights: the embedding's scale and shift stand for them."""
    return F.layer_norm(x, x.shape[-1:], eps=1e-6)


class Transformer(nn.Module):
    """F(x [N, C, H, W], c_noise [N], label int [N] or float [N, classes + 1]) -> [N, C, H, W], zero at first."""

    def __init__(self, config: NetworkConfig):
        super().__init__()
        check_transformer(config)
        channels, height, wide = config.image
        self.config, width, folded = config, config.channels[0], channels * config.patch**2
        self.embedding = Embedding(config.classes, config.time)
        self.conv_in = nn.Linear(folded, width)  # named as the U-Net's, which the optimizers know by name
        self.position = nn.Parameter(positions(height // config.patch, wide // config.patch, width))
        self.blocks = nn.ModuleList([Block(width) for _ in range(config.blocks)])
        self.condition_out = zeroed(nn.Linear(EMBEDDING, 2 * width))
        self.conv_out = zeroed(nn.Linear(width, folded))

    def forward(self, x: Tensor, c_noise: Tensor, label: Tensor) -> Tensor:
        embedding = self.embedding(c_noise, label)
        h = self.conv_in(patchify(x, self.config.patch)) + self.position  # [N, tokens, D]
        for block in self.blocks:
            h = block(h, embedding)
        shift, scale = self.condition_out(embedding)[:, None].chunk(2, dim=2)
        return unpatchify(self.conv_out(normed(h) * (1 + scale) + shift), self.config.patch, *x.shape[2:])


def check_transformer(config: NetworkConfig) -> None:
    """`UserError` that says why no transformer can be built from the config."""
    if len(config.channels) != 1 or config.channels[0] < HEAD or config.channels[0] % HEAD:
        raise UserError(f"A transformer has one width, a multiple of {HEAD}, not {config.channels}.")
    if min(*config.image, config.classes, config.patch, config.blocks) < 1:
        raise UserError("Image, classes, patch and blocks must all be at least 1.")
    if config.image[1] % config.patch or config.image[2] % config.patch:
        raise UserError(f"Images of {config.image[1:]} pixels cannot be cut into patches of {config.patch}.")
    for name in UNUSED:
        if getattr(config, name) != NetworkConfig.__dataclass_fields__[name].default:
            raise UserError(f"A transformer has no {name}: leave it as it is.")
