"""A tiny network and a tiny checkpoint; the analytic oracle is in oracle.py."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from diffusion_core import checkpoint as checkpoints
from diffusion_core.checkpoint import CheckpointMeta
from diffusion_core.config import NetworkConfig, SampleConfig, TrainConfig
from diffusion_core.denoiser import Denoiser
from diffusion_core.presets import Preset
from eval import cache

pytest_plugins = ["tests.browser", "tests.made_data", "tests.stores"]  # fixtures for every file of tests

TINY = NetworkConfig(channels=(16, 32))
TINY_PRESET = Preset(TINY, TrainConfig(batch=16, warmup_images=64), SampleConfig(steps=2))


def random_denoiser(config: NetworkConfig = TINY, seed: int = 0) -> Denoiser:
    """A denoiser whose zero-initialised layers are random too, so that every path carries signal."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        denoiser = Denoiser(config)
        for parameter in denoiser.parameters():
            if not parameter.any():
                torch.nn.init.normal_(parameter, std=0.2)
    return denoiser.eval().requires_grad_(False)


def save_tiny(folder: Path, seed: int = 0, **changes) -> CheckpointMeta:
    """A valid checkpoint of a tiny network in `folder`."""
    meta = CheckpointMeta(
        dataset="mnist",
        network=TINY,
        train=TINY_PRESET.train,
        sample=SampleConfig(steps=4),
        images_seen=160,
        train_seconds=1.0,
    )
    return checkpoints.save(folder, random_denoiser(seed=seed), replace(meta, **changes))


@pytest.fixture(scope="session", autouse=True)
def fresh_cache(tmp_path_factory):
    """Nothing that an older version of the code computed may decide a test; within one run it may be used again, also
    by the processes that share the work, and within one `make test` by its second half."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    kept, cache.CACHE = cache.CACHE, Path(os.environ.get("TESTS_CACHE") or base) / "cache"
    yield
    cache.CACHE = kept


@pytest.fixture
def tiny(tmp_path: Path) -> checkpoints.Checkpoint:
    """A loaded checkpoint of a tiny network."""
    save_tiny(tmp_path / "tiny")
    return checkpoints.load(tmp_path / "tiny")
