"""Names for configs. A line each, with what was measured for it (README.md has the command)."""

from typing import NamedTuple

from diffusion_core.config import NetworkConfig, SampleConfig, TrainConfig
from diffusion_core.errors import UserError


class Preset(NamedTuple):
    network: NetworkConfig
    train: TrainConfig
    sample: SampleConfig


PRESETS = {
    # 645,120 images: 99.35 % right, FD 1.6 times its floor, recall .910 (selector, n = 2,000; docs/sampling.md)
    "mnist": Preset(NetworkConfig(), TrainConfig(), SampleConfig(guidance=1.35)),
}


def preset(name: str) -> Preset:
    """`UserError` with the known names if there is none called `name`."""
    if name not in PRESETS:
        raise UserError(f"There is no preset '{name}'. Known: {', '.join(PRESETS)}.")
    return PRESETS[name]
