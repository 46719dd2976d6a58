"""The transformer: tokens and back, zero at first, and every input and parameter matters."""

from dataclasses import replace

import pytest
import torch

from diffusion_core import checkpoint as checkpoints
from diffusion_core.checkpoint import CheckpointMeta
from diffusion_core.config import NetworkConfig, SampleConfig, TrainConfig
from diffusion_core.data import load
from diffusion_core.denoiser import Denoiser
from diffusion_core.errors import UserError
from diffusion_core.optimizers import Muon, make_optimizers
from diffusion_core.presets import student
from diffusion_core.resume import load_state, save_state
from diffusion_core.train import Trainer
from diffusion_core.transformer import Block, Transformer, patchify, positions, unpatchify
from tests.conftest import random_denoiser
from tests.oracle import standard_normal

SMALL = NetworkConfig(kind="transformer", patch=4, channels=(64,), blocks=2)


def test_patches_are_the_image_cut_up_and_go_back_where_they_were():
    x = standard_normal(2, 3, 8, 12).float()
    tokens = patchify(x, 4)
    assert tokens.shape == (2, 6, 48)
    assert torch.equal(tokens[1, 4].view(3, 4, 4), x[1, :, 4:8, 4:8])  # row 1, column 1 of 2 x 3 patches
    assert torch.equal(unpatchify(tokens, 4, 8, 12), x)


def test_no_two_positions_are_alike():
    found = positions(7, 7, 64)
    assert found.shape == (49, 64)
    assert (torch.cdist(found, found) + 9 * torch.eye(49)).min() > 0.5


def test_an_untrained_network_outputs_zero_and_its_blocks_are_the_identity():
    x = standard_normal(2, 1, 28, 28).float()
    assert not Transformer(SMALL)(x, torch.zeros(2), torch.tensor([0, 1])).any()
    tokens, embedding = standard_normal(2, 49, 64).float(), standard_normal(2, 256).float()
    assert torch.equal(Block(64)(tokens, embedding), tokens)


@pytest.mark.parametrize("change", [{}, {"patch": 2}, {"time": False}, {"image": (3, 32, 32)}], ids=str)
def test_shapes_and_gradients_of_every_parameter(change):
    config = replace(SMALL, **change)
    network = random_denoiser(config).network.requires_grad_(True)
    x = standard_normal(4, *config.image).float()
    out = network(x, torch.linspace(-1, 1, 4), torch.tensor([0, 3, 9, 10]))
    assert out.shape == x.shape
    out.square().mean().backward()
    assert all(p.grad.any() for p in network.parameters())


def test_noise_level_label_and_place_matter():
    network, x = random_denoiser(SMALL).network, standard_normal(1, 1, 28, 28).float()
    at = network(x, torch.zeros(1), torch.tensor([3]))
    assert (network(x, torch.ones(1), torch.tensor([3])) - at).abs().max() > 1e-3
    assert (network(x, torch.zeros(1), torch.tensor([4])) - at).abs().max() > 1e-3
    moved = network(x.roll(4, 3), torch.zeros(1), torch.tensor([3])).roll(-4, 3)
    assert (moved - at).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("change", "words"),
    [({"channels": (64, 64)}, "one width"), ({"channels": (40,)}, "multiple of 32"), ({"patch": 3}, "patches of 3"),
     ({"norm": "batch"}, "no norm"), ({"skip": False}, "no skip"), ({"kind": "rnn"}, "network 'rnn'"),
     ({"blocks": 0}, "at least 1")],
)  # fmt: skip
def test_impossible_configs_are_named(change, words):
    with pytest.raises(UserError, match=words):
        Denoiser(replace(SMALL, **change))


def test_muon_takes_the_matrices_inside_the_blocks_alone():
    denoiser = Denoiser(SMALL)
    names = {p: name for name, p in denoiser.named_parameters()}
    muon = next(o for o in make_optimizers(denoiser, TrainConfig(optimizer="muon")) if isinstance(o, Muon))
    found = {names[p].split(".", 3)[3] for group in muon.param_groups for p in group["params"]}
    assert found == {"qkv.weight", "out.weight", "widen.weight", "narrow.weight"}


def test_it_learns():
    config = TrainConfig(optimizer="muon", batch=32, warmup_images=64)
    trainer = Trainer(SMALL, config, load("mnist"), torch.device("cpu"))
    losses = [trainer.train_step().loss for _ in range(40)]
    assert sum(losses[-5:]) / 5 < 0.8 * sum(losses[:5]) / 5


def test_no_student_is_made_of_it():
    meta = CheckpointMeta("mnist", SMALL, TrainConfig(), SampleConfig(), 0, 0.0)
    with pytest.raises(UserError, match="Only a U-Net"):
        student(meta)


def test_it_is_saved_and_loaded_as_any_checkpoint(tmp_path):
    denoiser = random_denoiser(SMALL)
    meta = CheckpointMeta("mnist", SMALL, TrainConfig(), SampleConfig(steps=2), 0, 0.0)
    checkpoints.save(tmp_path / "t", denoiser, meta)
    loaded = checkpoints.load(tmp_path / "t")
    call = standard_normal(2, 1, 28, 28).float(), torch.tensor(1.0), torch.tensor([3, 4])
    assert loaded.meta.network == SMALL
    assert torch.equal(loaded.denoiser(*call), denoiser(*call))


def test_a_run_from_before_there_was_a_choice_goes_on(tmp_path, monkeypatch):
    config = NetworkConfig(channels=(16, 32))
    older = Trainer(config, TrainConfig(batch=16), load("mnist"), torch.device("cpu"))
    older.train_step()
    said = older.configs()
    known = {key: value for key, value in said["network"].items() if key not in ("kind", "time")}
    monkeypatch.setattr(older, "configs", lambda: said | {"network": known})
    save_state(tmp_path, older, {"seconds": 1.0})
    newer = Trainer(config, TrainConfig(batch=16), load("mnist"), torch.device("cpu"))
    assert load_state(tmp_path, newer) == {"seconds": 1.0} and newer.step == 1
    untold = Trainer(replace(config, time=False), TrainConfig(batch=16), load("mnist"), torch.device("cpu"))
    with pytest.raises(UserError, match=r"network.time True -> False"):
        load_state(tmp_path, untold)
