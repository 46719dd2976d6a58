"""Names for configs. A line each, with what was measured for it (README.md has the command)."""

from dataclasses import replace
from typing import NamedTuple

from diffusion_core.checkpoint import CheckpointMeta
from diffusion_core.config import DistillConfig, NetworkConfig, SampleConfig, TrainConfig, TuneConfig
from diffusion_core.data import DATASETS, DataSpec, own, spec
from diffusion_core.errors import UserError
from diffusion_core.schedules import interpolated, noise_levels


class Preset(NamedTuple):
    network: NetworkConfig
    train: TrainConfig
    sample: SampleConfig
    distill: DistillConfig | None = None  # of a student
    tune: TuneConfig | None = None  # of a checkpoint that follows a reward
    minutes: float = 30  # of training, unless another end is asked for


LEAN = NetworkConfig(channels=(64, 96), norm="none", up_conv="low")  # chosen in LOG.md, "The recipe"
LEVELS = (40.0, 15.28, 6.41, 3.509, 2.112, 1.144, 0.4828, 0.1642)  # found by `python -m benchmarks.levels`
DRAWN = SampleConfig("unipc", steps=8, guidance=1.5, interval=(0.5, 5.0), levels=LEVELS)  # chosen in docs/sampling.md
MUON = TrainConfig(optimizer="muon", muon_lr=0.01, batch=128)

WIDER = replace(LEAN, channels=(64, 128))
PLAIN = SampleConfig("unipc", steps=10, guidance=1.5, interval=(0.5, 5.0))  # before anything was chosen for a model

# One recipe, two lengths: its rates fall with the images seen and not towards a planned end. By the classifier, n =
# 10,000 (`python -m benchmarks quality`): 99.46 % right, FD 4.3 times its floor, recall .934; 99.35 %, 7.8, .920.
PRESETS = {
    "mnist": Preset(LEAN, MUON, DRAWN, minutes=55),
    "mnist-fast": Preset(LEAN, MUON, replace(DRAWN, guidance=1.7), minutes=10),
    "fashion": Preset(WIDER, replace(MUON, dataset="fashion"), replace(PLAIN, steps=16, guidance=1.25), minutes=100),
}
STUDENT_TRAIN = TrainConfig(optimizer="muon", muon_lr=2e-3, lr=1e-4, batch=128)
STUDENT_EXTRA = 0.1  # guidance above the teacher's own, built into the student
SECOND_LEVEL = 1.2  # of the noise added between two calls; chosen in docs/sampling.md
MOST_CALLS = 4  # that a student is trained for


TUNE_TRAIN = TrainConfig(batch=64, lr=1e-5, warmup_images=1_000, decay_images=20_000, label_dropout=0.0)


def preset(name: str) -> Preset:
    """The preset, or what fits the data set, called `name`. `UserError` with the known names if there is none."""
    if name in PRESETS:
        return PRESETS[name]
    if name in DATASETS or name in own():
        return fitting(spec(name))
    known = dict.fromkeys((*PRESETS, *DATASETS, *own()))
    raise UserError(f"There is no preset '{name}'. Known: {', '.join(known)}.")


def fitting(data: DataSpec) -> Preset:
    """For a data set that no preset was chosen for: folded to feature maps of 14 to 16 pixels."""
    network = replace(WIDER, image=data.shape, classes=len(data.class_names), patch=max(2, data.shape[1] // 16))
    return Preset(network, replace(MUON, dataset=data.name), PLAIN)


def continued(start: CheckpointMeta) -> Preset:
    """What a checkpoint was trained by, to train it as long again. `UserError` for a student or a tuned one."""
    if start.distill or start.tune:
        raise UserError("Only a checkpoint that was trained on images alone can be trained longer. Give its teacher.")
    return Preset(start.network, start.train, start.sample, minutes=2 * start.train_seconds / 60)


def student(teacher: CheckpointMeta) -> Preset:
    """The student of a teacher: its network, and guidance built in. `UserError` if it is one itself."""
    if teacher.distill:
        raise UserError("This checkpoint is a student itself. Give its teacher.")
    if teacher.network.kind != "unet":  # the critic is made of its encoder
        raise UserError("Only a U-Net can be a teacher, and this checkpoint is none.")
    drawn = teacher.sample
    path = tuple(noise_levels(drawn)[:-1].tolist())
    guidance = round(drawn.guidance + STUDENT_EXTRA, 6)
    used = (path[0], SECOND_LEVEL)  # of two calls; one call starts at the first, four lie between them
    levels = tuple(interpolated(used, MOST_CALLS)[:-1].tolist())
    distill = DistillConfig(guidance, drawn.interval, path, levels)
    sample = SampleConfig("consistency", steps=len(used), guidance=1.0, levels=used)
    return Preset(teacher.network, replace(STUDENT_TRAIN, dataset=teacher.dataset), sample, distill)


def tuned(parent: CheckpointMeta, tune: TuneConfig) -> Preset:
    """What a parent becomes by following a reward: its network, drawn as it is drawn but without guidance."""
    train = replace(TUNE_TRAIN, dataset=parent.dataset)
    return Preset(parent.network, train, replace(parent.sample, guidance=1.0), parent.distill, tune, minutes=15)
