"""Checkpoints: `model.safetensors` (EMA weights) and `checkpoint.json`, which names their sha256.

A save is a small journal, so that a killed process leaves the previous or the new checkpoint, whole:
both new files are written beside the old ones and synced, then the weights are renamed, then the
manifest. Between the two renames the manifest in force is the `.new` one, and readers know that.
"""

import hashlib
import json
import os
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from diffusion_core.config import (
    LATER,
    MAX_SIGMA,
    DistillConfig,
    NetworkConfig,
    SampleConfig,
    TrainConfig,
    TuneConfig,
    from_dict,
    to_dict,
)  # fmt: skip
from diffusion_core.data import ROOT, DataSpec, adopt, spec
from diffusion_core.denoiser import Denoiser
from diffusion_core.device import best_device
from diffusion_core.errors import UserError

SCHEMA = 3
WEIGHTS, MANIFEST = "model.safetensors", "checkpoint.json"
MAX_BYTES = 1 << 30  # nothing this project trains comes near a gigabyte


@dataclass(frozen=True)
class CheckpointMeta:
    """What `checkpoint.json` holds."""

    dataset: str
    network: NetworkConfig
    train: TrainConfig
    sample: SampleConfig  # recommended
    images_seen: int
    train_seconds: float
    parent: str | None = None  # a student's teacher, NAME@SHA256 (its first 12 digits)
    distill: DistillConfig | None = None  # how the student was made of it
    tune: TuneConfig | None = None  # how it was tuned by a reward
    # Unless it is the published data set of that name: what is known of it without its images.
    data: DataSpec | None = field(default=None, metadata=LATER)
    rewards: tuple[str, ...] = ()  # scorers it was tuned against: their scores are no evidence
    scores: dict = field(default_factory=dict)  # measured, with n and command
    revision: str = ""
    sha256: str = ""
    schema: int = SCHEMA


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint in memory; the denoiser is in evaluation mode and takes no gradient."""

    path: Path
    meta: CheckpointMeta
    denoiser: Denoiser

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def device(self) -> torch.device:
        return next(self.denoiser.parameters()).device

    @property
    def spec(self) -> DataSpec:
        """Its data set as it was trained on: an own one's pixels may have been measured anew since."""
        return self.meta.data or spec(self.meta.dataset)


def write_synced(path: Path, data: bytes) -> None:
    """Write beside `path`, sync, rename, sync the folder: `path` is never half written."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:  # no space left, most likely: what was there before stays, the half file goes
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def revision() -> str:
    """The git revision of the code, "-dirty" if some of it is changed, "" outside of git.

    What lies in checkpoints/ is not code: weights have a checksum of their own, and a report that was just written
    must not make the next one look dirty.
    """
    try:
        changes = _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!checkpoints")
        return _git("rev-parse", "--short=12", "HEAD") + ("-dirty" if changes else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()


def save(folder: Path, denoiser: Denoiser, meta: CheckpointMeta) -> CheckpointMeta:
    """Write the checkpoint; returns `meta` with the checksum of the weights filled in."""
    state = {key: value.detach().cpu().contiguous() for key, value in denoiser.network.state_dict().items()}
    data = save_tensors(state)
    meta = replace(meta, sha256=hashlib.sha256(data).hexdigest())
    folder.mkdir(parents=True, exist_ok=True)
    new_weights, new_manifest = folder / f"{WEIGHTS}.new", folder / f"{MANIFEST}.new"
    write_synced(new_weights, data)
    write_synced(new_manifest, manifest_bytes(meta))
    os.replace(new_weights, folder / WEIGHTS)
    sync_folder(folder)
    os.replace(new_manifest, folder / MANIFEST)
    sync_folder(folder)
    return meta


def save_meta(folder: Path, meta: CheckpointMeta) -> None:
    """Replace the manifest alone, for the same weights (recommended settings, measured scores)."""
    write_synced(folder / MANIFEST, manifest_bytes(meta))


def manifest_bytes(meta: CheckpointMeta) -> bytes:
    return (json.dumps(to_dict(meta), indent=2, allow_nan=False) + "\n").encode()


def read_meta(folder: str | Path) -> CheckpointMeta:
    """The manifest of the checkpoint in `folder`, its weights verified; `UserError` names what is wrong."""
    return _committed(Path(folder))[0]


def load(folder: str | Path) -> Checkpoint:
    """Load and verify a checkpoint, onto CUDA if there is one. `UserError` names what is wrong with which file."""
    folder = Path(folder)
    meta, data = _committed(folder)
    path = folder / WEIGHTS
    denoiser = Denoiser(meta.network)
    expected = denoiser.network.state_dict()
    try:
        state = load_tensors(data)
    except SafetensorError as error:
        raise UserError(f"{path} is not a safetensors file ({error}).") from None
    if state.keys() != expected.keys():
        odd = sorted(state.keys() ^ expected.keys())[0]
        raise UserError(f"{path} does not fit its checkpoint.json: tensor '{odd}'.")
    for key, value in state.items():
        if value.shape != expected[key].shape or value.dtype != expected[key].dtype:
            raise UserError(f"{path}: tensor '{key}' is {tuple(value.shape)}, not {tuple(expected[key].shape)}.")
        if value.is_floating_point() and not value.isfinite().all():
            raise UserError(f"{path}: tensor '{key}' holds NaN or infinite values.")
    denoiser.network.load_state_dict(state)
    denoiser.eval().requires_grad_(False).to(best_device(), memory_format=torch.channels_last)
    return Checkpoint(folder, meta, denoiser)


def _committed(folder: Path) -> tuple[CheckpointMeta, bytes]:
    """The manifest that is in force, and the bytes of the weights it vouches for."""
    if not (folder / MANIFEST).is_file() and not (folder / f"{MANIFEST}.new").is_file():
        raise UserError(f"There is no checkpoint at {folder} (no {MANIFEST}).")
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise UserError(f"{weights} is missing. Restore it, or train again.")
    if weights.stat().st_size > MAX_BYTES:
        raise UserError(f"{weights} is larger than {MAX_BYTES} bytes.")
    data = weights.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    unfinished = folder / f"{MANIFEST}.new"
    meta = _parse(folder / MANIFEST) if (folder / MANIFEST).is_file() else None
    if (meta is None or meta.sha256 != digest) and unfinished.is_file():
        meta = _parse(unfinished)
    if meta is None or meta.sha256 != digest:
        raise UserError(f"{weights} is damaged (its checksum is not the one in {MANIFEST}). Restore it.")
    return meta, data


def _parse(path: Path) -> CheckpointMeta:
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}).") from None
    data = upgraded(data)
    if isinstance(data, dict) and data.get("schema") != SCHEMA:
        raise UserError(f"{path} has schema {data.get('schema')!r}; this version reads {SCHEMA}. Update, or retrain.")
    meta = from_dict(CheckpointMeta, data, path.name)
    if meta.data:
        adopt(meta.data)
    spec(meta.dataset)
    return meta


def upgraded(data: object) -> object:
    """A manifest of schema 1 or 2 as one of 3: what was not a choice then is written down as it was."""
    if not isinstance(data, dict) or data.get("schema") not in (1, 2):
        return data
    if data["schema"] == 1:
        new = {
            "network": {"up_conv": "high"},
            "train": {"optimizer": "adam", "muon_lr": 0.02},
            "sample": {"interval": [0.0, MAX_SIGMA], "levels": []},
        }
        parts = {key: more | data[key] for key, more in new.items() if isinstance(data.get(key), dict)}
        data = data | parts | {"distill": None}
    return data | {"tune": None, "schema": SCHEMA}
