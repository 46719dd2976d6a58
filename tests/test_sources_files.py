"""The same images from folders, .zip, .npz, parquet and IDX files are the same source."""

import csv
import gzip
import io
import json
import shutil
import struct

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from diffusion_core.data import ROOT
from eval.errors import UserError
from eval.sources import RealSource, open_source

N = 60


@pytest.fixture(scope="module")
def digits():
    """60 real digits, none twice, and their labels; numpy."""
    data = RealSource("test").data
    return data.images[:N, 0].numpy(), data.labels[:N].numpy()


def encoded(pixels, kind="PNG", **options):
    buffer = io.BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(buffer, kind, **options)
    return buffer.getvalue()


def class_folders(path, images, labels):
    for i, (pixels, label) in enumerate(zip(images, labels, strict=True)):
        (path / str(label)).mkdir(parents=True, exist_ok=True)
        (path / str(label) / f"näme {N - i}.png").write_bytes(encoded(pixels))
    return path


def our_names(path, images, labels):
    path.mkdir()
    for i, (pixels, label) in enumerate(zip(images, labels, strict=True)):
        (path / f"{label}-{i:06d}.png").write_bytes(encoded(pixels))
    return path


def idx_files(path, images, labels):
    """As torchvision reads them: images gzipped, labels not."""
    path.mkdir()
    body = struct.pack(">HBBIII", 0, 8, 3, *images.shape) + images.tobytes()
    (path / "my-images-idx3-ubyte.gz").write_bytes(gzip.compress(body))
    (path / "my-labels-idx1-ubyte").write_bytes(struct.pack(">HBBI", 0, 8, 1, len(labels)) + bytes(labels.tolist()))
    return path / "my-images-idx3-ubyte.gz"


def hugging_face(images):
    return pa.array([{"bytes": encoded(pixels), "path": None} for pixels in images])


def parquet(path, image, **columns):
    pq.write_table(pa.table({"image": image, **columns}), path)
    return path


def everything(source):
    labels, seeds = source.plan(None)
    return source.images(labels, seeds), labels, seeds


def test_the_same_images_are_the_same_source_in_every_form(tmp_path, digits):
    images, labels = digits
    shuffle = np.random.default_rng(0).permutation(N)
    np.savez(tmp_path / "a.npz", images=images[shuffle], labels=labels[shuffle])
    folder = class_folders(tmp_path / "classes", images, labels)
    shutil.make_archive(tmp_path / "zipped", "zip", tmp_path, "classes")
    names = pa.array([str(label) for label in labels]).dictionary_encode()
    (tmp_path / "shards").mkdir()
    for i, part in enumerate((slice(0, 17), slice(17, N))):
        parquet(tmp_path / "shards" / f"{i}.parquet", hugging_face(images[part]), label=labels[part])
    sources = [
        tmp_path / "a.npz",
        folder,
        tmp_path / "zipped.zip",
        parquet(tmp_path / "hf.parquet", hugging_face(images), label=names),
        tmp_path / "shards",
        parquet(tmp_path / "png.parquet", pa.array([encoded(x) for x in images], pa.large_binary()), labels=labels),
        parquet(tmp_path / "raw.parquet", pa.array([x.tobytes() for x in images], pa.binary(784)), label=labels),
        parquet(tmp_path / "lists.parquet", pa.array(list(images.reshape(N, -1))), label=labels),
        parquet(tmp_path / "nested.parquet", pa.array([list(x) for x in images]), label=labels),
        parquet(tmp_path / "fixed.parquet", pa.FixedSizeListArray.from_arrays(images.ravel(), 784), label=labels),
        idx_files(tmp_path / "idx", images, labels),
    ]
    opened = [open_source(str(path)) for path in sources]
    kinds = ["npz", "folder", "folder", *["parquet"] * 7, "idx"]
    assert [source.kind for source in opened] == kinds
    first = everything(opened[0])
    for source in opened:
        assert all(torch.equal(a, b) for a, b in zip(everything(source), first, strict=True)), source.name
        assert source.info.sha256 == opened[0].info.sha256 and source.info.labelled
        assert all(torch.equal(a, b) for a, b in zip(source.plan(2), opened[0].plan(2), strict=True))
    # and they are the images that went in, under their own labels
    pairs = {(pixels.tobytes(), int(label)) for pixels, label in zip(images, labels, strict=True)}
    assert {(x.numpy().tobytes(), int(y)) for x, y in zip(first[0], first[1], strict=True)} == pairs
    assert first[2].tolist() == list(range(N))
    assert opened[1].name == "classes" and opened[2].name == "zipped" and opened[10].name == "my-images-idx3-ubyte"


def test_our_own_names_and_metadata_carry_seeds(tmp_path, digits):
    images, labels = digits
    images, labels = images[:40], np.arange(40) % 10
    folder = our_names(tmp_path / "ours", images, labels)
    np.savez(tmp_path / "a.npz", images=images, labels=labels, seeds=np.arange(40))
    table = tmp_path / "table"
    shutil.copytree(folder, table)
    with open(table / "metadata.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file_name", "label", "seed"])
        writer.writerows([f"{label}-{i:06d}.png", label, i] for i, label in enumerate(labels))
    lines = tmp_path / "lines"
    (lines / "images").mkdir(parents=True)
    for i in range(40):
        (lines / "images" / f"{i}.png").write_bytes(encoded(images[i]))
    entries = [{"file_name": f"images/{i}.png", "label": str(labels[i]), "seed": i} for i in range(40)]
    (lines / "metadata.jsonl").write_text("\n".join(map(json.dumps, entries)) + "\n")
    with_seeds = parquet(tmp_path / "s.parquet", hugging_face(images), label=labels, seed=np.arange(40))
    for path in (folder, table, lines, with_seeds, tmp_path / "a.npz"):
        source = open_source(str(path))
        found = everything(source)
        # the order of a checkpoint's plan, so that scores of a saved plan are those of the checkpoint
        assert found[1].tolist() == [*range(10)] * 4 and found[2].tolist() == list(range(40)), path
        assert torch.equal(found[0][:, 0], torch.from_numpy(images))
        assert source.info.sha256 == open_source(str(tmp_path / "a.npz")).info.sha256
        assert source.plan(1)[1].tolist() == list(range(10)) and source.info.seeded
        assert source.info.given == path.name  # what its command line is made of
    np.savez(tmp_path / "b.npz", images=images, labels=labels)
    assert not open_source(str(tmp_path / "b.npz")).info.seeded


def test_unlabelled_images_have_label_minus_one(tmp_path, digits):
    images, labels = digits
    flat = tmp_path / "flat"
    flat.mkdir()
    for i, pixels in enumerate(images):
        (flat / f"image {i}.PNG").write_bytes(encoded(pixels))
    (flat / "README.md").write_text("not an image")
    (flat / ".DS_Store").write_bytes(b"\0")
    np.savez(tmp_path / "a.npz", images=images)
    np.savez(tmp_path / "b.npz", images=images, labels=np.full(N, -1))
    path = idx_files(tmp_path / "idx", images, labels)
    (tmp_path / "idx" / "my-labels-idx1-ubyte").unlink()
    places = [flat, tmp_path / "a.npz", tmp_path / "b.npz", path, parquet(tmp_path / "p.parquet", hugging_face(images))]
    sources = [open_source(str(place)) for place in places]
    assert len({source.info.sha256 for source in sources}) == 1
    for source in sources:
        found = everything(source)
        assert not source.info.labelled and found[1].tolist() == [-1] * N and found[2].tolist() == list(range(N))
        assert len(source.plan(3)[0]) == 30 and torch.equal(source.plan(3)[1], found[2][:30])
        assert len(source.plan(100)[0]) == N
    with pytest.raises(UserError, match="at least 1"):
        sources[0].plan(0)


def test_missing_and_thin_classes_are_fine(tmp_path, digits):
    images, _ = digits
    labels = np.array([3] * 20 + [7] * 2)
    np.savez(tmp_path / "a.npz", images=images[:22], labels=labels)
    source = open_source(str(tmp_path / "a.npz"))
    assert source.plan(5)[0].tolist() == [3, 7, 3, 7, 3, 3, 3]


def test_the_embedded_test_set_is_an_idx_source():
    source = open_source(str(ROOT / "data" / "mnist" / "t10k-images-idx3-ubyte.gz"))
    images, labels, _ = everything(source)
    real = RealSource("test").data
    assert torch.equal(labels.bincount(), real.labels.bincount())
    order = torch.argsort(labels, stable=True)
    assert int(images[order[:980]].long().sum()) == int(real.images[real.labels == 0].long().sum())


CONVERTED = {
    "rgb": (lambda x: Image.fromarray(x).convert("RGB"), "PNG", 0),
    "opaque alpha": (lambda x: Image.fromarray(x).convert("RGBA"), "PNG", 0),
    "grey with alpha": (lambda x: Image.fromarray(x).convert("LA"), "PNG", 0),
    "palette": (lambda x: Image.fromarray(x).convert("P"), "PNG", 0),
    "16 bit": (lambda x: Image.fromarray(x.astype(np.uint16) * 257), "PNG", 0),
    "16 bit between": (
        lambda x: Image.fromarray(x.astype(np.uint16) * 257 - (x > 0).astype(np.uint16) * 100),
        "PNG",
        0,
    ),
    "1 bit": (lambda x: Image.fromarray(x > 127), "PNG", None),
    "bmp": (lambda x: Image.fromarray(x), "BMP", 0),
    "gif": (lambda x: Image.fromarray(x), "GIF", 0),
    "webp": (lambda x: Image.fromarray(x), "WEBP", 25),
    "jpeg": (lambda x: Image.fromarray(x), "JPEG", 50),
    "cmyk": (lambda x: Image.fromarray(x).convert("CMYK"), "JPEG", 50),
}


@pytest.mark.parametrize("case", CONVERTED)
def test_grey_images_of_every_kind_are_converted(tmp_path, digits, case):
    make, kind, tolerance = CONVERTED[case]
    for label, pixels in enumerate(digits[0][:10]):
        (tmp_path / str(label)).mkdir()
        (tmp_path / str(label) / f"x.{kind.lower()}").write_bytes(encoded(make(pixels), kind))
    found = everything(open_source(str(tmp_path)))[0][:, 0].numpy().astype(int)
    wanted = digits[0][:10].astype(int)
    if tolerance is None:
        wanted, tolerance = (wanted > 127) * 255, 0
    assert np.abs(found - wanted).max() <= tolerance


def test_exif_rotation_is_applied(tmp_path, digits):
    exif = Image.Exif()
    exif[0x0112] = 6  # stored a quarter turn to the left of upright
    (tmp_path / "x.png").write_bytes(encoded(np.rot90(digits[0][0]).copy(), exif=exif))
    assert np.array_equal(everything(open_source(str(tmp_path)))[0][0, 0].numpy(), digits[0][0])


def test_a_zip_of_one_class_keeps_its_label(tmp_path, digits):
    class_folders(tmp_path / "in", digits[0][:1], [4])
    shutil.make_archive(tmp_path / "four", "zip", tmp_path / "in")
    assert open_source(str(tmp_path / "four.zip")).plan(None)[0].tolist() == [4]
    our_names(tmp_path / "flat", digits[0][:2], [4, 5])
    shutil.make_archive(tmp_path / "flat", "zip", tmp_path, "flat")
    assert open_source(str(tmp_path / "flat.zip")).plan(None)[0].tolist() == [4, 5]
