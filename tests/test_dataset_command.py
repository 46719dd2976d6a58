"""`python -m app dataset`: class folders, zips and IDX files become a data set; mistakes are said."""

import json
import os
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from app.cli import main
from diffusion_core import data
from diffusion_core.checkpoint import load as load_checkpoint
from diffusion_core.errors import UserError
from diffusion_core.idx import idx_bytes, read_idx
from diffusion_core.pixels import to_model, to_uint8
from diffusion_core.presets import preset

NAMES = ("red square", "disc 2", "disc 10")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty data folder."""
    monkeypatch.setattr(data, "DATA", tmp_path / "data")
    monkeypatch.setattr(data, "_ADOPTED", {})
    return tmp_path / "data"


def picture(label: int, i: int, size: int) -> Image.Image:
    """One that says of which class and number it is: two grey values in red and green."""
    pixels = np.zeros((size, size, 3), np.uint8)
    pixels[..., 0], pixels[..., 1] = 20 * label + 20, i
    return Image.fromarray(pixels)


def folders(root, each: int, size: int = 32, names=NAMES):
    for label, name in enumerate(names):
        (root / name).mkdir(parents=True)
        for i in range(each):
            picture(label, i, size).save(root / name / f"{i}.png")
    return root


def run(*arguments) -> None:
    assert main(["dataset", *map(str, arguments), "--json"]) == 0


def test_class_folders_become_a_data_set(place, tmp_path):
    run("shapes", "--take", folders(tmp_path / "mine", 12), "--flip", "--noun", "shape")
    entry = data.spec("shapes")
    assert entry.class_names == ("disc 2", "disc 10", "red square")  # numbers by value
    assert (entry.shape, entry.noun, entry.flip, entry.strokes) == ((3, 32, 32), "shape", True, False)
    train, test = data.load("shapes", "train"), data.load("shapes", "test")
    assert torch.bincount(train.labels).tolist() == [10] * 3 and torch.bincount(test.labels).tolist() == [2] * 3
    seen = [(int(image[0, 0, 0]), int(image[1, 0, 0])) for part in (train, test) for image in part.images]
    assert len(set(seen)) == 36  # none twice, none lost
    for part in (train, test):
        reds = part.images[:, 0, 0, 0].tolist()
        assert reds == [{"red square": 20, "disc 2": 40, "disc 10": 60}[entry.class_names[k]] for k in part.labels]
    assert len(set(train.labels[-6:].tolist())) > 1  # in an order of chance: what judges hold out is of all classes
    x = train.images.float() / 255
    assert (entry.mean, entry.std) == (
        pytest.approx(float(x.mean()), abs=1e-4),
        pytest.approx(float(x.std()), abs=1e-3),
    )
    assert torch.equal(to_uint8(to_model(train.images, entry), entry), train.images)
    assert "shapes" in data.own() and data.present("shapes")


def test_train_and_test_zips_of_a_known_data_set(place, tmp_path):
    names = data.DATASETS["cifar10"].class_names
    for split, each in (("train", 3), ("test", 1)):
        root = folders(tmp_path / split, each, names=names)
        with zipfile.ZipFile(tmp_path / f"{split}.zip", "w") as archive:
            for path in root.rglob("*.png"):
                archive.write(path, path.relative_to(root))
    run("cifar10", "--take", tmp_path)
    train = data.load("cifar10")
    assert len(train.labels) == 30 and "PNG files" in train.spec.origin
    assert [int(red) for red in train.images[:, 0, 0, 0]] == [20 * int(k) + 20 for k in train.labels]
    raw = (place / "cifar10" / "train-images-idx4-ubyte").read_bytes()
    (place / "cifar10" / "train-images-idx4-ubyte").write_bytes(raw[:-1] + b"\x07")
    data._read.cache_clear()
    with pytest.raises(UserError, match="train-images-idx4-ubyte.*checksum"):
        data.load("cifar10")


@pytest.mark.parametrize(("grey", "size", "given"), [(True, 28, 40), (False, 64, 32)])
def test_other_sizes_are_cut_and_resized(place, tmp_path, grey, size, given):
    run("own", "--take", folders(tmp_path / "mine", 6, given), "--size", size, *["--grey"] * grey)
    assert data.load("own").images.shape == (15, 1 if grey else 3, size, size)
    chosen = preset("own")
    assert chosen.network.image == data.spec("own").shape and chosen.network.classes == 3


def test_idx_files_and_where_torchvision_leaves_them(place, tmp_path):
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    images, labels = torch.arange(4 * 784).view(4, 28, 28).to(torch.uint8), torch.tensor([0, 1, 2, 1]).to(torch.uint8)
    for prefix in ("train", "t10k"):
        (raw / f"{prefix}-images-idx3-ubyte").write_bytes(idx_bytes(images))
        (raw / f"{prefix}-labels-idx1-ubyte").write_bytes(idx_bytes(labels))
    assert main(["dataset", "fashion", "--take", str(tmp_path)]) == 2  # these are not the published files
    run("mine", "--take", tmp_path)
    assert torch.equal(data.load("mine").images[:, 0], images) and data.spec("mine").class_names == ("0", "1", "2")


@pytest.mark.parametrize("values", [torch.arange(5), torch.arange(24).view(2, 3, 4), torch.arange(72).view(2, 3, 4, 3)])
def test_idx_round_trip(tmp_path, values):
    (tmp_path / "x").write_bytes(idx_bytes(values.to(torch.uint8)))
    assert torch.equal(read_idx(tmp_path, "x", None), values.to(torch.uint8))


MISTAKES = {
    "no such folder": (lambda p: ["new", "--take", p / "nowhere"], "There is no"),
    "one class": (lambda p: ["new", "--take", folders(p / "one", 8, names=("a",))], "at least two classes"),
    "too few": (lambda p: ["new", "--take", folders(p / "few", 3)], "Class 'disc 2' has 3 images"),
    "other classes": (lambda p: ["cifar10", "--take", folders(p / "odd", 8)], "class folders of 'cifar10'"),
    "no name": (lambda p: ["../x", "--take", folders(p / "a", 8)], "small letters"),
    "nothing to take": (lambda p: ["new"], "--take FOLDER"),
    "mnist": (lambda p: ["mnist", "--take", data.ROOT / "data" / "mnist"], "never replaced"),
    "empty": (
        lambda p: (p / "e" / "a").mkdir(parents=True) or ["new", "--take", p / "e"],
        "no class folders of images",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_one_line_and_leave_nothing(place, tmp_path, capsys, name):
    arguments, said = MISTAKES[name]
    assert main(["dataset", *map(str, arguments(tmp_path))]) == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith("error: ") and said in told
    assert not place.exists() or not list(place.iterdir())


def test_a_file_that_is_no_image_is_named(place, tmp_path, capsys):
    root = folders(tmp_path / "mine", 8)
    (root / "disc 2" / "broken.jpg").write_bytes(b"no image")
    assert main(["dataset", "new", "--take", str(root)]) == 2
    assert "disc 2/broken.jpg is no image" in capsys.readouterr().err
    assert not place.exists()


def test_without_a_name_it_says_what_there_is(place, capsys):
    assert main(["dataset", "--json"]) == 0
    found = {row["name"]: row for row in json.loads(capsys.readouterr().out.splitlines()[-1])["datasets"]}
    assert found["fashion"]["class_names"][9] == "ankle boot" and not found["fashion"]["here"]
    with pytest.raises(UserError, match=r"not on this machine. Download them: python -m app dataset fashion. .*--take"):
        data.load("fashion")


def test_without_a_network_the_download_says_the_other_way(place, monkeypatch, capsys):
    def refused(*_, **__):
        raise RuntimeError("Error downloading x:\nno route")

    monkeypatch.setattr("torchvision.datasets.FashionMNIST", refused)
    assert main(["dataset", "fashion"]) == 2
    assert "no route). Try again with a network, or give a folder" in capsys.readouterr().err


def test_a_checkpoint_of_ones_own_data_is_known_without_it(place, tmp_path, monkeypatch):
    """Trained, carried to another machine, drawn there: class names and pixel range travel with it."""
    run("shapes", "--take", folders(tmp_path / "mine", 12))
    entry = data.spec("shapes")
    out = tmp_path / "trained"
    assert main(["train", "--preset", "shapes", "--images", "256", "--out", str(out), "--json"]) == 0
    monkeypatch.setattr(data, "DATA", tmp_path / "elsewhere")
    assert data.own() == []
    checkpoint = load_checkpoint(out)
    assert checkpoint.spec == entry and data.spec("shapes").class_names == ("disc 2", "disc 10", "red square")
    assert (
        main(["sample", str(out), "--per-class", "1", "--steps", "2", "--out", str(tmp_path / "x.npz"), "--json"]) == 0
    )
    with np.load(tmp_path / "x.npz") as file:
        assert file["images"].shape == (3, 32, 32, 3)
    again = replace(
        entry, mean=0.9
    )  # taken anew elsewhere, from other images: what was trained keeps its pixels' range
    data.adopt(again)
    assert load_checkpoint(out).spec.mean == entry.mean != again.mean
    with pytest.raises(UserError, match="is not the one that has that name here"):
        data.adopt(data.DataSpec("shapes", ("a", "b"), (3, 32, 32), 0.5, 0.2))


ODD = {
    "a way out": {"name": "../etc"},
    "markup": {"noun": "<b>"},
    "one class": {"class_names": ("a",)},
    "a class twice": {"class_names": ("a", "a")},
    "a class that rings": {"class_names": ("a", "b\a")},
    "four channels": {"shape": (4, 32, 32)},
    "no deviation": {"std": 0.0},
    "no number": {"mean": float("nan")},
}


@pytest.mark.parametrize("name", ODD)
def test_an_entry_of_a_stranger_is_read_with_distrust(place, name):
    entry = data.DataSpec("shapes", NAMES, (3, 32, 32), 0.5, 0.2)
    data.adopt(entry)
    with pytest.raises(UserError) as error:
        data.adopt(replace(entry, **({"name": "other"} | ODD[name])))
    assert "\n" not in str(error.value) and {"shapes": entry} == data._ADOPTED


def test_an_entry_is_read_again_when_its_file_changes(place, tmp_path):
    run("shapes", "--take", folders(tmp_path / "mine", 12))
    assert data.spec("shapes") is data.spec("shapes")
    path = place / "shapes" / data.ENTRY
    path.write_text(path.read_text().replace('"noun": "image"', '"noun": "shape"'))
    os.utime(path, ns=(1, 1))
    assert data.spec("shapes").noun == "shape"
