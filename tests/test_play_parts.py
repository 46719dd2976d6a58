"""What walks, hands and posters are composed of: signs, outlines, a drawn digit, arrangements."""

import base64
import io
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.draw import polygon2mask

from app import hand, morph, pad, poster, strokes, vector
from diffusion_core import data
from diffusion_core.errors import UserError
from diffusion_core.interpolate import one_hand
from diffusion_core.noise import Noise
from eval.shape import measure

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def real_digits():
    return data.load("mnist", "test")


def png(pixels, mode=None) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).convert(mode).save(buffer, "PNG")
    return buffer.getvalue()


# ---------------------------------------------------------------- signs


@pytest.mark.parametrize("thickness", [2.0, 3.0, 4.0])
def test_signs_are_as_thick_as_asked(thickness):
    """Against the measure of reports, which reads thin strokes up to half a pixel too thick."""
    for character in "-/":
        tile = torch.from_numpy(strokes.sign(character, thickness, 0.0))[None, None]
        assert float(measure(tile)["thickness"]) == pytest.approx(thickness, abs=0.6)


def test_a_dot_is_a_disc_and_a_blank_is_blank():
    assert strokes.sign(".", 6.0, 0.0).sum() / 255 == pytest.approx(np.pi * 9, rel=0.05)
    assert not strokes.sign(" ", 3.0, 0.0).any()


def test_signs_lean_with_the_hand():
    x = np.arange(strokes.SIDE)
    for slant in (-0.3, 0.3):
        tile = strokes.sign(":", 3.0, slant).astype(float)
        top, bottom = tile[:14].sum(0), tile[14:].sum(0)
        moved = (top @ x[: len(top)]) / top.sum() - (bottom @ x[: len(top)]) / bottom.sum()
        assert moved == pytest.approx(8 * np.tan(slant), abs=0.2)


@pytest.mark.parametrize("text", ["", "   ", None, 17, "1" * 25, "12a", "12\n3", ".-/", "٣", "1,5", "<b>"])
def test_bad_text_is_one_line(text):
    with pytest.raises(UserError) as caught:
        hand.checked(text)
    assert "\n" not in str(caught.value)


def test_letters_are_told_apart_and_every_sign_is_taken():
    with pytest.raises(UserError, match="^Ü: letters cannot be written"):
        hand.checked("17-Ü 17")
    assert hand.checked(f" 1{hand.SIGNS}2 ") == f"1{hand.SIGNS}2"


def test_a_line_has_its_parts_in_order():
    digits = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
    digits[0, 0, 5:20, 10:14] = 255
    digits[1, 0, 5:20, 3:9] = 200
    whole = hand.composed("1-7", digits)
    inked = np.flatnonzero(whole[hand.MARGIN + 5].astype(int) > 0)  # a row above the middle: both digits, no sign
    first, second = np.split(inked, np.flatnonzero(np.diff(inked) > 1) + 1)
    sign = strokes.sign("-", float(measure(digits)["thickness"].median()), 0.0).shape[1]
    assert whole[hand.MARGIN + 5, first].tolist() == [255] * 4 and len(second) == 6
    assert second[0] - first[-1] - 1 == 2 * hand.GAP + sign and first[0] == hand.MARGIN


# ---------------------------------------------------------------- outlines


def test_an_outline_encloses_the_ink_and_leaves_its_holes(real_digits):
    """Filled again by another library, it covers what the image's own level does."""
    zero = real_digits.images[3, 0].numpy()  # a 0
    contours = [
        np.array([[float(n) for n in pair.split()] for pair in part.rstrip("Z").split("L")])
        for part in vector.outline(zero).split("M")[1:]
    ]
    assert len(contours) == 2
    covered = np.zeros((280, 280), bool)
    for contour in contours:
        covered ^= polygon2mask((280, 280), contour[:, ::-1] * 10)
    grey = zero.repeat(10, 0).repeat(10, 1) / 255
    assert covered.mean() == pytest.approx((zero / 255).mean(), rel=0.06)
    assert (covered == (grey > 0.5)).mean() > 0.97


def test_a_document_is_xml_and_escapes_its_title():
    root = ElementTree.fromstring(vector.document([("M0 0L1 0L1 1Z", 3, 4, 1), ("", 0, 0, 1)], 10, 20, '<&">'))
    assert root.get("viewBox") == "0 0 10 20" and root.find(f"{SVG}title").text == '<&">'
    assert [path.get("transform") for path in root.iter(f"{SVG}path")] == ["translate(3 4)"]
    assert not vector.outline(np.zeros((28, 28)))


# ---------------------------------------------------------------- a drawn digit


def test_a_real_digit_is_fitted_to_itself(real_digits):
    """MNIST's own form is a fixed point: at most moved by a pixel, from any size, in either polarity."""
    for i in (0, 3, 18, 61):
        image = real_digits.images[i, 0].numpy()
        for form in (255 - image, image, (255 - image).repeat(10, 0).repeat(10, 1)):
            fitted = pad.fitted(form.astype(float))
            assert fitted.shape == (1, 1, 28, 28) and fitted.dtype == torch.uint8
            before, after = (measure(t) for t in (real_digits.images[i : i + 1], fitted))
            assert float(after["height"]) == pytest.approx(float(before["height"]), abs=1.5)
            assert float(after["thickness"]) == pytest.approx(float(before["thickness"]), abs=0.6)
            assert float(after["slant"]) == pytest.approx(float(before["slant"]), abs=0.05)


def test_the_ink_is_in_a_box_of_twenty_around_the_middle():
    page = np.full((300, 200), 240.0)
    page[250:290, 20:25] = 30  # thin and in a corner
    fitted = pad.fitted(page)[0, 0].float()
    rows, columns = fitted.any(1).nonzero(), fitted.any(0).nonzero()
    assert int(rows.max() - rows.min()) + 1 == 20 and int(columns.max() - columns.min()) + 1 <= 3
    y, x = torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")
    for axis in (x, y):
        assert float((axis * fitted).sum() / fitted.sum()) == pytest.approx(13.5, abs=0.6)


def test_an_empty_drawing_is_one_line():
    for grey in (np.full((280, 280), 255.0), np.zeros((1, 1)), np.full((50, 50), 120.0)):
        with pytest.raises(UserError, match="no digit in it yet"):
            pad.fitted(grey)


def test_every_mode_becomes_the_same_grey(real_digits):
    image = real_digits.images[3, 0].numpy()
    expected = pad.decoded(png(255 - image, "L"))
    for mode in ("RGB", "RGBA", "P"):
        assert np.abs(pad.decoded(png(255 - image, mode)) - expected).max() <= 1
    clear = np.zeros((28, 28, 4), np.uint8)
    clear[..., 3] = image  # black ink on nothing: nothing is white
    assert np.abs(pad.decoded(png(clear)) - expected).max() <= 1
    buffer = io.BytesIO()
    Image.fromarray((255 - image).astype(np.uint16) * 257).save(buffer, "PNG")
    assert np.abs(pad.decoded(buffer.getvalue()) - expected).max() <= 1


def bomb() -> bytes:
    """A PNG whose header claims 65,535 x 65,535 pixels."""
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 65535, 65535, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a PNG"),
        (b"hello", "not a PNG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a PNG"),
        (png(np.random.default_rng(0).integers(0, 256, (28, 28)))[:400], "damaged or cut off"),
        (bomb(), "far too many pixels|claims 65,535"),
        (png(np.zeros((5000, 3))), "claims 3 x 5,000"),
        (bytes(pad.MAX_BYTES + 1), "larger than 4 MB"),
    ],
    ids=["empty", "text", "svg", "half", "bomb", "long", "heavy"],
)
def test_what_is_no_picture_is_one_line(content, words):
    with pytest.raises(UserError, match=words):
        pad.decoded(content)


@pytest.mark.parametrize("sent", [7, {}, "x", "data:image/png;base64,%%", "data:text/html;base64,AAAA"])
def test_what_is_no_drawing_is_one_line(sent):
    with pytest.raises(UserError, match="did not arrive"):
        pad.from_data_uri(sent)
    with pytest.raises(UserError, match="did not arrive"):
        pad.from_data_uri("data:image/png;base64," + "A" * pad.MAX_TEXT)


def test_a_drawing_that_a_browser_sends(real_digits):
    sent = "data:image/png;base64," + base64.b64encode(png(255 - real_digits.images[3, 0].numpy())).decode()
    assert torch.equal(pad.from_data_uri(sent), pad.fitted(255.0 - real_digits.images[3, 0].numpy()))


# ---------------------------------------------------------------- one hand


def test_without_variation_equal_digits_are_copies_and_with_it_they_differ(tiny):
    style, labels = hand.style_of_seed(4, tiny.spec.shape), torch.tensor([7, 7, 2])
    same = one_hand(tiny, labels, style, 4, 0.0)
    assert torch.equal(same[0], same[1])
    varied = one_hand(tiny, labels, style, 4, 0.2)
    assert not torch.equal(varied[0], varied[1])
    unrelated = one_hand(tiny, labels, style, 4, 1.0)
    assert torch.equal(unrelated, one_hand(tiny, labels, hand.style_of_seed(99, tiny.spec.shape), 4, 1.0))


@pytest.mark.parametrize(("seed", "variation"), [(-1, 0.1), (2**32 - 2, 0.1), (0, 1.1), (0, -0.1), (0, float("nan"))])
def test_an_odd_hand_is_refused(tiny, seed, variation):
    with pytest.raises(UserError, match="must be from 0"):
        one_hand(tiny, torch.tensor([1, 2]), Noise(torch.tensor([0])).normal(1, 28, 28), seed, variation)


# ---------------------------------------------------------------- a poster


def test_a_poster_fills_up_and_ends_from_thin_to_bold(tiny):
    *growing, last = poster.draw(tiny, 20, 5, 3, None)
    assert [p.done for p in growing] == [64, 100] and last.done == 100
    assert int((growing[0].images.flatten(1) > 0).any(1).sum()) == 64
    ink = last.images.flatten(1).float().sum(1)
    for column in range(10):
        own = ink.view(5, 10, 2)[:, column].flatten()
        assert torch.equal(own, own.sort().values)
    key = [tuple(i.flatten().tolist()) for i in growing[-1].images]
    assert sorted(key) == sorted(tuple(i.flatten().tolist()) for i in last.images)


def test_a_big_digit_is_spelled_by_its_own_in_bright(tiny, monkeypatch):
    digit = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
    digit[0, 0, 4:24, 12:16] = 255  # a 1
    monkeypatch.setattr(poster, "generate", lambda *_: digit)
    labels, light = poster.plan(tiny, 30, 12, 0, 1)
    grid = (labels == 1).view(12, 30)
    assert torch.equal(grid.any(0).nonzero().flatten(), torch.tensor([14, 15]))
    assert grid.sum() == 20 and light.reshape(12, 30)[grid.numpy()].min() > 0.55
    assert light[labels.numpy() != 1].max() < 0.7 and light.min() == pytest.approx(poster.DIM)


@pytest.mark.parametrize("size", [(0, 5), (1001, 1), (40, 26), (-1, -1)])
def test_an_odd_size_is_refused_before_anything_is_drawn(tiny, size):
    with pytest.raises(UserError, match="1 to 1,000 images"):
        next(poster.draw(tiny, *size, 0, None))


def test_a_poster_as_png_and_svg(tiny):
    *_, last = poster.draw(tiny, 4, 2, 0, 5)
    with Image.open(io.BytesIO(poster.png(last))) as picture:
        assert picture.size == (4 * 28 * 3, 2 * 28 * 3)
    root = ElementTree.fromstring(poster.svg(last))
    assert root.get("viewBox") == "0 0 112 56" and len(list(root.iter(f"{SVG}path"))) <= 8


# ---------------------------------------------------------------- a walk


def test_a_film_goes_there_and_back(tiny):
    images = morph.walked(tiny, (5, 0), (6, 1), None, 5)
    with Image.open(io.BytesIO(morph.film(images, "WEBP"))) as film:
        assert film.n_frames == 8 and film.size == (320, 320)
    with Image.open(io.BytesIO(morph.strip(images))) as strip:
        assert strip.size == (4 * (5 * 30 + 2), 4 * 32)


@pytest.mark.parametrize("scales", [(0, 21), (-1, 2), (float("nan"), 1), (2, 2)])
def test_odd_guidance_is_refused(tiny, scales):
    with pytest.raises(UserError, match="Guidance must"):
        morph.walked(tiny, (5, 0), None, scales, 5)


def test_turns_of_a_reading():
    assert morph.turns(torch.tensor([5, 5, 6, 6, 5])) == [(0, 5), (2, 6), (4, 5)]
