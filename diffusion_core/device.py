"""Where to compute, and in what precision: found out, not asked for."""

from contextlib import AbstractContextManager, nullcontext

import torch


def best_device() -> torch.device:
    """CUDA if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def has_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 convolutions run on units made for them; elsewhere they are slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    # torch has no public question for this from 2.8 on; these two have been there all along.
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def training_precision(device: torch.device) -> AbstractContextManager:
    """Autocast to bfloat16 where it pays, otherwise plain float32. Weights stay float32."""
    if has_bfloat16(device):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()
