"""What is needed only to go on with a training run: one file, replaced whole, kept out of git."""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from diffusion_core.checkpoint import write_synced
from diffusion_core.config import NetworkConfig, TrainConfig, to_dict
from diffusion_core.errors import UserError
from diffusion_core.train import Trainer

FILE = "resume/state.safetensors"


def save_state(folder: Path, trainer: Trainer, network: NetworkConfig, progress: dict) -> None:
    """Weights, EMA, optimizer moments and count; `progress` is the caller's, JSON types only."""
    tensors = {f"model.{k}": v for k, v in trainer.denoiser.network.state_dict().items()}
    tensors |= {f"ema.{k}": v for k, v in trainer.average.network.state_dict().items()}
    for name, parameter in trainer.denoiser.network.named_parameters():
        for key, value in trainer.optimizer.state[parameter].items():
            tensors[f"adam.{key}.{name}"] = value
    tensors = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    header = {
        "step": trainer.step,
        "network": to_dict(network),
        "train": to_dict(trainer.config),
        "progress": progress,
    }
    path = folder / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    write_synced(path, save(tensors, metadata={"run": json.dumps(header)}))


def load_state(folder: Path, trainer: Trainer, network: NetworkConfig) -> dict:
    """Put a saved run into `trainer`; returns the caller's `progress`.

    `UserError` if the file is damaged, or if the run was started with another config: then the
    message lists what differs.
    """
    path = folder / FILE
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads(file.metadata()["run"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is damaged ({error}). Delete {folder} to start afresh.") from None
    _same_config(header, network, trainer.config)
    trainer.denoiser.network.load_state_dict(_part(tensors, "model."))
    trainer.average.network.load_state_dict(_part(tensors, "ema."))
    for name, parameter in trainer.denoiser.network.named_parameters():
        if f"adam.step.{name}" in tensors:
            trainer.optimizer.state[parameter] = {
                key: _like(tensors[f"adam.{key}.{name}"], parameter) for key in ("step", "exp_avg", "exp_avg_sq")
            }
    trainer.step = header["step"]
    return header["progress"]


def _part(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def _like(value: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    """On the parameter's device and in its memory layout, which decides the rounding of fused updates."""
    return torch.empty_like(parameter).copy_(value) if value.ndim else value.to(parameter.device)


def _same_config(header: dict, network: NetworkConfig, config: TrainConfig) -> None:
    now = {"network": to_dict(network), "train": to_dict(config)}
    now = json.loads(json.dumps(now))
    changed = [
        f"{part}.{key} {header[part].get(key)!r} -> {value!r}"
        for part in now
        for key, value in now[part].items()
        if header[part].get(key) != value
    ]
    if changed:
        raise UserError(f"This folder holds a run with another config ({'; '.join(changed)}). Choose another --out.")
