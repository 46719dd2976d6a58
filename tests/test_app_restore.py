"""Restoring as a visitor: the cases a browser asks for, the handlers, and one line for what does not fit."""

import base64
import io
import re
from html import unescape
from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np
import pytest
import torch
from PIL import Image

from app import links, pad, paint, restored_view
from app.build import TABS
from app.links import View
from app.restoration import candidates, hurt, image_file, picture, real_image, which
from app.restore_request import case
from app.tabs import restore
from diffusion_core import data
from diffusion_core.damage import damage
from diffusion_core.data import ROOT
from diffusion_core.errors import UserError

SPEC = data.spec("mnist")
SETTINGS = ["mnist", "test", 8, "", None, False, "box", 12, "", "?", 4, 0, "pigdm", 3, 1]
NAMES = restore.Controls._fields


def settings(**changes) -> list:
    """The tab's values, with some of them changed."""
    return [changes.get(name, value) for name, value in zip(NAMES, SETTINGS, strict=True)]


def drawing(*boxes, side: int = paint.SIDE, kind: str = "PNG", paper: bool = False) -> str:
    """Rectangles (left, top, right, bottom) as a browser sends them: of white on nothing, or of black on paper."""
    pixels = np.full((side, side, 4), 255 if paper else 0, np.uint8)
    for left, top, right, bottom in boxes:
        pixels[top:bottom, left:right] = (0, 0, 0, 255) if paper else 255
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return pad.HEAD + base64.b64encode(buffer.getvalue()).decode()


# ---------------------------------------------------------------- painting


def test_what_is_painted_is_hidden_pixel_by_pixel():
    found = paint.painted(drawing((0, 0, 100, 50), (104, 0, 110, 10)), (28, 28))
    assert found[:5, :10].all() and found.sum() == 51  # and of the pixel at (0, 10) six tenths


@pytest.mark.parametrize("text", [None, "", 7, pad.HEAD, pad.HEAD + "A" * 500_000, pad.HEAD + "!!!", "<img onerror=x>"])
def test_what_no_browser_sends_is_one_line(text):
    with pytest.raises(UserError, match="painted"):
        paint.strokes(text)


def test_other_pictures_are_refused():
    with pytest.raises(UserError, match="280 by 280"):
        paint.strokes(drawing(side=64))
    with pytest.raises(UserError, match="cannot be read"):
        paint.strokes(drawing(kind="WEBP"))


# ---------------------------------------------------------------- the cases


def test_the_default_case_is_a_test_digit_with_a_hole():
    found = case(SPEC, *SETTINGS[1:5], *SETTINGS[5:])
    assert torch.equal(found.original, data.load("mnist", "test").images[8:9]) and found.label is None
    left = picture(found, SPEC)
    hidden = ~found.damage.operator.known
    assert int(hidden.sum()) == 144 and not left[hidden].any() and torch.equal(left[~hidden], found.original[~hidden])


def test_a_digit_that_was_drawn_and_a_mask_that_was_painted():
    sent = settings(
        source="draw", drawing=drawing((120, 40, 150, 240), paper=True), kind="hand", mask=drawing((0, 140, 280, 280))
    )
    found = case(SPEC, *sent[1:])
    assert found.damage.operator.known[0, 0, :14].all() and not found.damage.operator.known[0, 0, 14:].any()
    assert found.original.shape == (1, 1, 28, 28) and found.original.any()


@pytest.mark.parametrize(
    ("kind", "severity", "size"), [("shrink", 4, 7), ("shrink", 2, 14), ("blur", 2, 28), ("noise", 0.5, 28)]
)
def test_a_picture_that_is_damaged_already(tmp_path, kind, severity, size):
    whole = case(SPEC, *settings(index=3, kind=kind, severity=severity)[1:])
    Image.fromarray(whole.recorded.view(size, size).mul(255).round().clamp(0, 255).byte().numpy()).save(
        tmp_path / "x.png"
    )
    sent = settings(source="file", file=tmp_path / "x.png", already=True, kind=kind, severity=severity)
    found = case(SPEC, *sent[1:])
    assert found.original is None and found.recorded.shape == whole.recorded.shape
    if kind == "noise":
        assert found.damage.noise == pytest.approx(0.5, rel=0.25)
    else:
        assert (found.recorded - whole.recorded).abs().max() < 0.05 and found.damage.noise == whole.damage.noise


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"index": 10_000}, "There is no test image 10000"),
        ({"index": "x"}, "number of the test image must be"),
        ({"index": float("nan")}, "number of the test image must be"),
        ({"source": "moon"}, "Choose a test image"),
        ({"source": "file"}, "Give an image file"),
        ({"source": "draw"}, "The drawing did not arrive"),
        ({"kind": "smear"}, "kinds of damage on offer"),
        ({"kind": None}, "kinds of damage on offer"),
        ({"severity": float("inf")}, "The severity must be"),
        ({"severity": "12"}, "The severity must be"),
        ({"kind": "shrink", "severity": 3}, "cannot be shrunk by 3"),
        ({"kind": "hand", "mask": drawing()}, "hides nothing"),
        ({"kind": "hand", "mask": drawing((0, 0, 280, 280))}, "hides everything"),
        ({"label": 11}, "The class must be"),
        ({"label": []}, "The class must be"),
        ({"count": 0}, "The number of candidates must be"),
        ({"count": 1e6}, "The number of candidates must be"),
        ({"seed": -1}, "The seed must be"),
        ({"seed": 2**64}, "The seed must be"),
        ({"method": "magic"}, "There is no method"),
        ({"steps": 0}, "Steps must be"),
        ({"steps": 2.5}, "Steps must be"),
        ({"travel": 99}, "Time travel must be"),
    ],
)
def test_bad_settings_are_one_line(change, said):
    with pytest.raises(UserError, match=said) as error:
        case(SPEC, *settings(**change)[1:])
    assert "\n" not in str(error.value) and len(str(error.value)) < 200


def test_bad_files_are_one_line(tmp_path):
    files = {
        "text.png": b"hello",
        "empty.png": b"",
        "half.png": (ROOT / "docs" / "page.png").read_bytes()[:3000],
        "big.png": b"x" * (2 << 20),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    Image.new("L", (30, 28)).save(tmp_path / "wide.png")
    Image.new("RGB", (28, 28), "red").save(tmp_path / "red.png")
    for name in (*files, "wide.png", "red.png", "missing.png"):
        with pytest.raises(UserError, match=f"^{name}"):
            image_file(tmp_path / name, SPEC)
    Image.new("L", (28, 28)).save(tmp_path / "clean.png")
    with pytest.raises(UserError, match="No noise was found"):
        case(SPEC, *settings(source="file", file=tmp_path / "clean.png", already=True, kind="noise", severity=0.5)[1:])


# ---------------------------------------------------------------- the page


def test_the_handler_shows_every_step_and_then_the_verdicts(store):
    *steps, (last, link) = restore.run(store, *settings())
    assert len(steps) == 4 and all('<progress max="3"' in shown and not said for shown, said in steps)
    assert last.count('class="odds"') == 2 and "4 ways it may have been" in last
    assert len(re.findall(r'alt="candidate \d"', last)) == 4 and "The original" in last
    assert re.search(r"The classifier reads \d in what is left, and \d in \d of 4 candidates\.", last)
    assert "dB before" in last
    view = links.read(dict(parse_qsl(unescape(re.search(r'data-link="\?([^"]+)', link)[1]))), TABS)
    assert view.tab == "restore" and view.real == 8 and view.damage == "box:12" and view.n == 4


def test_a_label_that_is_given_is_not_asked_of_the_model(store):
    *_, (last, _) = restore.run(store, *settings(label="5"))
    assert last.count('class="odds"') == 1 and "The model itself" not in last


def test_a_link_opens_what_it_says_and_odd_ones_the_default(store):
    view = View(tab="restore", a="early", real=77, damage="noise:1", digits=(3,), n=5, seed=9)
    values = dict(zip(NAMES, restore.opened(store, view), strict=True))
    assert values["key"]["value"] == "early" and values["index"] == 77 and values["label"]["value"] == "3"
    assert values["kind"] == "noise" and values["severity"]["value"] == 1.0 and values["count"] == 5
    odd = View(tab="restore", a="../x", real=10**9, damage="box:99", digits=(1, 2), n=10**6, seed=2**40)
    values = dict(zip(NAMES, restore.opened(store, odd), strict=True))
    assert values["key"]["value"] == "mnist" and values["index"] == restore.DIGIT and values["label"]["value"] == "?"
    assert values["severity"]["value"] == 12 and values["count"] == restore.COUNT and values["seed"] == 0


def test_what_a_visitor_drew_is_in_no_link(store):
    *_, (last, link) = restore.run(store, *settings(source="draw", drawing=drawing((120, 40, 150, 240), paper=True)))
    assert "data-link" not in link and "python -m" not in link and link.count("download=") == 2 and last
    assert restore.opening(store, *settings(source="draw"))[0].endswith("Press Restore.</p>")


def test_a_link_to_a_model_whose_images_are_not_here_says_how_to_get_them(shipped, monkeypatch):
    monkeypatch.delenv("FASHION_DIR", raising=False)
    monkeypatch.setattr(data, "DATA", Path("/nowhere"))
    found, take = restore.opening(shipped, *settings(key="fashion"))
    assert "images of &#x27;fashion&#x27; are not on this machine" in found and "--take FOLDER" in found
    assert found.startswith('<p class="problem">') and take == ""


def test_the_shipped_model_fills_the_gap_and_knows_the_digit(shipped):
    """A seven with its lower rows gone, without its label: all candidates are sevens or near, and the odds say so."""
    model = shipped.checkpoint("mnist")
    sent = settings(index=0, kind="cut", severity=7, count=8, steps=20)
    asked = case(model.spec, *sent[1:])
    *_, images = candidates(model, asked)
    known = asked.damage.operator.known
    assert all(torch.equal(image[known[0]], asked.original[0][known[0]]) for image in images)
    likely = which(model, images, 0)
    assert int(likely.argmax()) == 7 and float(likely[7]) > 0.5 and float(likely.sum()) == pytest.approx(1, abs=1e-4)
    shown = restored_view.finished(
        asked, model.spec, images, *(shipped.judges.read(seen, "mnist") for seen in (images[:1], images)), likely
    )
    assert "8 ways it may have been" in shown


def test_what_is_recorded_depends_on_the_seed_alone():
    original, _ = real_image(4, "mnist")
    found = damage("noise", 0.5, (28, 28))
    assert torch.equal(hurt(original, found, 3), hurt(original, found, 3))
    assert not torch.equal(hurt(original, found, 3), hurt(original, found, 4))
