"""The embedded data, folders of one's own, and damage."""

import gzip
import shutil
import struct

import pytest
import torch

from diffusion_core.data import ROOT, load, spec
from diffusion_core.errors import UserError
from diffusion_core.pixels import to_model, to_uint8

FILES = ROOT / "data" / "mnist"


def test_mnist_is_all_there():
    train, test = load("mnist", "train"), load("mnist", "test")
    assert train.images.shape == (60_000, 1, 28, 28) and test.images.shape == (10_000, 1, 28, 28)
    assert train.images.dtype == torch.uint8
    assert torch.bincount(test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert train.labels[:5].tolist() == [5, 0, 4, 1, 9]


def test_pixel_statistics_are_those_of_the_registry():
    x = load("mnist", "train").images.float() / 255
    assert float(x.mean()) == pytest.approx(spec("mnist").mean, abs=1e-4)
    assert float(x.std()) == pytest.approx(spec("mnist").std, abs=1e-4)


def test_model_range_has_the_declared_scale_and_comes_back_exactly():
    data = load("mnist", "train")
    x = to_model(data.images, data.spec)
    assert float(x.mean()) == pytest.approx(0, abs=1e-3)
    assert float(x.std()) == pytest.approx(0.5, abs=1e-3)
    every = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    assert torch.equal(to_uint8(to_model(every, data.spec), data.spec), every)
    wild = torch.tensor([-9.0, 9.0]).view(1, 1, 1, 2)
    assert to_uint8(wild, data.spec).flatten().tolist() == [0, 255]


def copy(folder):
    shutil.copytree(FILES, folder, dirs_exist_ok=True)
    return folder


def test_a_folder_by_path_or_variable(tmp_path, monkeypatch):
    folder = copy(tmp_path / "own")
    for path in folder.glob("*.gz"):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    assert torch.equal(load("mnist", "test", folder).labels, load("mnist", "test").labels)
    monkeypatch.setenv("MNIST_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="nowhere.*t10k-images.*missing"):
        load("mnist", "test")


def test_missing_file_is_named(tmp_path):
    folder = copy(tmp_path / "own")
    (folder / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(UserError, match="train-labels-idx1-ubyte.gz is missing"):
        load("mnist", "train", folder)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "not gzip", "short body", "empty"])
def test_damaged_file_is_named(tmp_path, damage):
    path = copy(tmp_path / "own") / "t10k-labels-idx1-ubyte.gz"
    raw = path.read_bytes()
    if damage == "truncated":
        path.write_bytes(raw[:2000])
    elif damage == "flipped":
        path.write_bytes(raw[:2000] + bytes([raw[2000] ^ 255]) + raw[2001:])
    elif damage == "not gzip":
        path.write_bytes(b"hello")
    elif damage == "short body":
        path.write_bytes(gzip.compress(b"\0\0\x08\x01" + struct.pack(">I", 10) + b"\1" * 9))
    else:
        path.write_bytes(b"")
    with pytest.raises(UserError, match="t10k-labels-idx1-ubyte.gz") as error:
        load("mnist", "test", path.parent)
    assert "\n" not in str(error.value)


def test_the_embedded_files_are_held_to_their_checksums(tmp_path, monkeypatch):
    """Well-formed but other labels: only the checksum can tell."""
    folder = copy(tmp_path / "data" / "mnist")
    path = folder / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(gzip.compress(b"\0\0\x08\x01" + struct.pack(">I", 10_000) + b"\3" * 10_000))
    monkeypatch.delenv("MNIST_DIR", raising=False)
    monkeypatch.setattr("diffusion_core.data.DATA", tmp_path / "data")
    with pytest.raises(UserError, match="checksum"):
        load("mnist", "test")


def test_wrong_labels_and_unknown_names(tmp_path):
    folder = copy(tmp_path / "own")
    path = folder / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(gzip.compress(b"\0\0\x08\x01" + struct.pack(">I", 10_000) + b"\x0b" * 10_000))
    with pytest.raises(UserError, match="label 11"):
        load("mnist", "test", folder)
    with pytest.raises(UserError, match="no data set 'mnits'"):
        load("mnits")
    with pytest.raises(UserError, match="no split 'val'"):
        load("mnist", "val")
