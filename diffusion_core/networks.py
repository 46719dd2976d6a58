"""Which network a config means."""

from torch import nn

from diffusion_core.config import KINDS, NetworkConfig
from diffusion_core.errors import UserError
from diffusion_core.transformer import Transformer
from diffusion_core.unet import UNet


def make_network(config: NetworkConfig) -> nn.Module:
    """F(x [N, C, H, W], c_noise [N], label) -> [N, C, H, W]; `UserError` where the config cannot be built."""
    if config.kind not in KINDS:
        raise UserError(f"There is no network {config.kind!r}. Known: {', '.join(KINDS)}.")
    return Transformer(config) if config.kind == "transformer" else UNet(config)
