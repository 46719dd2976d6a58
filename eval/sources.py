"""Where images come from: a checkpoint, the real test set, or a file. All look the same to the scorers.

A source names its images by (label, seed): `plan` says which there are, `images` delivers them.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from diffusion_core import checkpoint, data, noise
from diffusion_core.checkpoint import Checkpoint, revision
from diffusion_core.config import SampleConfig, to_dict
from diffusion_core.generate import generate
from eval.errors import UserError
from eval.npz import read_npz

__all__ = [
    "CHECKPOINTS", "CheckpointSource", "ImageSource", "NpzSource", "RealSource", "Source", "SourceInfo",
    "checkpoint_folder", "checkpoint_names", "open_source", "revision",
]  # fmt: skip

CHECKPOINTS = data.ROOT / "checkpoints"
Progress = Callable[[int, int], None]  # (images done, images in all)


@dataclass(frozen=True)
class SourceInfo:
    """What a report says about where its images came from."""

    id: str  # changes when the images do
    kind: str  # "checkpoint", "real" or "npz"
    name: str
    dataset: str
    class_names: tuple[str, ...]
    settings: str = ""  # short form of `sample`, for names of reports
    sample: dict | None = None  # sample config of a checkpoint
    sha256: str | None = None  # of the weights, or of the images
    images_seen: int | None = None  # in training
    rewards: tuple[str, ...] = ()  # scorers it was tuned against: their scores are no evidence


class ImageSource(Protocol):
    """What scoring needs. Labels and seeds are int64 [N], images uint8 [N, C, H, W]."""

    info: SourceInfo
    id: str
    kind: str
    name: str
    class_names: tuple[str, ...]

    def plan(self, per_class: int | None, seed: int = 0) -> tuple[Tensor, Tensor]:
        """Labels and seeds of `per_class` images of each class; None = all there are."""

    def images(self, labels: Tensor, seeds: Tensor, progress: Progress | None = None) -> Tensor:
        """The images so named, in that order."""


class Source:
    """What all sources share: an `info`, and shorthands for its parts."""

    def __init__(self, info: SourceInfo):
        self.info = info

    @property
    def id(self) -> str:
        return self.info.id

    @property
    def kind(self) -> str:
        return self.info.kind

    @property
    def name(self) -> str:
        return self.info.name

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.info.class_names


class CheckpointSource(Source):
    """Images drawn from a checkpoint: a folder, or one already loaded. Keeps no image."""

    def __init__(self, where: str | Path | Checkpoint, sample: SampleConfig | None = None):
        """`sample` None means the settings that the checkpoint recommends."""
        self.checkpoint = where if isinstance(where, Checkpoint) else checkpoint.load(where)
        meta = self.checkpoint.meta
        self.sample = (sample or meta.sample).validate()
        settings = _settings(self.sample)
        super().__init__(
            SourceInfo(
                id=f"{self.checkpoint.name}@{meta.sha256[:12]}/{settings}",
                kind="checkpoint",
                name=self.checkpoint.name,
                dataset=meta.dataset,
                class_names=data.spec(meta.dataset).class_names,
                settings=settings,
                sample=to_dict(self.sample),
                sha256=meta.sha256,
                images_seen=meta.images_seen,
                rewards=meta.rewards,
            )
        )

    def plan(self, per_class: int | None, seed: int = 0) -> tuple[Tensor, Tensor]:
        if per_class is None:
            raise UserError("A checkpoint draws any number of images: say how many per class.")
        return noise.plan(per_class, seed, len(self.class_names))

    def images(self, labels: Tensor, seeds: Tensor, progress: Progress | None = None) -> Tensor:
        return generate(self.checkpoint, labels, seeds, self.sample, progress)


class RealSource(Source):
    """Real images of a split; an image's seed is its index in the split."""

    def __init__(self, split: str = "test", dataset: str = "mnist"):
        self.data = data.load(dataset, split)
        sha256 = _digest(self.data.images, self.data.labels)
        names = self.data.spec.class_names
        name = f"real/{dataset}-{split}@{sha256[:12]}"
        super().__init__(SourceInfo(name, "real", "real", dataset, names, sha256=sha256))

    def plan(self, per_class: int | None, seed: int = 0) -> tuple[Tensor, Tensor]:
        """None: the whole split in its order. Otherwise a draw without return that only `seed` decides."""
        labels = self.data.labels
        if per_class is None:
            return labels.clone(), torch.arange(len(labels))
        noise.plan(per_class, seed, len(self.class_names))  # the same limits as for any other plan
        shuffled = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
        by_class = [shuffled[labels[shuffled] == d] for d in range(len(self.class_names))]
        fewest = min(map(len, by_class))
        if per_class > fewest:
            raise UserError(f"The rarest class has {fewest} real images: ask for at most {fewest} per class.")
        seeds = torch.stack([rows[:per_class] for rows in by_class], dim=1).flatten()
        return labels[seeds], seeds

    def images(self, labels: Tensor, seeds: Tensor, progress: Progress | None = None) -> Tensor:
        if len(seeds) and not 0 <= int(seeds.min()) <= int(seeds.max()) < len(self.data.labels):
            raise UserError(f"The seed of a real image is its index: 0 to {len(self.data.labels) - 1}.")
        if not torch.equal(self.data.labels[seeds], labels):
            raise UserError("A real image was asked for under another label than its own.")
        if progress:
            progress(len(seeds), len(seeds))
        return self.data.images[seeds]


class NpzSource(Source):
    """Images from an .npz file (its form: eval/npz.py), with the labels and seeds it gives them."""

    def __init__(self, path: str | Path, dataset: str = "mnist"):
        """`UserError` where the file does not hold images and labels of `dataset`'s form."""
        path, spec = Path(path), data.spec(dataset)
        self._images, self._labels, self._seeds = read_npz(path)
        if tuple(self._images.shape[1:]) != spec.shape:
            found, needed = list(self._images.shape[1:]), list(spec.shape)
            raise UserError(f"{path}: images are {found} (channels first); '{dataset}' needs {needed}.")
        highest = int(self._labels.max())
        if highest >= len(spec.class_names):
            raise UserError(f"{path}: label {highest} is outside 0..{len(spec.class_names) - 1}.")
        keys = zip(self._labels.tolist(), self._seeds.tolist(), strict=True)
        self._rows = {key: i for i, key in enumerate(keys)}
        if len(self._rows) < len(self._labels):
            raise UserError(f"{path}: two images have the same label and seed. Leave 'seeds' out.")
        sha256 = _digest(self._images, self._labels, self._seeds)
        name = f"{path.stem}@{sha256[:12]}"
        super().__init__(SourceInfo(name, "npz", path.stem, dataset, spec.class_names, sha256=sha256))

    def plan(self, per_class: int | None, seed: int = 0) -> tuple[Tensor, Tensor]:
        """The first `per_class` of each label, fewer where the file has fewer. `seed` is unused."""
        if per_class is None:
            return self._labels.clone(), self._seeds.clone()
        if per_class < 1:
            raise UserError(f"The count per class must be at least 1, not {per_class}.")
        one_hot = torch.nn.functional.one_hot(self._labels, len(self.class_names))
        nth = (one_hot.cumsum(0) * one_hot).sum(1)  # [N]: this is the nth of its label
        return self._labels[nth <= per_class], self._seeds[nth <= per_class]

    def images(self, labels: Tensor, seeds: Tensor, progress: Progress | None = None) -> Tensor:
        try:
            rows = [self._rows[key] for key in zip(labels.tolist(), seeds.tolist(), strict=True)]
        except KeyError as error:
            raise UserError(f"{self.name} has no image with (label, seed) {error}.") from None
        if progress:
            progress(len(rows), len(rows))
        return self._images[rows]


def open_source(name: str, sample: SampleConfig | None = None, folder: Path = CHECKPOINTS) -> ImageSource:
    """ "real", an .npz file, a checkpoint's folder, or the name of a checkpoint under `folder`."""
    is_file = name.lower().endswith(".npz")
    if sample is not None and (name == "real" or is_file):
        raise UserError(f"Sampling settings apply to checkpoints only; '{name[:80]}' is not one.")
    if name == "real":
        return RealSource()
    if is_file:
        return NpzSource(name)
    if place := _place(name, folder):
        return CheckpointSource(place, sample)
    known = ", ".join(["real", *checkpoint_names(folder)])
    raise UserError(f"There is no '{name[:80]}'. Known: {known}; or give a folder or an .npz file.")


def checkpoint_folder(name: str, folder: Path = CHECKPOINTS) -> Path:
    """A checkpoint's folder, by its name under `folder` or its path; `UserError` lists the names there are."""
    if place := _place(name, folder):
        return place
    known = ", ".join(checkpoint_names(folder)) or "none yet"
    raise UserError(f"There is no checkpoint '{name[:80]}'. Known: {known}.")


def _place(name: str, folder: Path) -> Path | None:
    """Where the checkpoint called `name` is; isfile is False for names that no file can have."""
    places = (folder / name, Path(name)) if name else ()
    return next((place for place in places if os.path.isfile(place / checkpoint.MANIFEST)), None)


def checkpoint_names(folder: Path = CHECKPOINTS) -> list[str]:
    """Names of the folders under `folder` that hold a checkpoint, sorted."""
    return sorted(path.parent.name for path in folder.glob(f"*/{checkpoint.MANIFEST}"))


def _settings(sample: SampleConfig) -> str:
    """ "dpmpp2m10-g1.25", followed by every further field that is not at its default."""
    default = SampleConfig()
    rest = [f.name for f in fields(sample) if f.name not in ("sampler", "steps", "guidance")]
    changed = [key for key in rest if getattr(sample, key) != getattr(default, key)]
    parts = [f"{sample.sampler}{sample.steps}", f"g{sample.guidance:g}"]
    return "-".join(parts + [f"{key}{getattr(sample, key):g}" for key in changed])


def _digest(*tensors: Tensor) -> str:
    """sha256 over the tensors' bytes."""
    return hashlib.sha256(b"".join(t.contiguous().numpy().tobytes() for t in tensors)).hexdigest()
