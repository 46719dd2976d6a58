"""Images are named by (checkpoint, config, label, seed) and by nothing else."""

from dataclasses import replace

import pytest
import torch

from diffusion_core import checkpoint as checkpoints
from diffusion_core.config import NetworkConfig, SampleConfig
from diffusion_core.data import load
from diffusion_core.errors import UserError
from diffusion_core.generate import block_size, generate, noised, stream, varied
from diffusion_core.noise import plan
from diffusion_core.samplers import SAMPLERS
from tests.conftest import random_denoiser

CONFIG = SampleConfig(steps=3, guidance=1.5)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The real network's shape with random weights: its kernels are those of the shipped checkpoint."""
    from tests.conftest import save_tiny

    folder = tmp_path_factory.mktemp("model")
    meta = save_tiny(folder / "tiny")
    network = NetworkConfig()
    checkpoints.save(folder / "full", random_denoiser(network), replace(meta, network=network))
    return checkpoints.load(folder / "full")


@pytest.mark.parametrize("sampler", ["dpmpp2m", "ancestral"])
def test_same_bytes_at_any_batch_size_and_position(model, sampler):
    config = replace(CONFIG, sampler=sampler, steps=2)
    labels, seeds = plan(4, 0, 10)  # 40 images: two blocks and a half
    whole = generate(model, labels, seeds, config)
    assert whole.dtype == torch.uint8 and whole.shape == (40, 1, 28, 28)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(1))
    assert torch.equal(generate(model, labels[order], seeds[order], config), whole[order])
    for rows in (slice(0, 1), slice(13, 20), slice(39, 40)):
        assert torch.equal(generate(model, labels[rows], seeds[rows], config), whole[rows])


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_streamed_images_are_the_generated_ones(tiny, sampler):
    config = replace(CONFIG, sampler=sampler)
    labels, seeds = plan(2, 3, 10)
    frames = list(stream(tiny, labels, seeds, config))
    assert [frame.i for frame in frames] == [0, 1, 2, 3] and frames[-1].total == 3
    assert frames[0].sigma == config.sigma_max and frames[-1].sigma == 0
    assert torch.equal(frames[-1].noisy, generate(tiny, labels, seeds, config))
    assert torch.equal(frames[-1].denoised, frames[-1].noisy)


def test_label_seed_guidance_and_sampler_each_change_the_image(tiny):
    labels, seeds = torch.tensor([3]), torch.tensor([7])
    base = generate(tiny, labels, seeds, CONFIG)
    others = [
        generate(tiny, labels + 1, seeds, CONFIG),
        generate(tiny, labels, seeds + 1, CONFIG),
        generate(tiny, labels, seeds, replace(CONFIG, guidance=1.0)),
        generate(tiny, labels, seeds, replace(CONFIG, guidance=0.0)),
        generate(tiny, labels, seeds, replace(CONFIG, sampler="heun")),
        generate(tiny, labels, seeds, replace(CONFIG, steps=4)),
    ]
    assert not any(torch.equal(base, other) for other in others)


def test_guidance_zero_forgets_the_label(tiny):
    seeds, config = torch.tensor([7, 7]), replace(CONFIG, guidance=0.0)
    three, eight = generate(tiny, torch.tensor([3, 8]), seeds, config)
    assert torch.equal(three, eight)


def test_no_grad_mode_leaks_between_frames(tiny):
    """Gradio resumes a generator on another thread each time; the caller's grad mode must stay its own."""
    frames = stream(tiny, torch.tensor([1]), torch.tensor([0]), CONFIG)
    next(frames)
    assert torch.is_grad_enabled()
    frames.close()
    assert torch.is_grad_enabled()


def test_forward_process():
    data = load("mnist", "test")
    images, seeds = data.images[:64], torch.arange(64)
    assert torch.equal(noised(images, 0.0, seeds, data.spec), images)
    noisy = noised(images, 0.3, seeds, data.spec)
    assert torch.equal(noised(images[5:6], 0.3, seeds[5:6], data.spec)[0], noisy[5])
    # Where nothing is clipped, sigma in model range is sigma * std / 0.5 * 255 grey levels.
    grey = 128 * torch.ones(1, 1, 200, 200, dtype=torch.uint8)
    spread = (noised(grey, 0.3, torch.tensor([0]), data.spec).float() - 128).std()
    assert float(spread) == pytest.approx(0.3 * data.spec.std / 0.5 * 255, rel=0.02)
    for bad in (-1.0, float("nan"), float("inf")):
        with pytest.raises(UserError, match="noise level"):
            noised(images, bad, seeds, data.spec)


@pytest.mark.parametrize(
    ("labels", "seeds"),
    [([], []), ([10], [0]), ([-1], [0]), ([1, 2], [0]), ([1], [-1]), ([1], [2**32])],
)
def test_bad_requests_are_refused(tiny, labels, seeds):
    with pytest.raises(UserError):
        generate(tiny, torch.tensor(labels).long(), torch.tensor(seeds).long(), CONFIG)
    with pytest.raises(UserError):
        next(stream(tiny, torch.tensor([1]), torch.tensor([1]), replace(CONFIG, steps=0)))


def test_progress_counts_every_image(tiny):
    seen = []
    labels, seeds = plan(2, 0, 10)
    generate(tiny, labels, seeds, replace(CONFIG, steps=1), lambda *pair: seen.append(pair))
    assert seen == [(block_size(CONFIG), 20), (20, 20)]


@pytest.mark.parametrize("sampler", ["dpmpp2m", "heun"])
@pytest.mark.parametrize("guidance", [1.0, 1.5])
def test_the_stream_shows_the_blind_estimates_that_a_watcher_sees(model, sampler, guidance):
    config = replace(CONFIG, sampler=sampler, guidance=guidance, steps=2)
    labels, seeds = plan(4, 0, 10)  # more than a block
    watched = [[], []]
    generate(model, labels, seeds, config, watch=lambda i, rows, told, untold: watched[i].append(untold))
    frames = list(stream(model, labels, seeds, config, blind=True))
    for frame, seen in zip(frames, watched, strict=False):
        assert torch.equal(frame.blind, torch.cat(seen)) and not torch.equal(frame.blind, frame.denoised)
    assert torch.equal(frames[-1].blind, frames[-1].denoised)
    assert next(stream(model, labels, seeds, config)).blind is None


def test_variations_are_as_near_to_their_image_as_the_noise_is_low(tiny):
    labels, seeds = torch.full((4,), 5), torch.arange(4)
    config = SampleConfig(steps=4)
    images = generate(tiny, labels, seeds, config)

    def apart(sigma):
        made = varied(tiny, images, labels, seeds + 9, config, sigma)
        return (made.float() - images.float()).square().mean().sqrt()

    assert 0 < apart(0.02) < apart(0.3) < apart(3.0)
    alone = varied(tiny, images[2:3], labels[2:3], seeds[2:3] + 9, config, 1.5)
    assert torch.equal(alone[0], varied(tiny, images, labels, seeds + 9, config, 1.5)[2])
    for bad in (0.0, -1.0, 41.0, float("nan")):
        with pytest.raises(UserError):
            varied(tiny, images, labels, seeds, config, bad)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_variations_from_the_top_are_new_images(tiny, sampler):
    """From the highest noise level the image that was begun with is lost in noise: 0.5 against 40."""
    labels, seeds, config = torch.tensor([3]), torch.tensor([7]), SampleConfig(sampler=sampler, steps=4)
    images = generate(tiny, labels, torch.tensor([1]), config)
    far = varied(tiny, images, labels, seeds, config, config.sigma_max).float()
    assert (far - generate(tiny, labels, seeds, config).float()).abs().mean() < 10
