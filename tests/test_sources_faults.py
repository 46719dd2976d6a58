"""Files that are damaged, lying, hostile or merely wrong: one line each that names them, never a traceback."""

import gzip
import io
import os
import struct
import zipfile
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image, PngImagePlugin

from eval.errors import UserError
from eval.images import decode
from eval.sources import RealSource, open_source

NOISE = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)


def encoded(pixels=NOISE, kind="PNG", **options):
    buffer = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def bomb(width, height):
    """A PNG of a few bytes that claims any size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def jpeg_claiming(side):
    data = bytearray(encoded(kind="JPEG"))
    start = data.index(b"\xff\xc0") + 5
    data[start : start + 4] = struct.pack(">HH", side, side)
    return bytes(data)


def flipped(data):
    """One bit of the compressed pixels."""
    at = data.index(b"IDAT") + 40
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def frames(kind):
    pages = [Image.fromarray(np.roll(NOISE, i)) for i in range(3)]
    return encoded(pages[0], kind, save_all=True, append_images=pages[1:])


def text_bomb():
    info = PngImagePlugin.PngInfo()
    info.add_text("x", "0" * 20_000_000, zip=True)
    return encoded(pnginfo=info)


def translucent():
    image = Image.fromarray(NOISE).convert("RGBA")
    image.putpixel((0, 0), (255, 255, 255, 254))
    return image


COLOUR = Image.fromarray(np.stack([NOISE, NOISE[::-1], NOISE], 2))
GREEN = Image.fromarray(np.stack([np.zeros_like(NOISE), NOISE, np.zeros_like(NOISE)], 2))
IMAGES = {
    "truncated": (encoded()[:400], "damaged or cut off"),
    "header only": (encoded()[:40], "damaged or cut off|not a PNG"),
    "flipped": (flipped(encoded()), "damaged"),
    "empty": (b"", "not a PNG"),
    "text": (b"hello " * 100, "not a PNG"),
    "svg": (b'<svg xmlns="http://www.w3.org/2000/svg" width="28" height="28"/>', "not a PNG"),
    "tiff": (encoded(kind="TIFF"), "not a PNG"),
    "psd": (b"8BPS\0\1" + bytes(400), "not a PNG"),
    "eps": (encoded(kind="EPS"), "not a PNG"),
    "bomb": (bomb(65_535, 65_535), "89 million pixels; 'mnist' needs 28x28"),
    "small bomb": (bomb(5_000, 5_000), "5000x5000 pixels; 'mnist' needs 28x28"),
    "negative": (bomb(2**31 + 1, 28), "."),
    "jpeg bomb": (jpeg_claiming(65_535), "89 million|65535"),
    "text bomb": (text_bomb(), "damaged"),
    "one pixel": (encoded(NOISE[:1, :1]), "1x1 pixels; 'mnist' needs 28x28"),
    "long": (bomb(1, 10_000), "1x10000 pixels"),
    "padded": (encoded(np.pad(NOISE, 2)), "32x32 pixels; 'mnist' needs 28x28"),
    "animated gif": (frames("GIF"), "several frames"),
    "animated png": (frames("PNG"), "several frames"),
    "animated webp": (frames("WEBP"), "several frames"),
    "colour": (encoded(COLOUR), "in colour where 'mnist' is grey"),
    "colour jpeg": (encoded(GREEN, "JPEG"), "in colour"),
    "colour palette": (encoded(GREEN.convert("P")), "in colour"),
    "translucent": (encoded(translucent()), "translucent"),
    "translucent palette": (encoded(Image.fromarray(NOISE).convert("P"), transparency=0), "translucent"),
    "translucent 16 bit": (encoded(NOISE.astype(np.uint16), transparency=7), "translucent"),
    "large": (encoded() + bytes(2 << 20), "at most 1,048,576"),
}


@pytest.mark.parametrize("case", IMAGES)
def test_bad_images_are_refused_wherever_they_lie(tmp_path, case):
    content, message = IMAGES[case]
    folder = tmp_path / "my digits" / "3"
    folder.mkdir(parents=True)
    (folder / "a good.png").write_bytes(encoded())
    (folder / "zwölf.png").write_bytes(content)
    refused(tmp_path / "my digits", rf"my digits/3/zwölf\.png: .*({message})")
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("3/a.png", encoded())
        archive.writestr("3/b.png", content)
    refused(tmp_path / "z.zip", rf"z\.zip/3/b\.png: .*({message.replace('at most', '.*')})")
    image = pa.array([{"bytes": encoded()}, {"bytes": content}])
    pq.write_table(pa.table({"image": image, "label": [1, 2]}), tmp_path / "p.parquet")
    refused(tmp_path / "p.parquet", rf"p\.parquet, row 1: .*({message})")


def test_every_flipped_bit_of_a_png_is_noticed():
    """Pillow alone decodes some of them to other pixels: it does not compare the checksums of what it decodes."""
    real = RealSource("test")
    data = encoded(real.data.images[0, 0].numpy())
    assert np.array_equal(decode(data, real.data.spec)[0], real.data.images[0, 0])
    for at in range(data.index(b"IDAT"), len(data) - 12):
        for bit in range(8):
            with pytest.raises(UserError):
                decode(data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :], real.data.spec)


def refused(name, message):
    with pytest.raises(UserError, match=message) as error:
        open_source(str(name))
    text = str(error.value)
    assert text.isprintable() and len(text) < 700, text


def write(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


A = encoded()
FOLDERS = {
    "empty": ({}, "holds no images"),
    "only text": ({"a.txt": "hello"}, "holds no images"),
    "tiff": ({"a.png": A, "b.tif": A}, r"b\.tif: save it as PNG"),
    "class 10": ({"0/a.png": A, "10/a.png": A}, "folder '10' is not a class of 'mnist'"),
    "class -1": ({"-1/a.png": A}, "folder '-1' is not a class"),
    "splits": ({"train/0/a.png": A}, "not deeper"),
    "other folder": ({"train/a.png": A}, "folder 'train' is not a class"),
    "both": ({"0/a.png": A, "b.png": A}, r"beside them \('b\.png'\)"),
    "label out of range": ({"12-000001.png": A}, "label 12 is not one of"),
    "some names": ({"1-000001.png": A, "b.png": A}, r"'b\.png' is not"),
    "same name twice": ({"1-000001.png": A, "1-000001.bmp": encoded(kind="BMP")}, "same label and seed"),
    "two tables": ({"a.png": A, "metadata.csv": "", "metadata.jsonl": ""}, "both"),
    "empty table": ({"a.png": A, "metadata.csv": ""}, r"metadata\.csv: it has no line for 'a\.png'"),
    "unlisted": ({"a.png": A, "b.png": A, "metadata.csv": "file_name\na.png"}, r"no line for 'b\.png'"),
    "not there": ({"a.png": A, "metadata.csv": "file_name\na.png\nb.png"}, r"no image here, 'b\.png'"),
    "outside": ({"a.png": A, "metadata.csv": "file_name\na.png\n../a.png"}, r"no image here, '\.\./a\.png'"),
    "listed twice": ({"a.png": A, "metadata.csv": "file_name\na.png\na.png"}, "twice"),
    "label": ({"a.png": A, "metadata.csv": "file_name,label\na.png,ten"}, "'a.png': label 'ten'"),
    "half a label": ({"a.png": A, "metadata.jsonl": '{"file_name": "a.png", "label": 2.5}'}, "label 2.5"),
    "true": ({"a.png": A, "metadata.jsonl": '{"file_name": "a.png", "label": true}'}, "label True"),
    "seed": ({"a.png": A, "metadata.csv": "file_name,seed\na.png,-3"}, "seed '-3'"),
    "huge seed": ({"a.png": A, "metadata.csv": "file_name,seed\na.png,9223372036854775808"}, "seed"),
    "no name": ({"a.png": A, "metadata.jsonl": '{"label": 3}'}, "file_name"),
    "list": ({"a.png": A, "metadata.jsonl": "[1]"}, "file_name"),
    "deep": ({"a.png": A, "metadata.jsonl": "[" * 100_000}, "damaged"),
    "latin": ({"a.png": A, "metadata.csv": b"file_name\n\xe4.png"}, "damaged"),
    "newline": ({"a\nb\u202e.png": b""}, r"a\?b\?\.png"),
}


@pytest.mark.parametrize("case", FOLDERS)
def test_bad_folders_are_refused(tmp_path, case):
    files, message = FOLDERS[case]
    refused(write(tmp_path, files), message)


def test_some_labels_missing(tmp_path):
    write(tmp_path, {"a.png": A, "b.png": A, "metadata.csv": "file_name,label\na.png,1\nb.png,"})
    refused(tmp_path, r"'b\.png': label ''")
    write(tmp_path, {"metadata.csv": "file_name,label\na.png,1\nb.png,-1"})
    refused(tmp_path, "label -1 is below 0")


def test_links_pipes_and_locked_files(tmp_path):
    loop = write(tmp_path / "loop", {"a.png": A})
    (loop / "b.png").symlink_to("b.png")
    refused(loop, r"b\.png: it cannot be read \(Too many levels")
    ring = write(tmp_path / "ring", {"0/a.png": A})
    (ring / "0" / "up").symlink_to(ring)
    refused(ring, "0/up: .*not deeper")
    around = write(tmp_path / "around", {"a.png": A})
    (around / "back").symlink_to(around)
    refused(around, "back/back: .*not deeper")
    pipe = write(tmp_path / "pipe", {"a.png": A})
    os.mkfifo(pipe / "b.png")
    refused(pipe, r"b\.png: it is not a regular file")
    gone = write(tmp_path / "gone", {"a.png": A})
    (gone / "b.png").symlink_to("nowhere.png")
    refused(gone, r"b\.png: it cannot be read \(No such file")
    linked = tmp_path / "linked"
    (linked / "0").mkdir(parents=True)
    (linked / "0" / "b.png").symlink_to(gone / "a.png")  # as the cache of Hugging Face has it
    assert len(open_source(str(linked)).plan(None)[0]) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_files(tmp_path):
    write(tmp_path / "d", {"a.png": A})
    (tmp_path / "d" / "a.png").chmod(0)
    refused(tmp_path / "d", r"a\.png: it cannot be read \(Permission denied\)")
    (tmp_path / "d").chmod(0)
    refused(tmp_path / "d", r"cannot be read \(Permission denied\)")
    (tmp_path / "d").chmod(0o700)


def test_reading_that_fails_is_told(tmp_path):
    """Even for root: a folder under a file's name, and a name that cannot be opened."""
    (tmp_path / "a.zip").mkdir()
    (tmp_path / "b.parquet").mkdir()
    refused(tmp_path / "a.zip", "holds no images")
    refused(tmp_path / "b.parquet", "holds no images")
    for name in ("none.zip", "none.parquet", "none-images-idx3-ubyte", "none.npz"):
        refused(tmp_path / name, "no file")
    with pytest.raises(UserError, match="no '.*none'"):
        open_source(str(tmp_path / "none"))


ZIPS = {
    "text": (b"hello", "not a .zip"),
    "empty": (b"", "not a .zip"),
    "encrypted": (None, "damaged or encrypted"),
}


@pytest.mark.parametrize("case", ZIPS)
def test_bad_zips(tmp_path, case):
    content, message = ZIPS[case]
    if content is None:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("0/a.png", A)
        content = bytearray(buffer.getvalue())
        content[6] |= 1  # says that it is encrypted, in the member's header and in the directory
        content[content.index(b"PK\1\2") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(content)
    refused(tmp_path / "a.zip", message)


X = pa.array([{"bytes": A, "path": "a.png"}] * 4)
LISTS = [list(NOISE.ravel().tolist())] * 4
TABLES = {
    "no image column": ({"pixels": X, "label": range(4)}, "no column 'image' or 'images' .it has: pixels, label"),
    "label range": ({"image": X, "label": [1, 2, 10, 3]}, "row 2: label 10 is not one of the classes 0..9"),
    "negative": ({"image": X, "label": [1, -1, 3, 4]}, "label -1 is below 0"),
    "very negative": ({"image": X, "label": [1, -2, 3, 4]}, "row 1: label -2"),
    "name": ({"image": X, "label": ["one", "2", "3", "4"]}, "row 0: label 'one'"),
    "float": ({"image": X, "label": [1.0, 2.0, 3.0, 4.0]}, "label 1.0"),
    "null label": ({"image": X, "label": [1, None, 3, 4]}, "row 1: label None"),
    "null seed": ({"image": X, "seed": [1, 2, None, 4]}, "row 2: seed None"),
    "twice": ({"image": X, "label": [1] * 4, "seed": [1] * 4}, "same label and seed"),
    "null image": ({"image": pa.array([{"bytes": A}, None])}, "row 1: the image is missing"),
    "only a path": ({"image": pa.array([{"bytes": None, "path": "/etc/passwd"}], X.type)}, "path is not followed"),
    "path only": ({"image": pa.array([{"path": "/etc/passwd"}])}, "images are struct"),
    "strings": ({"image": ["a.png"]}, "images are string"),
    "int64": ({"image": LISTS}, "pixels are int64, not uint8"),
    "short list": ({"image": pa.array([x[1:] for x in LISTS], pa.list_(pa.uint8()))}, r"783 pixels; .* \(28, 28\)"),
    "null pixel": ({"image": pa.array([[None, *LISTS[0][1:]]], pa.list_(pa.uint8()))}, "783 pixels"),
    "nan": ({"image": pa.array([[float("nan")] * 784])}, "pixels are double"),
    "none": ({"image": X[:0]}, "holds no images"),
}


@pytest.mark.parametrize("case", TABLES)
def test_bad_tables_are_refused(tmp_path, case):
    columns, message = TABLES[case]
    pq.write_table(
        pa.table({k: pa.array(v) if isinstance(v, range) else v for k, v in columns.items()}), tmp_path / "x.parquet"
    )
    refused(tmp_path / "x.parquet", rf"x\.parquet.*{message}")


def test_damaged_tables(tmp_path):
    pq.write_table(pa.table({"image": X, "label": range(4)}), tmp_path / "a.parquet")
    good = (tmp_path / "a.parquet").read_bytes()
    middle = bytes(b ^ 255 for b in good[4:60])
    for content in (b"", b"hello", good[:-20], good[:100] + good[200:], good[:4] + middle + good[60:]):
        (tmp_path / "a.parquet").write_bytes(content)
        refused(tmp_path / "a.parquet", r"a\.parquet")
    (tmp_path / "a.parquet").write_bytes(good)
    pq.write_table(pa.table({"image": X}), tmp_path / "b.parquet")
    refused(tmp_path, "some of its files have a column 'label'")


def idx(*sizes, body=None, magic=None):
    body = bytes(int(np.prod(sizes))) if body is None else body
    return (magic or bytes([0, 0, 8, len(sizes)])) + struct.pack(f">{len(sizes)}I", *sizes) + body


IDX = {
    "half": (gzip.compress(idx(4, 28, 28, body=NOISE.tobytes() * 4))[:-300], "damaged or cut off"),
    "not gzip": (idx(4, 28, 28), "Not a gzipped|damaged"),
    "text": (gzip.compress(b"hello" * 20), "not an IDX file"),
    "empty": (gzip.compress(b""), "not an IDX file"),
    "floats": (gzip.compress(idx(4, 28, 28, magic=b"\0\0\x0d\3")), "not an IDX file of unsigned bytes"),
    "labels": (gzip.compress(idx(4)), "not an IDX file"),
    "short": (gzip.compress(idx(4, 28, 28, body=bytes(100))), "announces 3,136 bytes"),
    "long": (gzip.compress(idx(4, 28, 28, body=bytes(5000))), "announces 3,136 bytes"),
    "bomb": (gzip.compress(idx(2**32 - 1, 2**32 - 1, 2**32 - 1, body=bytes(10**6))), "announces"),
    "none": (gzip.compress(idx(0, 28, 28)), "announces"),
    "size": (gzip.compress(idx(4, 32, 32)), r"images are \[1, 32, 32\] .*needs \[1, 28, 28\]"),
}


@pytest.mark.parametrize("case", IDX)
def test_bad_idx_files_are_refused(tmp_path, case):
    content, message = IDX[case]
    (tmp_path / "x-images-idx3-ubyte.gz").write_bytes(content)
    refused(tmp_path / "x-images-idx3-ubyte.gz", message)


def test_idx_labels_must_fit(tmp_path):
    images, labels = tmp_path / "x-images-idx3-ubyte", tmp_path / "x-labels-idx1-ubyte"
    images.write_bytes(idx(4, 28, 28))
    for content, message in (
        (idx(3), "4 images, .* 3 labels"),
        (idx(4, body=b"\1\2\3\12"), "label 10 is outside"),
        (b"hello", "labels-idx1-ubyte is not an IDX file"),
    ):
        labels.write_bytes(content)
        refused(images, message)
    labels.write_bytes(idx(4))
    refused(labels, "give the file of the images")
