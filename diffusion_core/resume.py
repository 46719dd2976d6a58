"""What is needed only to go on with a training run: one file, replaced whole, kept out of git."""

import json
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from diffusion_core.checkpoint import write_synced
from diffusion_core.config import NetworkConfig, with_later
from diffusion_core.errors import UserError
from diffusion_core.train import Trainer

FILE = "resume/state.safetensors"


def save_state(folder: Path, trainer: Trainer, progress: dict) -> None:
    """Weights, EMA, optimizer moments and count; `progress` is the caller's, JSON types only."""
    tensors = {f"{part}.{k}": v for part, module in trainer.parts.items() for k, v in module.state_dict().items()}
    for name, state in _states(trainer):
        tensors |= {f"optimizer.{name}.{key}": value for key, value in state.items()}
    tensors = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    header = {"step": trainer.step, "progress": progress, "configs": trainer.configs()}
    path = folder / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    write_synced(path, save(tensors, metadata={"run": json.dumps(header)}))


def load_state(folder: Path, trainer: Trainer) -> dict:
    """Put a saved run into `trainer`; returns the caller's `progress`.

    `UserError` if the file is damaged, or if the run was started with another config: then the
    message lists what differs.
    """
    path = folder / FILE
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads(file.metadata()["run"])
            before = header["configs"]
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is damaged ({error}). Delete {folder} to start afresh.") from None
    _same_config(before, trainer)
    for part, module in trainer.parts.items():
        module.load_state_dict(_part(tensors, f"{part}."))
    parameters = _parameters(trainer)
    for name, state in _states(trainer):
        saved = _part(tensors, f"optimizer.{name}.")
        state.update({key: _like(value, parameters[name]) for key, value in saved.items()})
    trainer.step = header["step"]
    return header["progress"]


def _parameters(trainer: Trainer) -> dict[str, torch.nn.Parameter]:
    return {f"{part}.{k}": p for part, module in trainer.parts.items() for k, p in module.named_parameters()}


def _states(trainer: Trainer) -> Iterator[tuple[str, dict]]:
    """Every parameter that an optimizer owns, by name, and what that optimizer remembers of it."""
    names = {parameter: name for name, parameter in _parameters(trainer).items()}
    for optimizer in trainer.every_optimizer():
        for parameter in (p for group in optimizer.param_groups for p in group["params"]):
            yield names[parameter], optimizer.state[parameter]


def _part(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def _like(value: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    """On the parameter's device and in its memory layout, which decides the rounding of fused updates."""
    return torch.empty_like(parameter).copy_(value) if value.ndim else value.to(parameter.device)


def _same_config(before: dict, trainer: Trainer) -> None:
    now, before = trainer.configs(), before | {"network": with_later(NetworkConfig, before["network"])}
    changed = [
        f"{part}.{key} {before.get(part, {}).get(key)!r} -> {value!r}"
        for part in now
        for key, value in now[part].items()
        if before.get(part, {}).get(key) != value
    ]
    if changed:
        raise UserError(f"This folder holds a run with another config ({'; '.join(changed)}). Choose another --out.")
