"""Frozen configs, and their strict translation to and from JSON dictionaries."""

import dataclasses
import json
import math
import typing
from dataclasses import dataclass, field
from itertools import pairwise

from diffusion_core.errors import UserError

NORMS = ("group", "batch", "rms", "none")
KINDS = ("unet", "transformer")
CONDITIONINGS = ("film", "add", "concat")
UP_CONVS = ("low", "high")
OPTIMIZERS = ("adam", "muon")
MAX_STEPS = 1000
MAX_SIGMA = 1000.0
LATER = {"later": True}  # of a field that older files do not have: its default is what they meant


@dataclass(frozen=True)
class NetworkConfig:
    """The network F. Every field changes the U-Net; `unet.py` says how.

    A transformer (`transformer.py`) takes image, classes, patch (the side of a token), one width, blocks (its depth)
    and time; the other fields must be left as they are.
    """

    image: tuple[int, int, int] = (1, 28, 28)  # channels, height, width
    classes: int = 10
    patch: int = 2  # pixel-unshuffle factor before the first convolution; 1 = none
    channels: tuple[int, ...] = (64, 128)  # one entry a level; each further level halves the size
    blocks: int = 1  # residual blocks a level, on either side
    norm: str = "group"  # one of NORMS
    residual: bool = True  # add a block's input to its output
    skip: bool = True  # concatenate the encoder's feature maps in the decoder
    attention: bool = True  # self-attention at the lowest level
    up_conv: str = "high"  # convolve after enlarging ("high"), or before, at a fraction of the cost ("low")
    conditioning: str = "film"  # "add": embedding added to the feature maps; "film": scaled as well; "concat": beside
    kind: str = field(default="unet", metadata=LATER)  # one of KINDS
    time: bool = field(default=True, metadata=LATER)  # the network is told the noise level


@dataclass(frozen=True)
class TrainConfig:
    """How F is trained. Images counts are examples seen, so that nothing depends on the batch size."""

    dataset: str = "mnist"
    batch: int = 256
    optimizer: str = "adam"  # one of OPTIMIZERS; "muon": Muon for the inner convolutions, Adam for the rest
    lr: float = 2e-3  # of Adam
    muon_lr: float = 0.02
    warmup_images: int = 10_000  # linear rise of the learning rate
    decay_images: int = 100_000  # afterwards lr / sqrt(images / decay_images), as in EDM2
    betas: tuple[float, float] = (0.9, 0.99)
    clip: float = 1.0  # largest gradient norm
    log_sigma_mean: float = -0.6  # ln sigma ~ N(mean, std^2)
    log_sigma_std: float = 1.2
    label_dropout: float = 0.1  # share of examples trained without their label
    ema_gamma: float = 6.94  # power-function EMA exponent; 6.94 averages over 10 % of the run
    seed: int = 0


@dataclass(frozen=True)
class DistillConfig:
    """How a student of few network calls is made of a teacher (`distill.py`)."""

    guidance: float  # of the teacher, built into the student
    interval: tuple[float, float]
    path: tuple[float, ...]  # noise levels of the teacher's path, falling
    levels: tuple[float, ...]  # noise levels that the student is used at, falling from the first of the path
    polish_after: int = 150_000  # images; then the critic joins in
    critic_weight: float = 0.2
    critic_lr: float = 2e-4
    critic_noise: tuple[float, float] = (-1.0, 1.0)  # ln of the noise level it looks at: mean and deviation


@dataclass(frozen=True)
class TuneConfig:
    """How a checkpoint was tuned by a reward (`reward.py`)."""

    reward: str = "clip"  # its name; diffusion_core knows none
    method: str = "draft"  # one of reward.METHODS
    last: int = 6  # network calls that the gradient goes through: the last ones of the path ("ddpo": any)
    distance: float = 300.0  # price of the difference between the estimates and the parent's, as the loss weighs it
    focus: float = 0.5  # share of the labels that are drawn by need: those that earn little
    candidates: int = 4  # images drawn for each of a batch, of which those that earn least follow the reward


@dataclass(frozen=True)
class SampleConfig:
    """How images are drawn from a trained denoiser."""

    sampler: str = "dpmpp2m"
    steps: int = 10
    guidance: float = 1.25  # 1 = plain conditional model, 0 = unconditional
    interval: tuple[float, float] = (0.0, MAX_SIGMA)  # guided only where low < sigma <= high, plain elsewhere
    sigma_min: float = 0.02
    sigma_max: float = 40.0
    rho: float = 7.0
    levels: tuple[float, ...] = ()  # noise levels found for this model, falling; empty: Karras's (`schedules.py`)

    def validate(self) -> "SampleConfig":
        """Itself, or `UserError` that names the field that is out of range."""
        from diffusion_core.samplers import SAMPLERS  # the registry needs torch; configs do not

        if not isinstance(self.sampler, str) or self.sampler not in SAMPLERS:
            raise UserError(f"There is no sampler {self.sampler!r}. Known: {', '.join(SAMPLERS)}.")
        if isinstance(self.steps, bool) or not isinstance(self.steps, int) or not 1 <= self.steps <= MAX_STEPS:
            raise UserError(f"Steps must be a whole number from 1 to {MAX_STEPS}, not {self.steps!r}.")
        if not _is_finite(self.guidance) or not 0 <= self.guidance <= 20:
            raise UserError(f"Guidance must be a number from 0 to 20, not {self.guidance!r}.")
        numbers = (self.sigma_min, self.sigma_max, self.rho)
        if not all(map(_is_finite, numbers)) or not 0 < self.sigma_min < self.sigma_max or self.rho <= 0:
            raise UserError(f"Noise levels must satisfy 0 < sigma_min < sigma_max and rho > 0, not {numbers}.")
        if len(self.interval) != 2 or not all(map(_is_finite, self.interval)) or self.interval[0] < 0:
            raise UserError(f"The guidance interval must be two noise levels, not {self.interval}.")
        if not all(map(_is_finite, self.levels)) or any(a <= b for a, b in pairwise((*self.levels, 0.0))):
            raise UserError(f"Noise levels must fall and stay above 0, not {self.levels}.")
        return self


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


# ---------------------------------------------------------------------------
# Strict dictionaries: nothing unknown, nothing missing, nothing of another type.


def to_dict(config) -> dict:
    """A dataclass, nested ones included, as plain JSON types."""
    return json.loads(json.dumps(dataclasses.asdict(config)))  # tuples become lists


def from_dict(cls, data: object, where: str = ""):
    """The inverse of `to_dict`. `UserError` names the key that is unknown, missing or mistyped."""
    where = where or cls.__name__
    if not isinstance(data, dict):
        raise UserError(f"{where}: expected an object, found {type(data).__name__}.")
    fields = {f.name: f for f in dataclasses.fields(cls)}
    for key in data:
        if key not in fields:
            raise UserError(f"{where}: unknown key '{key}'. Known: {', '.join(fields)}.")
    for key, one in fields.items():
        if key not in data and not one.metadata.get("later"):
            raise UserError(f"{where}: key '{key}' is missing.")
    hints = typing.get_type_hints(cls)
    return cls(**{key: _coerce(hints[key], value, f"{where}.{key}") for key, value in data.items()})


def with_later(cls, data: dict) -> dict:
    """`data` with the fields that were added to `cls` after it was written, at their defaults."""
    later = (f for f in dataclasses.fields(cls) if f.metadata.get("later"))
    return {f.name: f.default for f in later} | data


def _coerce(kind, value, where: str):
    """`value` from JSON as `kind`: the few kinds that the configs use."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if type(None) in arguments:
        return None if value is None else _coerce(arguments[0], value, where)
    if dataclasses.is_dataclass(kind):
        return from_dict(kind, value, where)
    if origin is tuple and isinstance(value, list | tuple):
        inner = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else arguments
        if len(inner) == len(value):
            return tuple(_coerce(k, v, where) for k, v in zip(inner, value, strict=True))
    elif kind is float and _is_finite(value):
        return float(value)
    elif _is_plain(origin if origin is dict else kind, value):
        return value
    raise UserError(f"{where}: {value!r} does not fit here.")


def _is_plain(kind, value) -> bool:
    """Whether `value` is a `kind` as JSON means it: True is no number."""
    return kind in (int, str, bool, dict) and isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
