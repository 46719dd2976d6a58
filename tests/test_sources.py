"""Sources: the checkpoint, the real test set, files good and bad."""

import io
import zipfile

import numpy as np
import pytest
import torch

from diffusion_core import checkpoint, data
from diffusion_core.checkpoint import CheckpointMeta
from diffusion_core.config import NetworkConfig, SampleConfig, TrainConfig
from diffusion_core.generate import generate, stream
from diffusion_core.guidance import guided
from diffusion_core.noise import Noise
from diffusion_core.pixels import to_uint8
from diffusion_core.samplers import SAMPLERS
from diffusion_core.schedules import karras
from eval.errors import UserError
from eval.npz import read_npz, write_npz
from eval.sources import CheckpointSource, NpzSource, RealSource, open_source
from tests.conftest import random_denoiser


def digits(n=30, channels=1):
    rng = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (n, channels, 28, 28), dtype=torch.uint8, generator=rng)
    return images, torch.arange(n) % 10, 100 + torch.arange(n)


# ---------------------------------------------------------------- checkpoint


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """checkpoints/tiny, a network of random weights."""
    network = NetworkConfig(channels=(8,), attention=False)
    meta = CheckpointMeta("mnist", network, TrainConfig(), SampleConfig(steps=2), 1234, 1.0, rewards=("clip",))
    root = tmp_path_factory.mktemp("checkpoints")
    checkpoint.save(root / "tiny", random_denoiser(network), meta)
    return root


def test_checkpoint_source_is_generate(folder):
    source = open_source("tiny", folder=folder)
    labels, seeds = source.plan(2, seed=5)
    assert labels.tolist() == [*range(10)] * 2 and seeds.tolist() == list(range(5, 25))
    calls = []
    images = source.images(labels, seeds, lambda *call: calls.append(call))
    assert torch.equal(images, generate(source.checkpoint, labels, seeds, SampleConfig(steps=2)))
    assert torch.equal(images[7:8], source.images(labels[7:8], seeds[7:8]))
    assert calls[-1] == (20, 20)
    info = source.info
    assert (info.kind, info.name, info.images_seen, info.rewards) == ("checkpoint", "tiny", 1234, ("clip",))
    assert info.id == f"tiny@{info.sha256[:12]}/dpmpp2m2-g1.25" and info.sample["steps"] == 2
    with pytest.raises(UserError, match="how many"):
        source.plan(None)


def test_checkpoint_source_takes_settings_and_loaded_checkpoints(folder):
    loaded = checkpoint.load(folder / "tiny")
    source = CheckpointSource(loaded, SampleConfig(sampler="heun", steps=3, guidance=1.0, sigma_max=80.0))
    assert source.checkpoint is loaded
    assert source.info.settings == "heun3-g1-sigma_max80"
    with pytest.raises(UserError, match="Steps"):
        CheckpointSource(loaded, SampleConfig(steps=0))


@pytest.mark.parametrize("guidance", [0.0, 1.0, 1.5])
@pytest.mark.parametrize("sampler", ["dpmpp2m", "heun", "ancestral"])
def test_watching_sees_every_estimate_and_changes_no_image(folder, sampler, guidance):
    source = CheckpointSource(folder / "tiny", SampleConfig(sampler=sampler, steps=3, guidance=guidance))
    labels, seeds = source.plan(2)
    seen, unlabelled = torch.zeros(2, 3, 20, 1, 28, 28, dtype=torch.uint8)
    calls = []

    def watch(i, rows, denoised, blind):
        seen[i, rows], unlabelled[i, rows] = denoised, blind
        calls.append((i, rows.start, rows.stop))

    watched = source.images(labels, seeds, watch=watch)
    assert torch.equal(watched, source.images(labels, seeds))
    blocks = ((0, 16), (16, 20)) if guidance == 1.5 else ((0, 20),)
    assert calls == [(i, *rows) for rows in blocks for i in range(3)]
    frames = list(stream(source.checkpoint, labels, seeds, source.sample))
    assert source.sigmas == tuple(frame.sigma for frame in frames[:-1]) and len(source.sigmas) == 3
    for i in range(3):
        assert torch.equal(seen[i], frames[i].denoised)
    assert torch.equal(unlabelled, seen) == (guidance == 0)
    assert not torch.equal(seen[0], watched)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_what_is_seen_without_the_label_is_the_unconditional_estimate_of_the_same_noise(folder, sampler):
    """Denoised once more by hand from the noisy image of every step."""
    source = CheckpointSource(folder / "tiny", SampleConfig(sampler=sampler, steps=3, guidance=1.5))
    labels, seeds = torch.tensor([3, 8]), torch.tensor([1, 2])
    denoiser, spec = source.checkpoint.denoiser, source.checkpoint.spec
    sigmas = karras(3, source.sample.sigma_min, source.sample.sigma_max, source.sample.rho)
    noise = Noise(seeds)
    x = source.sample.sigma_max * noise.normal(*spec.shape)
    model = guided(denoiser, labels, 1.5)
    with torch.no_grad():
        steps = list(SAMPLERS[sampler](model, x, sigmas, lambda: noise.normal(*spec.shape)))
        null = torch.full_like(labels, denoiser.null_label)
        expected = [to_uint8(denoiser(s.x, torch.tensor(s.sigma), null), spec).int() for s in steps[:-1]]
    seen = {}
    source.images(labels, seeds, watch=lambda i, rows, denoised, blind: seen.update({i: blind}))
    assert all((seen[i].int() - expected[i]).abs().max() <= 1 for i in range(3))


@pytest.mark.parametrize("name", ["nosuch", "", "../x", "a\0b", "x" * 10_000])
def test_unknown_sources_name_the_known_ones(folder, name):
    with pytest.raises(UserError, match="Known: real, tiny") as error:
        open_source(name, folder=folder)
    assert len(str(error.value)) < 300 and "\n" not in str(error.value)


def test_settings_are_for_checkpoints_only(folder):
    with pytest.raises(UserError, match="checkpoints only"):
        open_source("real", SampleConfig(), folder)


# ---------------------------------------------------------------- real


def test_real_source_is_the_test_set():
    source, test = open_source("real"), data.load("mnist", "test")
    labels, seeds = source.plan(None)
    assert torch.equal(source.images(labels, seeds), test.images) and torch.equal(labels, test.labels)
    labels, seeds = source.plan(20, seed=3)
    assert labels.tolist() == [*range(10)] * 20 and len(seeds.unique()) == 200
    assert torch.equal(test.labels[seeds], labels)
    assert torch.equal(source.plan(5, seed=3)[1], seeds[:50])  # a smaller plan begins a larger one
    assert not torch.equal(source.plan(20, seed=4)[1], seeds)
    assert source.kind == "real" and source.id != RealSource("train").id


def test_real_source_refuses_what_there_is_not():
    source = RealSource()
    with pytest.raises(UserError, match="at most 892"):
        source.plan(893)
    with pytest.raises(UserError, match="another label"):
        source.images(torch.tensor([0]), torch.tensor([0]))  # the first test digit is a 7
    for seed in (-1, 10_000):
        with pytest.raises(UserError, match="index"):
            source.images(torch.tensor([7]), torch.tensor([seed]))


# ---------------------------------------------------------------- npz


def test_npz_round_trip_is_exact_and_reproducible(tmp_path):
    images, labels, seeds = digits()
    one, two = tmp_path / "one.npz", tmp_path / "new" / "two.npz"
    write_npz(one, images, labels, seeds)
    write_npz(two, images, labels, seeds)
    assert one.read_bytes() == two.read_bytes()
    assert all(entry.date_time == (1980, 1, 1, 0, 0, 0) for entry in zipfile.ZipFile(one).infolist())
    assert np.load(one)["images"].shape == (30, 28, 28)
    assert all(torch.equal(a, b) for a, b in zip(read_npz(one), (images, labels, seeds), strict=True))
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["one.npz"]


def test_npz_colour_has_channels_last(tmp_path):
    images, labels, seeds = digits(4, channels=3)
    write_npz(tmp_path / "c.npz", images, labels, seeds)
    assert np.load(tmp_path / "c.npz")["images"].shape == (4, 28, 28, 3)
    assert torch.equal(read_npz(tmp_path / "c.npz")[0], images)
    with pytest.raises(UserError, match=r"needs \[1, 28, 28\]"):
        NpzSource(tmp_path / "c.npz")


def test_npz_source_finds_rows_by_label_and_seed(tmp_path):
    images, labels, _ = digits()
    arrays = {"images": images.numpy(), "labels": labels.numpy().astype(np.uint8), "seeds": np.arange(30)}
    np.savez(tmp_path / "mine.npz", **arrays)
    source = open_source(str(tmp_path / "mine.npz"))
    assert source.kind == "npz" and source.name == "mine"
    all_labels, all_seeds = source.plan(None)
    assert torch.equal(all_labels, labels) and all_seeds.tolist() == list(range(30))
    some, which = source.plan(2)
    assert some.tolist() == [*range(10)] * 2 and which.tolist() == list(range(20))
    assert len(source.plan(100)[0]) == 30  # what there is
    assert torch.equal(source.images(labels[[7, 3]], torch.tensor([7, 3])), images[[7, 3]])
    with pytest.raises(UserError, match=r"\(1, 0\)"):
        source.images(torch.tensor([1]), torch.tensor([0]))


def saved(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def lying_header(shape):
    """A small file whose header announces `shape`."""
    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(member, {"descr": "|u1", "fortran_order": False, "shape": shape})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", member.getvalue() + bytes(1000))
        archive.writestr("labels.npy", member.getvalue())
    return buffer.getvalue()


X, Y = np.zeros((4, 28, 28), np.uint8), np.arange(4)
BAD = {
    "empty": (b"", "not an .npz"),
    "text": (b"hello " * 100, "not an .npz"),
    "truncated": (saved(images=X, labels=Y)[:-40], "not an .npz"),
    "flipped": (saved(images=X, labels=Y).replace(bytes(64), b"\1" * 64, 1), "not an .npz"),
    "no key": (saved(labels=Y), "'images' is missing"),
    "no images": (saved(arr_0=X, labels=Y), "'images' is missing"),
    "float": (saved(images=X / 2, labels=Y), r"float64.*np\.round\(255 \* images\)"),
    "int16": (saved(images=X.astype(np.int16), labels=Y), "int16, not uint8"),
    "pickle": (saved(images=np.array([{}], object), labels=Y), "object"),
    "lengths": (saved(images=X, labels=Y[:3]), r"'labels' is \[3\] for 4"),
    "seeds": (saved(images=X, labels=Y, seeds=Y[:2]), r"'seeds' is \[2\] for 4"),
    "negative": (saved(images=X, labels=Y - 1), "below 0"),
    "huge seed": (saved(images=X, labels=Y, seeds=np.full(4, 2**63, np.uint64)), "above"),
    "label": (saved(images=X, labels=Y + 7), "label 10 is outside 0..9"),
    "size": (saved(images=X[:, 1:], labels=Y), r"\[1, 27, 28\]"),
    "flat": (saved(images=X.reshape(4, -1), labels=Y), r"\[4, 784\]"),
    "scalar": (saved(images=np.uint8(3), labels=Y), r"'images' is \[\]"),
    "none": (saved(images=X[:0], labels=Y[:0]), "empty"),
    "twice": (saved(images=X, labels=Y * 0, seeds=Y * 0), "same label and seed"),
    "bomb": (lying_header((100_001, 28, 28)), "at most 100000 images"),
    "wide bomb": (lying_header((10, 65_535, 65_535)), "at most 100000 images and 256 MiB"),
    "long": (lying_header((1, 2, 2)), "what its header says"),
    "short": (lying_header((10, 28, 28)), "what its header says"),
    "negative shape": (lying_header((-1, 28, 28)), "at most|header"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_npz_is_refused_by_name(tmp_path, case):
    content, message = BAD[case]
    path = tmp_path / "bad.npz"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as error:
        NpzSource(path)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)


def test_missing_npz(tmp_path):
    with pytest.raises(UserError, match=r"no file .*none\.npz"):
        NpzSource(tmp_path / "none.npz")
    with pytest.raises(UserError, match="cannot be read"):
        NpzSource(tmp_path)
