"""Every form of a data set read back byte by byte, by the library it is meant for and by our own readers."""

import gc
import json
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets import MNIST

from diffusion_core.data import spec
from eval.sources import open_source
from eval.synthesis import Block, LeftOut
from eval.writers import FORMATS, DataSet, png

N = 250
NOTHING = LeftOut(*[torch.empty(0, dtype=torch.int64)] * 4)


def block(first: int, count: int) -> Block:
    """Noise: no two pixels of it are alike, so that nothing can be lost or turned unseen."""
    rng = torch.Generator().manual_seed(first)
    images = torch.randint(0, 256, (count, 1, 28, 28), dtype=torch.uint8, generator=rng)
    seeds = torch.arange(first, first + count)
    return Block(images, seeds % 10, seeds, {"confidence": torch.rand(count, generator=rng).double()}, NOTHING)


BLOCKS = [block(0, 100), block(100, 100), block(200, 50)]
IMAGES, LABELS, SEEDS = (torch.cat([getattr(b, name) for b in BLOCKS]) for name in ("images", "labels", "seeds"))
SCORES = torch.cat([b.scores["confidence"] for b in BLOCKS])


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """{form: folder}."""
    folders = {}
    for name, form in FORMATS.items():
        folders[name] = tmp_path_factory.mktemp(name)
        form.write(folders[name], DataSet(N, spec("mnist"), ("confidence",), lambda: iter(BLOCKS)))
    return folders


def test_torchvision_opens_idx_as_mnist(written):
    digits = MNIST(written["idx"], train=True, download=False)
    assert torch.equal(digits.data, IMAGES[:, 0]) and torch.equal(digits.targets, LABELS)
    picture, label = digits[7]
    assert label == 7 and np.array_equal(np.asarray(picture), IMAGES[7, 0].numpy())


def test_numpy_opens_npz(written):
    with np.load(written["npz"] / "digits.npz", allow_pickle=False) as file:
        assert np.array_equal(file["images"], IMAGES[:, 0]) and file["images"].dtype == np.uint8
        assert np.array_equal(file["labels"], LABELS) and np.array_equal(file["seeds"], SEEDS)
        assert np.array_equal(file["confidence"], SCORES)


def test_pillow_and_json_open_an_imagefolder(written):
    folder = written["imagefolder"]
    lines = [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]
    assert [line["label"] for line in lines] == LABELS.tolist() and [line["seed"] for line in lines] == SEEDS.tolist()
    assert [line["confidence"] for line in lines] == SCORES.tolist()
    for line, image in zip(lines, IMAGES, strict=True):
        assert np.array_equal(np.asarray(Image.open(folder / line["file_name"])), image[0].numpy())


@pytest.mark.parametrize("form", ["imagefolder", "parquet"])
def test_the_library_datasets_opens_it(written, tmp_path, form):
    import datasets

    files = [str(written[form] / name) for name in FORMATS[form].datasets]
    digits = datasets.load_dataset(form, data_files={"train": files}, split="train", cache_dir=str(tmp_path))
    assert len(digits) == N and digits["label"][:] == LABELS.tolist() and digits["seed"][:] == SEEDS.tolist()
    assert digits["confidence"][:] == SCORES.tolist()
    assert isinstance(digits.features["image"], datasets.Image)
    for row, image in zip(digits, IMAGES, strict=True):
        assert np.array_equal(np.asarray(row["image"]), image[0].numpy())
    if form == "parquet":
        assert digits.features["label"] == datasets.ClassLabel(names=[str(d) for d in range(10)])


@pytest.mark.parametrize("form", FORMATS)
def test_our_own_readers_open_the_folder(written, form):
    source = open_source(str(written[form]))
    labels, seeds = source.plan(None)
    images = source.images(labels, seeds)
    if source.info.seeded:
        expected = {(d, s): i for d, s, i in zip(LABELS.tolist(), SEEDS.tolist(), IMAGES, strict=True)}
        pairs = zip(labels.tolist(), seeds.tolist(), images, strict=True)
        assert all(torch.equal(expected[d, s], image) for d, s, image in pairs) and len(images) == N
    else:  # IDX has no place for seeds
        mine = sorted((d, image.numpy().tobytes()) for d, image in zip(labels.tolist(), images, strict=True))
        assert mine == sorted((d, i.numpy().tobytes()) for d, i in zip(LABELS.tolist(), IMAGES, strict=True))


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_digits_give_the_same_bytes(written, tmp_path, form):
    FORMATS[form].write(tmp_path, DataSet(N, spec("mnist"), ("confidence",), lambda: iter(BLOCKS)))
    names = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert names == sorted(p.relative_to(written[form]) for p in written[form].rglob("*") if p.is_file())
    assert all((tmp_path / name).read_bytes() == (written[form] / name).read_bytes() for name in names)


@pytest.mark.parametrize("form", FORMATS)
def test_one_block_is_in_memory_at_a_time(tmp_path, form):
    seen = []

    def blocks():
        for i in range(6):
            gc.collect()
            seen.append(sum(ref() is not None for ref in refs))
            made = block(20 * i, 20)
            refs.append(weakref.ref(made.images))
            yield made

    refs: list = []
    FORMATS[form].write(tmp_path, DataSet(120, spec("mnist"), ("confidence",), blocks))
    assert len(refs) == 6 and max(seen) <= 1


def test_colour_is_kept(tmp_path):
    rgb = torch.randint(0, 256, (4, 3, 8, 9), dtype=torch.uint8)
    made = Block(rgb, torch.arange(4), torch.arange(4), {}, NOTHING)
    form = SimpleNamespace(name="rgb", shape=(3, 8, 9), class_names=tuple("0123"))
    FORMATS["npz"].write(tmp_path, DataSet(4, form, (), lambda: iter([made])))
    with np.load(tmp_path / "digits.npz") as file:
        assert np.array_equal(file["images"], rgb.permute(0, 2, 3, 1))
    (tmp_path / "a.png").write_bytes(png(rgb[0]))
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), rgb[0].permute(1, 2, 0))
