"""Images from a diffusers folder: a pipeline of UNet2DModel and scheduler (model_index.json), or a UNet2DModel alone.

Only safetensors are loaded, no code and nothing from the net. The folder's own scheduler runs: DDPM as many
steps as it was trained with (up to 1,000: it is poor with fewer), every other one 50; to be quicker, save the
folder with a DDIMScheduler. A UNet2DModel without scheduler gets diffusers' DDPMScheduler(). As in
diffusion_core/generate.py every seed has a generator of its own and the network always sees blocks of the same
size, so that an image does not depend on what else is drawn. Pixels of -1..1 become 0..255.
"""

import hashlib
import inspect
import json
from pathlib import Path

import torch
from torch import Tensor

from eval.errors import UserError
from eval.rows import file_name
from eval.source_base import Form, Progress, SourceInfo, shown
from eval.trees import read_file

BLOCK = 16
SCHEDULERS = {  # those whose noise comes from the given generators, or that need none
    f"{name}Scheduler": name.lower().removesuffix("multistep").removesuffix("discrete")
    for name in (
        "DDPM", "DDIM", "PNDM", "DPMSolverMultistep", "DEISMultistep", "UniPCMultistep",
        "EulerDiscrete", "EulerAncestralDiscrete", "HeunDiscrete",
    )
}  # fmt: skip
SCHEDULER = "scheduler_config.json"
MOST_STEPS = 50
MOST_DDPM_STEPS = 1000


def is_pipeline(path: str | Path) -> bool:
    """Whether a folder says that it is of diffusers."""
    path = Path(path)
    return any("_class_name" in _json(path / name) for name in ("model_index.json", "config.json"))


class Pipeline:
    """A loaded folder. `info.settings` says what draws, such as "ddim50"."""

    def __init__(self, path: str | Path, form: Form):
        """`UserError` where diffusers is missing, or the folder does not draw images of `form`."""
        self.where, self.form = shown(path), form
        network, scheduler = _parts(Path(path))
        try:
            self._labelled = _takes_labels(_json(network / "config.json"), form)
            kind = _json(scheduler / SCHEDULER).get("_class_name") if scheduler else "DDPMScheduler"
            if not isinstance(kind, str) or kind not in SCHEDULERS:
                raise UserError(f"scheduler {shown(kind, 60)} is none of {', '.join(SCHEDULERS)}.")
            self._network, self._scheduler = _loaded(network, scheduler, kind)
        except UserError as error:
            raise UserError(f"{self.where}: {error}") from None
        trained = int(self._scheduler.config.num_train_timesteps)
        self._steps = min(trained, MOST_DDPM_STEPS if kind == "DDPMScheduler" else MOST_STEPS)
        files = [*sorted(network.glob("*.safetensors")), network / "config.json"]
        files += [scheduler / SCHEDULER] if scheduler else []
        sha256 = hashlib.sha256(b"".join(_sha256(file) for file in files)).hexdigest()
        name, settings = file_name(path), f"{SCHEDULERS[kind]}{self._steps}"
        self.info = SourceInfo(
            id=f"{name}@{sha256[:12]}/{settings}",
            kind="diffusers",
            name=name,
            dataset=form.name,
            class_names=form.class_names,
            settings=settings,
            sha256=sha256,
            labelled=self._labelled,
        )

    @torch.no_grad()
    def draw(self, labels: Tensor, seeds: Tensor, progress: Progress | None = None) -> Tensor:
        """uint8 [N, C, H, W]; labels are unused where it takes none."""
        done = []
        for start in range(0, len(labels), BLOCK):
            n = min(BLOCK, len(labels) - start)
            fill = start + torch.arange(BLOCK) % n
            try:
                x = self._sampled(labels[fill], seeds[fill])[:n]
            except Exception as error:  # a network and a scheduler that do not fit each other
                raise UserError(f"{self.where} cannot draw: {_said(error)}") from None
            if not x.isfinite().all():
                raise UserError(f"{self.where} draws NaN or infinite pixels.")
            done.append(((x / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8))
            if progress:
                progress(start + n, len(labels))
        return torch.cat(done)

    def _sampled(self, labels: Tensor, seeds: Tensor) -> Tensor:
        """float32 [BLOCK, C, H, W] of -1..1."""
        generators = [torch.Generator().manual_seed(int(seed)) for seed in seeds]
        scheduler, given = self._scheduler, {"class_labels": labels} if self._labelled else {}
        noise = {"generator": generators} if "generator" in inspect.signature(scheduler.step).parameters else {}
        scheduler.set_timesteps(self._steps)
        x = torch.cat([torch.randn(1, *self.form.shape, generator=g) for g in generators])
        x = x * scheduler.init_noise_sigma
        for t in scheduler.timesteps:
            estimate = self._network(scheduler.scale_model_input(x, t), t, **given).sample
            x = scheduler.step(estimate, t, x, **noise).prev_sample
        return x


# ---------------------------------------------------------------------------
# Loading.


def _parts(path: Path) -> tuple[Path, Path | None]:
    """The folders of the network and of the scheduler, if there is one."""
    index = _json(path / "model_index.json")
    if not index:
        return path, next((p for p in (path, path / "scheduler") if (p / SCHEDULER).is_file()), None)
    parts = {key for key, value in index.items() if isinstance(value, list) and value != [None, None]}
    if parts != {"unet", "scheduler"}:
        there = shown(", ".join(sorted(parts)), 100)
        raise UserError(f"{shown(path)}: a pipeline of 'unet' and 'scheduler' is needed; this one has: {there}.")
    return path / "unet", path / "scheduler"


def _takes_labels(config: dict, form: Form) -> bool:
    """Whether the network is class-conditional. `UserError` where it draws anything else than `form`."""
    kind, size, classes = config.get("_class_name"), config.get("sample_size"), len(form.class_names)
    if kind != "UNet2DModel":
        raise UserError(f"its network is {shown(kind, 60)}; UNet2DModel is needed.")
    found, needed = [size, size] if isinstance(size, int) else size, list(form.shape[1:])
    if found != needed:
        raise UserError(f"it draws images of {shown(found, 40)} pixels (sample_size); '{form.name}' needs {needed}.")
    channels = [config.get("in_channels"), config.get("out_channels")]
    if channels != [form.shape[0]] * 2:
        raise UserError(f"its channels in and out are {shown(channels, 40)}; '{form.name}' has {form.shape[0]}.")
    embedded = config.get("num_class_embeds")
    if config.get("class_embed_type") is not None or embedded not in (None, classes, classes + 1):
        raise UserError(f"it does not take the labels 0..{classes - 1} (num_class_embeds {shown(embedded, 20)}).")
    return embedded is not None


def _loaded(network: Path, scheduler: Path | None, kind: str) -> tuple:
    try:
        import diffusers
    except ImportError:
        raise UserError("diffusers is needed to run it: pip install diffusers") from None
    try:
        make = getattr(diffusers, kind)
        steps = make.from_pretrained(str(scheduler), local_files_only=True) if scheduler else make()
        model, found = diffusers.UNet2DModel.from_pretrained(
            str(network), use_safetensors=True, local_files_only=True, low_cpu_mem_usage=False,
            torch_dtype=torch.float32, output_loading_info=True,
        )  # fmt: skip
    except Exception as error:  # diffusers raises nearly anything
        raise UserError(f"diffusers cannot load it: {_said(error)}") from None
    if odd := [*found["missing_keys"], *found["unexpected_keys"], *found["mismatched_keys"]]:
        raise UserError(f"its weights do not fit its config: {shown(odd[0], 80)}.")
    return model.eval().requires_grad_(False), steps


def _json(path: Path) -> dict:
    """A small JSON object; empty where there is none."""
    try:
        value = json.loads(read_file(path, 1 << 20))
    except (ValueError, RecursionError):  # a UserError is a ValueError
        return {}
    return value if isinstance(value, dict) else {}


def _sha256(path: Path) -> bytes:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _said(error: Exception) -> str:
    return shown(f"{type(error).__name__}: {error}", 200)
