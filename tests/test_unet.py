"""Every field of the network's config changes the network."""

from dataclasses import replace

import pytest
import torch

from diffusion_core.config import NetworkConfig
from diffusion_core.errors import UserError
from diffusion_core.unet import BESIDE, Block, UNet
from tests.conftest import TINY, random_denoiser
from tests.oracle import standard_normal

CHANGES = [
    {"norm": "batch"}, {"norm": "rms"}, {"norm": "none"}, {"residual": False}, {"skip": False},
    {"attention": False}, {"conditioning": "add"}, {"conditioning": "concat"}, {"time": False}, {"blocks": 2},
    {"channels": (16, 48)}, {"patch": 1}, {"channels": (16,)}, {"patch": 1, "channels": (8, 8, 8)}, {"up_conv": "low"},
    {"patch": 1, "channels": (8, 16, 32), "up_conv": "low"},
]  # fmt: skip


def output(config: NetworkConfig) -> torch.Tensor:
    x = standard_normal(3, *config.image).float()
    return random_denoiser(config).network(x, torch.zeros(3), torch.tensor([0, 3, config.classes]))


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_each_field_changes_the_output_and_keeps_the_shape(change):
    changed = output(replace(TINY, **change))
    assert changed.shape == (3, 1, 28, 28)
    assert changed.isfinite().all()
    assert (changed - output(TINY)).abs().max() > 1e-3


def test_colour_and_other_sizes():
    config = replace(TINY, image=(3, 32, 32), classes=4)
    assert output(config).shape == (3, 3, 32, 32)


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_every_parameter_gets_a_gradient(change):
    network = random_denoiser(replace(TINY, **change)).network.train().requires_grad_(True)
    x = standard_normal(4, 1, 28, 28).float()
    network(x, torch.linspace(-1, 1, 4), torch.tensor([0, 3, 9, 10])).square().mean().backward()
    silent = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    # A normalisation right after a bias takes the bias out again.
    assert all("bias" in name for name in silent), silent


def test_time_matters():
    network, x = random_denoiser().network, standard_normal(1, 1, 28, 28).float()
    label = torch.tensor([3])
    outputs = [network(x, torch.tensor([c]), label) for c in (-1.5, -1.4, 0.0, 0.9)]
    for i, one in enumerate(outputs):
        assert all((one - other).abs().max() > 1e-3 for other in outputs[:i])


def test_without_time_the_noise_level_has_no_effect_and_the_label_has():
    network, x = random_denoiser(replace(TINY, time=False)).network, standard_normal(1, 1, 28, 28).float()
    outputs = [network(x, torch.tensor([c]), torch.tensor([3])) for c in (-1.5, 0.0, 0.9)]
    assert all(torch.equal(outputs[0], other) for other in outputs[1:])
    assert (network(x, torch.tensor([0.0]), torch.tensor([4])) - outputs[0]).abs().max() > 1e-3


def test_what_is_concatenated_enters_by_channels_of_its_own():
    network = random_denoiser(replace(TINY, conditioning="concat")).network
    blocks = [m for m in network.modules() if isinstance(m, Block)]
    assert all(b.conv2.in_channels == b.conv1.out_channels + BESIDE == b.conv2.out_channels + BESIDE for b in blocks)
    x, time = standard_normal(1, 1, 28, 28).float(), torch.zeros(1)
    told = network(x, time, torch.tensor([3])), network(x, time, torch.tensor([4]))
    assert (told[0] - told[1]).abs().max() > 1e-3
    for block in blocks:
        torch.nn.init.zeros_(block.conv2.weight[:, -BESIDE:])
    assert torch.equal(network(x, time, torch.tensor([3])), network(x, time, torch.tensor([4])))


def test_untrained_network_outputs_zero():
    x = standard_normal(2, 1, 28, 28).float()
    assert not UNet(NetworkConfig())(x, torch.zeros(2), torch.tensor([0, 1])).any()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"norm": "layer"}, "norm 'layer'"),
        ({"conditioning": "cat"}, "conditioning 'cat'"),
        ({"channels": ()}, "at least 1"),
        ({"patch": 3}, "folded"),
        ({"channels": (8, 8, 8, 8)}, "folded"),
    ],
)
def test_impossible_configs_are_named(change, words):
    with pytest.raises(UserError, match=words):
        UNet(replace(TINY, **change))
