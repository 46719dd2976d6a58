"""The Play tab's handlers without gradio, its command line, and what is said of a style in the noise."""

import base64
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from urllib.parse import parse_qsl
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image

from app import hand, links, play_view, sprites
from app.build import TABS
from app.cli import main
from app.play_request import ALONG, ORDERED, READ, Settings, checked
from app.store import Store
from app.tabs import play
from diffusion_core import data
from diffusion_core.data import ROOT
from diffusion_core.errors import UserError
from diffusion_core.generate import generate
from diffusion_core.interpolate import one_hand
from eval.shape import measure
from tests.conftest import save_tiny

SENT = Settings("walk", "mnist", 1, "5", "6", 3, "17.05", 0.15, "", READ, ORDERED, "20x10")


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("play") / "tiny"
    save_tiny(folder)
    return str(folder)


def files(html: str) -> dict[str, bytes]:
    """Every file that a page offers, by name."""
    found = re.findall(r'download="([^"]+)" href="data:[\w/+.-]+;base64,([^"]+)"', html)
    return {name: base64.b64decode(body) for name, body in found}


# ---------------------------------------------------------------- the page


def test_a_walk_shows_both_ends_and_what_is_read_on_the_way(shipped):
    html, *others = next(play.page(shipped, *SENT))
    assert others == [None, None, ""]
    assert re.findall(r'<i class="(\w+)">.*?(\d)</i>', html)[0] == ("from", "5")
    assert re.findall(r'<i class="(\w+)">.*?(\d)</i>', html)[-1] == ("to", "6")
    assert "The classifier reads 5, then" in html and "play walk mnist --from 5:1 --to 6:3" in html
    found = files(html)
    with Image.open(io.BytesIO(found["walk.png"])) as strip:
        tile = np.asarray(strip)[8 : 8 + 28 * 4 : 4, 8 : 8 + 28 * 4 : 4]
    checkpoint = shipped.checkpoint("mnist")
    first = generate(checkpoint, torch.tensor([5]), torch.tensor([1]), checkpoint.meta.sample)
    assert np.array_equal(tile, first[0, 0].numpy())
    for name in ("walk.gif", "walk.webp"):
        with Image.open(io.BytesIO(found[name])) as film:
            assert film.n_frames > play_view.FRAMES


def test_a_walk_along_guidance(store):
    html = next(play.page(store, *SENT._replace(other=ALONG)))[0]
    assert "guidance 4.00" in html and "--guidance 0:4" in html and html.count("<li>") == play_view.FRAMES


def test_a_text_is_read_back_as_it_was_asked(shipped):
    html = next(play.page(shipped, *SENT._replace(section="hand", text="-17.05.2026", seed=3)))[1]
    assert "The classifier reads -17.05.2026: as it was asked." in html and "-- -17.05.2026" in html
    found = files(html)
    assert ElementTree.fromstring(found["hand.svg"]).get("viewBox")
    with Image.open(io.BytesIO(found["hand.png"])) as picture:
        assert picture.height == 8 * (28 + 2 * hand.MARGIN)


def test_an_example_is_read_shown_and_followed(shipped):
    test = data.load("mnist", "test")
    sent = sprites.data_uri(sprites.png(255 - test.images[18, 0].numpy()))  # a bold 3
    html = next(play.page(shipped, *SENT._replace(section="hand", example=sent)))[1]
    assert "Your digit, read as a 3:" in html and files(html)["digit.png"] == base64.b64decode(sent.partition(",")[2])
    told = next(play.page(shipped, *SENT._replace(section="hand", example=sent, label="8")))[1]
    assert "as a 8:" in told and "--like-label 8" in told and told != html


def test_a_poster_grows_and_can_be_taken_away(store):
    shown = [part[2:] for part in play.page(store, *SENT._replace(section="poster", number="5"))]
    assert [int(n) for n in re.findall(r'value="(\d+)"', "".join(bar for _, bar in shown))] == [64, 128, 192, 200, 200]
    assert shown[-1][1] == "" and "data-save" in shown[-1][0] and "200 of 200 images, that spell a 5" in shown[-1][0]


def test_a_poster_ends_by_its_deadline(store, monkeypatch):
    monkeypatch.setattr(play_view, "DEADLINE", 0.0)
    with pytest.raises(UserError, match="was stopped"):
        list(play.page(store, *SENT._replace(section="poster")))


def test_without_a_checkpoint_it_says_how_to_get_one(tmp_path):
    assert "Train one" in next(play.page(Store(tmp_path), *SENT))[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"section": "admin"}, "what to play"), ({"section": []}, "what to play"), ({"seed": -1}, "seed"),
        ({"seed": float("nan")}, "seed"), ({"seed": "1e9"}, "seed"), ({"one": "10"}, "first class"),
        ({"one": None}, "first class"), ({"other": "x"}, "other class"), ({"other_seed": 2**32}, "other seed"),
        ({"key": "../mnist"}, "no checkpoint"), ({"size": "1000x1000"}, "sizes"), ({"size": None}, "sizes"),
        ({"variation": 2}, "variation"), ({"variation": float("inf")}, "variation"), ({"number": 11}, "big digit"),
        ({"label": {}}, "digit of the example"), ({"section": "hand", "text": "<img onerror=x>"}, "letters|cannot"),
        ({"section": "hand", "text": None}, "Write 1 to"), ({"section": "hand", "example": {"path": "/etc"}}, "arrive"),
    ],
)  # fmt: skip
def test_a_bad_choice_is_one_line(store, changes, words):
    with pytest.raises(UserError, match=words) as caught:
        list(play.page(store, *SENT._replace(**changes)))
    assert "\n" not in str(caught.value)


def test_a_link_leads_back(store):
    for section, changes in (
        ("walk", {"one": "3", "other": "8", "other_seed": 9}),
        ("walk", {"one": "3", "other": ALONG}),
        ("hand", {"text": "+49 30/1-2:3", "variation": 0.4}),
        ("poster", {"number": "7", "size": "20x10"}),
    ):
        wanted = SENT._replace(section=section, seed=12, **changes)
        *_, parts = play.page(store, *wanted)
        link = re.search(r'data-link="\?([^"]+)"', next(p for p in parts if p))[1].replace("&amp;", "&")
        values = play.opened(store, links.read(dict(parse_qsl(link)), TABS))
        again = Settings(*values)._replace(key=values[1]["value"])
        own = {"walk": ("one", "other"), "hand": ("text", "variation"), "poster": ("number", "size")}[section]
        for name in ("section", "key", "seed", *own):
            assert getattr(again, name) == getattr(wanted, name), name
    odd = links.read({"tab": "play", "play": "x", "digits": "77", "n": "9" * 9, "text": "x" * 99, "a": "../x"}, TABS)
    assert checked(10, *[v["value"] if isinstance(v, dict) else v for v in play.opened(store, odd)]).section == "walk"


# ---------------------------------------------------------------- the command line


def run(capsys, *arguments):
    code = main(["play", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


def test_every_command_writes_what_its_suffix_says_and_the_same_twice(capsys, tmp_path, tiny_folder):
    Image.fromarray(255 - data.load("mnist", "test").images[3, 0].numpy()).save(tmp_path / "like.png")
    commands = {
        "a.png": ("walk", tiny_folder, "--from", "5:0", "--to", "6:0", "--frames", 3),
        "a.gif": ("walk", tiny_folder, "--guidance", "0:4", "--frames", 3),
        "a.webp": ("walk", tiny_folder, "--to", "5:1", "--frames", 3),
        "b.png": ("write", tiny_folder, "17.05.2026", "--seed", 3),
        "b.svg": ("write", tiny_folder, "12", "--like", tmp_path / "like.png", "--like-label", 0),
        "c.png": ("poster", tiny_folder, "--size", "4x2", "--number", 5),
        "c.svg": ("poster", tiny_folder, "--size", "4x2"),
    }
    for name, command in commands.items():
        code, out, err = run(capsys, *command, "--out", tmp_path / name, "--json")
        assert code == 0, err
        first = (tmp_path / name).read_bytes()
        assert json.loads(out.splitlines()[-1])["bytes"] == len(first)
        if name in ("b.svg", "c.png"):
            assert run(capsys, *command, "--out", tmp_path / name)[0] == 0
            assert (tmp_path / name).read_bytes() == first
        if name.endswith("svg"):
            ElementTree.fromstring(first)
        else:
            with Image.open(tmp_path / name) as picture:
                assert picture.format == {"png": "PNG", "gif": "GIF", "webp": "WEBP"}[name[2:]]
    assert {path.name for path in tmp_path.iterdir()} == {*commands, "like.png"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("walk", "@", "--out", "x.png"), "--to"),
        (("walk", "@", "--to", "6", "--out", "x.png"), "such as 5:0"),
        (("walk", "@", "--to", "6:-1", "--out", "x.png"), "such as 5:0"),
        (("walk", "@", "--to", "6:9999999999", "--out", "x.png"), "seed must be"),
        (("walk", "@", "--to", "6:0", "--frames", "1", "--out", "x.png"), "from 2 to"),
        (("walk", "@", "--to", "6:0", "--frames", "1000000", "--out", "x.png"), "from 2 to"),
        (("walk", "@", "--guidance", "nan:1", "--out", "x.png"), "Guidance must"),
        (("walk", "@", "--to", "6:0", "--out", "x.svg"), ".png or .gif or .webp"),
        (("walk", "@", "--to", "6:0", "--out", "nowhere/x.png"), "cannot be written"),
        (("write", "@", "MÜ 1", "--out", "x.png"), "letters cannot"),
        (("write", "@", "1", "--variation", "nan", "--out", "x.png"), "variation must"),
        (("write", "@", "1", "--seed", "-5", "--out", "x.png"), "seed must|Seeds must|must be from 0"),
        (("write", "@", "1", "--like", "nothing.png", "--out", "x.png"), "No such file"),
        (("write", "@", "1", "--like", __file__, "--like-label", "3", "--out", "x.png"), "not a PNG"),
        (("write", "@", "1", "--like-label", "3", "--out", "x.png"), "give both"),
        (("poster", "@", "--size", "0x5", "--out", "x.png"), "1 to 1,000"),
        (("poster", "@", "--size", "9999x9999", "--out", "x.png"), "1 to 1,000"),
        (("poster", "@", "--size", "-1", "--out", "x.png"), "size|expected"),
        (("poster", "@", "--number", "12", "--out", "x.png"), "Labels must"),
        (("poster", "nobody", "--out", "x.png"), "nobody"),
    ],
)
def test_a_users_mistake_is_one_line_and_writes_nothing(capsys, tmp_path, monkeypatch, tiny_folder, arguments, words):
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsys, *(tiny_folder if a == "@" else a for a in arguments))
    assert code == 2 and re.search(words, err) and "Traceback" not in err
    assert err.strip().splitlines()[-1].startswith("error: ") and not list(tmp_path.iterdir())


def test_a_poster_that_is_killed_leaves_what_was_there(tmp_path):
    (tmp_path / "x.png").write_bytes(b"before")
    command = [sys.executable, "-m", "app", "play", "poster", "mnist", "--out", str(tmp_path / "x.png")]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"})
    seen = b""
    while b"/1000" not in seen:  # it draws
        seen += process.stderr.read(1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) in (-signal.SIGTERM, 128 + signal.SIGTERM)
    process.stderr.close()
    time.sleep(0.1)
    assert [p.name for p in tmp_path.iterdir()] == ["x.png"] and (tmp_path / "x.png").read_bytes() == b"before"


# ---------------------------------------------------------------- a style is in the noise


def test_digits_of_one_noise_are_of_one_thickness(shipped):
    """Twenty hands: the spread of thickness within ten digits of one noise, against ten unrelated noises."""
    checkpoint, digits, spread = shipped.checkpoint("mnist-turbo"), torch.arange(10), {}
    for variation in (0.0, 1.0):
        hands = [
            one_hand(checkpoint, digits, hand.style_of_seed(seed, (1, 28, 28)), seed, variation)
            for seed in range(0, 2000, 100)
        ]
        thick = measure(torch.cat(hands))["thickness"].view(20, 10)
        spread[variation] = float((thick - thick.mean(0)).std(1).mean())
    assert spread[0.0] < 0.75 * spread[1.0]


def test_what_the_document_says_was_measured():
    found = json.loads((ROOT / "benchmarks" / "results" / "hand.json").read_text())["found"]
    text = (ROOT / "docs" / "play.md").read_text()
    for row in found["hands"]:
        assert f"| {row['variation']:g} | {row['thickness']:.2f} | {57.3 * row['slant']:.1f} |" in text
    real = found["examples"]
    for key in ("correlation_thickness", "correlation_slant", "noise_deviation", "noise_kurtosis"):
        assert f"{real[key]:.2f}" in text, key
    assert f"{real['grey_levels_off']:.1f} grey levels" in text
    for row in found["walks"]:
        assert f"{row['read_as_an_end']:.1%}".replace("%", " %") in text
