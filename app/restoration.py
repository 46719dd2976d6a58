"""A damaged image and several ways it may have been: the request, the candidates, and which class it is. No gradio."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from diffusion_core import data
from diffusion_core.checkpoint import Checkpoint
from diffusion_core.damage import MAX_NOISE, Damage
from diffusion_core.data import DataSpec
from diffusion_core.errors import UserError
from diffusion_core.noise import MAX_SEED
from diffusion_core.noise_level import estimated_noise, uncut
from diffusion_core.operators import Mask
from diffusion_core.recognise import log_likelihoods, probabilities
from diffusion_core.restore import RestoreConfig, damaged, measurement, restoring
from eval.images import MAX_FILE, decode

MAX_CANDIDATES = 16
REAL = "test:"  # how a real test image is named: test:17


class Case(NamedTuple):
    """What is restored, and how. `recorded` float [1, ...] as the damage leaves it, pixels in [0, 1]; `original` uint8
    [1, C, H, W] where it is known; `label` None where it is not."""

    recorded: Tensor
    damage: Damage
    original: Tensor | None
    label: int | None
    count: int
    seed: int
    config: RestoreConfig

    @property
    def seeds(self) -> Tensor:
        """One a candidate, int64 [count]."""
        return self.seed + torch.arange(self.count)

    def labels(self, unknown: int) -> Tensor:
        """The label of every candidate, int64 [count]; `unknown` where it is not known."""
        return torch.full((self.count,), unknown if self.label is None else self.label)

    def validate(self) -> "Case":
        """Itself, or `UserError`."""
        self.config.validate()
        if not 1 <= self.count <= MAX_CANDIDATES:
            raise UserError(f"The number of candidates must be from 1 to {MAX_CANDIDATES}, not {self.count}.")
        if not 0 <= self.seed <= MAX_SEED - self.count:
            raise UserError(f"The seed must be from 0 to {MAX_SEED - self.count}, not {self.seed}.")
        return self


def candidates(checkpoint: Checkpoint, case: Case) -> Iterator[Tensor]:
    """Estimates of all candidates, uint8 [K, C, H, W], again and again; the last ones are the result."""
    m = measurement(case.recorded, case.damage, checkpoint.spec).rows(torch.zeros(case.count, dtype=torch.long))
    labels = case.labels(checkpoint.meta.network.classes)
    yield from restoring(checkpoint, m, labels, case.seeds, case.config)


def which(checkpoint: Checkpoint, images: Tensor, seed: int) -> Tensor:
    """p(label | what was recorded), float [classes]: the mean of p(label | x0) over candidates uint8 [K, C, H, W] that
    were drawn without a label."""
    seeds = seed + torch.arange(len(images))
    return probabilities(log_likelihoods(checkpoint, images, seeds)).mean(0)


def hurt(original: Tensor, damage: Damage, seed: int) -> Tensor:
    """What is recorded of one whole image uint8 [1, C, H, W]."""
    return damaged(original, damage, torch.tensor([seed]))


def picture(case: Case, spec: DataSpec) -> Tensor:
    """What was recorded, as a picture uint8 [1, C, H, W]: as it is where it has the image's size, else (few pixels, any
    matrix) the smallest image that explains it. Where nothing was recorded it is paper."""
    operator, recorded = case.damage.operator, case.recorded
    if recorded[0].numel() == math.prod(spec.shape):
        pixels = recorded.view(1, *spec.shape)
    else:
        pixels = operator.adjoint(operator.solve(recorded, case.damage.noise**2))
    return pixels.mul(255).round().clamp(0, 255).to(torch.uint8)


# ---------------------------------------------------------------- what people give


def real_image(index: int, dataset: str) -> tuple[Tensor, int]:
    """A real test image uint8 [1, C, H, W] and its label; `UserError` where there is none of this number."""
    test = data.load(dataset, "test")
    if not 0 <= index < len(test.labels):
        raise UserError(f"There is no test image {index}: they go from 0 to {len(test.labels) - 1}.")
    return test.images[index : index + 1], int(test.labels[index])


def image_file(path: Path, spec: DataSpec, shape: tuple[int, int] | None = None) -> Tensor:
    """One image file as uint8 [1, C, H, W], of the data set's size or of `shape`; `UserError` names the file."""
    form = replace(spec, shape=(spec.shape[0], *(shape or spec.shape[1:])))
    try:
        if path.stat().st_size > MAX_FILE:
            raise UserError(f"it is larger than {MAX_FILE >> 20} MB.")
        return torch.from_numpy(decode(path.read_bytes(), form).copy())[None]
    except UserError as error:
        raise UserError(f"{path.name}: {error}") from None
    except OSError as error:
        raise UserError(f"{path.name} cannot be read ({error.strerror}).") from None


def known_pixels(hidden: np.ndarray, spec: DataSpec) -> Mask:
    """The mask of a picture in which what is missing is painted, bool [H, W]; `UserError` for none of it or all."""
    if hidden.shape != spec.shape[1:]:
        raise UserError(f"The mask must be {spec.shape[2]}x{spec.shape[1]} pixels, as the image is.")
    if not hidden.any():
        raise UserError("The mask hides nothing: paint what is missing in white.")
    if hidden.all():
        raise UserError("The mask hides everything: leave some of the image to be seen.")
    return Mask(torch.from_numpy(~hidden))


def recorded_file(pixels: Tensor, damage: Damage, noise: float | None) -> tuple[Tensor, Damage]:
    """What a file holds, uint8 [1, ...], as a measurement float with its noise: `noise`, or estimated where it is None.

    `UserError` for a noise out of range, or where none is found.
    """
    values = pixels.float() / 255
    if noise is None:
        noise = estimated_noise(values)
        if noise == 0:
            raise UserError("No noise was found in this picture: it is clean, or was smoothed. Give its strength.")
    if not 0 <= noise <= MAX_NOISE:
        raise UserError(f"The noise must be from 0 to {MAX_NOISE:g}, not {noise:g}: white is 1.")
    if noise and isinstance(damage.operator, Mask):
        values = uncut(values, noise)
    return values, damage._replace(noise=max(noise, damage.noise))
