"""The sampling options that `sample` and `score` share."""

import argparse
from dataclasses import replace

from diffusion_core.config import SampleConfig

OPTIONS = ("steps", "sampler", "guidance")  # fields of SampleConfig; what is not given stays as recommended


def add_sampling(parser: argparse.ArgumentParser) -> None:
    """Add --steps, --sampler, --guidance and --clip-guidance."""
    group = parser.add_argument_group("sampling (default: what the checkpoint recommends)")
    group.add_argument("--steps", type=int, help="noise levels; more is slower and seldom better")
    group.add_argument("--sampler", help="dpmpp2m, ipndm, unipc, heun, euler, ancestral or consistency")
    group.add_argument("--guidance", type=float, help="1 = plain conditional, above: truer to the label, less varied")
    group.add_argument("--clip-guidance", type=float, metavar="SCALE", help="lead images by CLIP's margin, such as 2")


def is_given(arguments: argparse.Namespace) -> bool:
    """Whether any sampling option was given."""
    return any(getattr(arguments, option) is not None for option in (*OPTIONS, "clip_guidance"))


def sample_config(recommended: SampleConfig, arguments: argparse.Namespace) -> SampleConfig:
    """`recommended` with the options that were given; `UserError` for a value out of range."""
    given = {option: getattr(arguments, option) for option in OPTIONS if getattr(arguments, option) is not None}
    return replace(recommended, **given).validate()


def lead_of(scale: float | None, dataset: str):
    """Guidance by CLIP (a `Lead`); None where it was not asked for. `UserError` for a scale out of range."""
    if not scale:
        return None
    from diffusion_core.lead import Lead  # the command line is read before torch is loaded
    from eval.rewards import TUNED, reward

    return Lead(reward("clip", dataset), scale, name="clip", scorers=TUNED["clip"]).validate()
