"""Names for configs. A line each, with what was measured for it (README.md has the command)."""

from dataclasses import replace
from typing import NamedTuple

from diffusion_core.checkpoint import CheckpointMeta
from diffusion_core.config import DistillConfig, NetworkConfig, SampleConfig, TrainConfig
from diffusion_core.errors import UserError


class Preset(NamedTuple):
    network: NetworkConfig
    train: TrainConfig
    sample: SampleConfig
    distill: DistillConfig | None = None  # of a student


LEAN = NetworkConfig(channels=(64, 96), norm="none", up_conv="low")  # chosen in LOG.md, "The recipe"
MUON = TrainConfig(optimizer="muon", muon_lr=0.01, batch=128)

PRESETS = {
    "mnist": Preset(LEAN, MUON, SampleConfig(guidance=1.35)),
    "mnist-fast": Preset(LEAN, replace(MUON, decay_images=25_000), SampleConfig(guidance=1.35)),
}
STUDENT_TRAIN = TrainConfig(batch=128, lr=3e-4, decay_images=50_000)
STUDENT_SAMPLE = SampleConfig("consistency", steps=2, guidance=1.0, levels=(40.0, 0.8))


def preset(name: str) -> Preset:
    """`UserError` with the known names if there is none called `name`."""
    if name not in PRESETS:
        raise UserError(f"There is no preset '{name}'. Known: {', '.join(PRESETS)}.")
    return PRESETS[name]


def student(teacher: CheckpointMeta) -> Preset:
    """The student of a teacher: its network, and its recommended guidance built in. `UserError` if it is one itself."""
    if teacher.distill:
        raise UserError("This checkpoint is a student itself. Give its teacher.")
    distill = DistillConfig(teacher.sample.guidance, teacher.sample.interval, STUDENT_SAMPLE.levels)
    return Preset(teacher.network, replace(STUDENT_TRAIN, dataset=teacher.dataset), STUDENT_SAMPLE, distill)
