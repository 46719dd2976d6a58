"""Where images come from: a checkpoint, the real test set, a file, a folder, or somebody else's program.

All look the same to the scorers. A source names its images by (label, seed): `plan` says which there are,
`images` delivers them. What is read or run lies in files of its own; here they are given their names.
"""

import hashlib
import os
from dataclasses import fields
from pathlib import Path

import torch
from torch import Tensor

from diffusion_core import checkpoint, data, noise
from diffusion_core.checkpoint import Checkpoint, revision
from diffusion_core.config import SampleConfig, to_dict
from diffusion_core.generate import Watch, generate
from diffusion_core.lead import Lead
from diffusion_core.schedules import noise_levels
from eval import callables, idx, npz, pipelines
from eval.errors import UserError
from eval.folders import read_folder
from eval.rows import RowsSource, digest
from eval.source_base import ImageSource, Progress, Source, SourceInfo, shown
from eval.tables import read_parquet

__all__ = [
    "CHECKPOINTS", "CheckpointSource", "ImageSource", "NpzSource", "RealSource", "Source", "SourceInfo",
    "checkpoint_folder", "checkpoint_names", "open_source", "revision",
]  # fmt: skip

CHECKPOINTS = data.ROOT / "checkpoints"
READERS = {
    "npz": lambda path, form: npz.read_rows(path),
    "folder": read_folder,
    "parquet": read_parquet,
    "idx": idx.read_idx,
}


class DrawnSource(Source):
    """Images that are drawn when asked for, as many as one likes, and kept nowhere."""

    def plan(self, per_class: int | None, seed: int = 0) -> tuple[Tensor, Tensor]:
        """Where the source takes no labels, they are all -1 and the seeds are the same."""
        if per_class is None:
            raise UserError(f"A {self.kind} draws any number of images: say how many per class.")
        labels, seeds = noise.plan(per_class, seed, len(self.class_names))
        return labels if self.info.labelled else torch.full_like(labels, -1), seeds


class CheckpointSource(DrawnSource):
    """Images drawn from a checkpoint: a folder, or one already loaded. Keeps no image."""

    def __init__(self, where: str | Path | Checkpoint, sample: SampleConfig | None = None, lead: Lead | None = None):
        """`sample` None means the settings that the checkpoint recommends; `lead`: by what the images are led."""
        self.checkpoint = where if isinstance(where, Checkpoint) else checkpoint.load(where)
        meta = self.checkpoint.meta
        self.sample = (sample or meta.sample).validate()
        self.lead = lead if lead and lead.scale else None
        settings, led = _settings(self.sample), {}
        if self.lead:
            led[f"{lead.name}_guidance"] = lead.scale
            settings += f"-{lead.name}{lead.scale:g}"
        super().__init__(
            SourceInfo(
                id=f"{self.checkpoint.name}@{meta.sha256[:12]}/{settings}",
                kind="checkpoint",
                name=self.checkpoint.name,
                dataset=meta.dataset,
                class_names=data.spec(meta.dataset).class_names,
                settings=settings,
                sample=to_dict(self.sample) | led,
                sha256=meta.sha256,
                images_seen=meta.images_seen,
                rewards=tuple(dict.fromkeys((*meta.rewards, *(lead.scorers if self.lead else ())))),
                config={key: value for key, value in to_dict(meta).items() if key in ("network", "train", "parent")},
            )
        )

    @property
    def sigmas(self) -> tuple[float, ...]:
        """The noise level of every denoising step, falling; model range."""
        sample = self.sample
        return tuple(noise_levels(sample)[:-1].tolist())

    def images(
        self, labels: Tensor, seeds: Tensor, progress: Progress | None = None, watch: Watch | None = None
    ) -> Tensor:
        """`watch(i, rows, estimates, blind)` sees the estimates made at `sigmas[i]` (see `generate`)."""
        return generate(self.checkpoint, labels, seeds, self.sample, progress, watch, self.lead)


class ProgramSource(DrawnSource):
    """Images from somebody else's program."""

    def __init__(self, program: pipelines.Pipeline | callables.Function):
        super().__init__(program.info)
        self._program = program

    def images(self, labels: Tensor, seeds: Tensor, progress: Progress | None = None) -> Tensor:
        return self._program.draw(labels, seeds, progress)


class RealSource(Source):
    """Real images of a split; an image's seed is its index in the split."""

    def __init__(self, split: str = "test", dataset: str = "mnist"):
        self.data = data.load(dataset, split)
        sha256 = digest(self.data.images, self.data.labels)
        names = self.data.spec.class_names
        name = f"real/{dataset}-{split}@{sha256[:12]}"
        super().__init__(SourceInfo(name, "real", "real", dataset, names, sha256=sha256, origin=self.data.spec.origin))

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


class NpzSource(RowsSource):
    """Images from an .npz file (its form: eval/npz.py)."""

    def __init__(self, path: str | Path, dataset: str = "mnist"):
        super().__init__(path, "npz", npz.read_rows(path), data.spec(dataset))


def open_source(
    name: str, sample: SampleConfig | None = None, folder: Path = CHECKPOINTS, dataset: str = "mnist"
) -> ImageSource:
    """The source called `name`; `UserError` where there is none, or where it does not hold images of `dataset`.

    "real"; a checkpoint's folder, or its name under `folder`; an .npz, .parquet or IDX file; a folder (or .zip)
    of images, or of parquet files; a folder of diffusers; `module:function`, which runs that module's code.
    """
    name = _inside(name)
    kind, form = _kind(name, folder), data.spec(dataset)
    if sample is not None and kind not in ("checkpoint", None):
        raise UserError(f"Sampling settings apply to checkpoints only; '{shown(name, 80)}' is not one.")
    if kind == "real":
        return RealSource(dataset=dataset)
    if kind == "checkpoint":
        return CheckpointSource(_place(name, folder), sample)
    if kind in READERS:
        return RowsSource(name, kind, READERS[kind](name, form), form)
    if kind == "diffusers":
        return ProgramSource(pipelines.Pipeline(name, form))
    if kind == "callable":
        return ProgramSource(callables.Function(name, form))
    known = ", ".join(["real", *checkpoint_names(folder)])
    raise UserError(
        f"There is no '{shown(name, 80)}'. Known: {known}; or give an .npz, .parquet or IDX file, "
        "a folder of images or of diffusers, or module:function."
    )


def _inside(name: str) -> str:
    """The file of images in a folder that was exported as npz or IDX; other names as they are."""
    files = (os.path.join(name, inner) for inner in (npz.ARRAYS, idx.TORCHVISION, idx.COLOUR))
    return next(filter(os.path.isfile, files), name)


def _kind(name: str, folder: Path) -> str | None:
    """What `name` looks like; a file need not be there."""
    if name == "real":
        return "real"
    low = name.lower()
    if low.endswith((".npz", ".parquet", ".zip")):
        return {".npz": "npz", ".zip": "folder"}.get(low[-4:], "parquet")
    if idx.NAME.search(name):
        return "idx"
    if _place(name, folder):
        return "checkpoint"
    if os.path.isdir(name):
        if pipelines.is_pipeline(name):
            return "diffusers"
        return "parquet" if any(Path(name).glob("*.parquet")) else "folder"
    return "callable" if callables.NAME.fullmatch(name) else None


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
    return "-".join(parts + [f"{key}{_short(getattr(sample, key))}" for key in changed])


def _short(value: float | tuple[float, ...]) -> str:
    """As part of the name of a folder: a number or two as they are, a longer list by the beginning of its checksum."""
    if isinstance(value, tuple) and len(value) > 2:
        return hashlib.sha256(repr(value).encode()).hexdigest()[:6]
    return "to".join(f"{number:g}" for number in (value if isinstance(value, tuple) else (value,)))
