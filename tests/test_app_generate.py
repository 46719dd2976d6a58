"""Generate: what a browser may send, what is drawn, and what can be taken away."""

import base64
import io
import json
import re
import shlex
from dataclasses import replace
from html import unescape
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
import torch
from PIL import Image

from app import digit, qualities, stage
from app.cli import build_parser
from app.links import View
from app.sampling import lead_of
from app.store import Store
from app.tabs import generate
from app.verdicts import Verdict
from app.words import JUDGES
from diffusion_core import noise
from diffusion_core.config import NetworkConfig, SampleConfig
from diffusion_core.data import spec
from diffusion_core.errors import UserError
from diffusion_core.generate import block_size, stream, varied
from diffusion_core.generate import generate as draw
from tests.pages import make_root

GOOD = {"classes": ["5", "6"], "count": 2, "seed": 7, "sampler": "euler", "steps": 3, "guidance": 1.0}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(make_root(tmp_path_factory.mktemp("checkpoints")))


def recommends(sample: SampleConfig) -> SimpleNamespace:
    """As much of a manifest as a request looks at."""
    return SimpleNamespace(dataset="mnist", sample=sample, network=NetworkConfig())


def pixels(uri: str) -> np.ndarray:
    """The picture in a data: URI, which must be a PNG."""
    kind, _, data = uri.partition(",")
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def test_a_request_is_the_plan_of_the_command_line():
    labels, seeds, config, clip = generate.request(
        ["6", "5"], 2, 7, "heun", 20.0, 1, recommends(SampleConfig(sigma_max=20))
    )
    assert clip == 0
    assert labels.tolist() == [5, 6, 5, 6] and seeds.tolist() == [12, 13, 22, 23]
    assert config == SampleConfig("heun", 20, 1, sigma_max=20) and type(config.steps) is int


@pytest.mark.parametrize(
    ("name", "values", "complaint"),
    [
        (
            "steps",
            [0, -1, 101, 1e9, 2.5, "20", None, float("nan"), float("inf"), True, [], {}],
            "Steps must be a whole",
        ),
        ("guidance", [-0.1, 5.1, float("nan"), float("inf"), 1e308, "1", None, True], "Guidance must be a number from"),
        ("seed", [-1, 2**64, 2**53, 0.5, "abc", "3", None, float("nan"), [1]], "The seed must be a whole number"),
        ("count", [0, 9, 1_000_000, 1.5, None, "2", False], "The number of each class must be a whole"),
        ("classes", [[], {}, None, "5", 5], "Choose at least one class"),
        ("classes", [["10"], ["-1"], [0.5], ["x"], [None], [[1]], ["5", "²"]], "A class must be a whole number"),
        ("sampler", ["../euler", "", None, 3, ["euler"], "x" * 10_000, "a\0b"], "There is no sampler"),
    ],
)
def test_bad_values_are_refused_in_one_line(name, values, complaint):
    for value in values:
        with pytest.raises(UserError, match=complaint) as caught:
            generate.request(**(GOOD | {name: value}), meta=recommends(SampleConfig()))
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 160, value


def test_a_run_streams_every_step_and_ends_with_the_digits_of_the_command_line(store):
    shown = list(generate.run(store, "mnist", *GOOD.values()))
    running = [html for html, _ in shown if "<progress" in html]
    assert [re.search(r"step (\d+) of (\d+)", html).groups() for html in running] == [
        ("1", "3"),
        ("2", "3"),
        ("3", "3"),
    ]
    assert len({re.search(r'src="([^"]+)"', html).group(1) for html in running}) == 3, "the estimate must move"

    last, take = shown[-1]
    assert last.count('<li class="card') == 4 and last.count('class="scrub"') == 1
    labels, seeds, config, _ = generate.request(**GOOD, meta=store.meta("mnist"))
    expected = draw(store.checkpoint("mnist"), labels, seeds, config)
    films = [pixels(uri) for uri in re.findall(r'estimate" src="([^"]+)"', last)]  # 4 frames of 28 rows each
    order = labels.argsort(stable=True)
    for film, image in zip(films, expected[order], strict=True):
        np.testing.assert_array_equal(film[-28:], image[0].numpy())

    uri = re.search(r'download="digits.npz" href="data:application/octet-stream;base64,([^"]+)"', take).group(1)
    with np.load(io.BytesIO(base64.b64decode(uri))) as file:
        np.testing.assert_array_equal(file["images"], expected[:, 0].numpy())
        assert file["labels"].tolist() == labels.tolist() and file["seeds"].tolist() == seeds.tolist()
    picture = pixels(re.search(r'download="digits.png" href="([^"]+)"', take).group(1))
    np.testing.assert_array_equal(picture[2:30, 32:60], expected[1, 0].numpy())  # second of the first row

    command = unescape(re.search(r"<code>python -m app ([^<]+)</code>", take).group(1))
    said = build_parser().parse_args(shlex.split(command))
    assert (said.command, said.checkpoint, said.labels, said.per_class) == ("sample", "mnist", (5, 6), 2)
    assert (said.seed, said.sampler, said.steps, said.guidance) == (7, "euler", 3, 1.0)


def test_a_refused_run_computes_nothing(store):
    with pytest.raises(UserError, match="no checkpoint"):
        next(generate.run(store, "../mnist", *GOOD.values()))
    with pytest.raises(UserError, match="Steps"):
        next(generate.run(store, "mnist", *(GOOD | {"steps": 0}).values()))


def test_a_run_ends_by_its_deadline(store, monkeypatch):
    monkeypatch.setattr(generate, "DEADLINE", 0.0)
    with pytest.raises(UserError, match="was stopped"):
        list(generate.run(store, "mnist", *GOOD.values()))


def test_the_page_opens_with_the_digits_that_generate_would_draw(store):
    recommended = generate.recommended(store, "mnist")
    html, take = generate.opening(store, "mnist", ["3", "5"], 2, 0, *recommended)
    assert "Drawn earlier" in take and html.count('<li class="card') == 4
    labels, seeds, config, _ = generate.request(["3", "5"], 2, 0, *recommended, store.meta("mnist"))
    expected = draw(store.checkpoint("mnist"), labels, seeds, config)
    shown = [pixels(uri) for uri in re.findall(r'estimate" src="([^"]+)"', html)]
    for picture, image in zip(shown, expected[labels.argsort(stable=True)], strict=True):
        np.testing.assert_array_equal(picture, image[0].numpy())
    for other in ({"seed": 1_000}, {"steps": 3}, {"count": 8}):
        settings = dict(zip(GOOD, (["3", "5"], 2, 0, *recommended), strict=True)) | other
        assert "Press Generate" in generate.opening(store, "mnist", *settings.values())[0], other
    settings = ("mnist", ["3", "5"], 2, 0, *recommended)
    assert "Press Generate" in generate.opening(store, *settings, clip=1)[0], "those were not led by CLIP"


def test_clip_guidance_leads_the_digits_their_card_and_their_command(store):
    """Pixels of the stage, of the card, and of the command line's own drawing; CLIP's verdict is called no evidence."""
    *_, (html, take) = generate.run(store, "mnist", ["5"], 1, 7, "euler", 3, 1.0, clip=4)
    made = json.loads(unescape(re.search(r'data-made="([^"]+)"', html)[1]))
    model = store.checkpoint("mnist")
    labels, seeds, config, clip = generate.request(["5"], 1, 7, "euler", 3, 1.0, model.meta, clip=4)
    led = draw(model, labels, seeds, config, lead=lead_of(clip, "mnist"))
    assert not torch.equal(led, draw(model, labels, seeds, config))
    (drawn,) = re.findall(r'estimate" src="([^"]+)"', html)
    np.testing.assert_array_equal(pixels(drawn)[-28:], led[0, 0].numpy())
    card = digit.opened_card(store, {"made": made, "label": 5, "seed": int(seeds[0])})
    assert any(np.array_equal(pixels(uri), led[0, 0].numpy()) for uri in re.findall(r'src="(data:[^"]+)"', card))
    command = shlex.split(unescape(re.search(r"python -m app sample [^<]+", take)[0]))[3:]
    assert build_parser().parse_args(command).clip_guidance == 4
    assert "CLIP led these digits" in take
    for bad in (-1, 11, float("nan"), "1", None):
        with pytest.raises(UserError, match="CLIP guidance must be a number from 0 to 10"):
            generate.request(["5"], 1, 0, "euler", 3, 1.0, model.meta, clip=bad)


def test_an_empty_folder_says_what_to_do(tmp_path):
    assert "python -m app train" in generate.opening(Store(tmp_path), None, *GOOD.values())[0]


def test_verdicts_are_flagged_by_more_than_colour():
    labels, seeds = torch.tensor([5, 5, 5]), torch.tensor([1, 2, 3])
    image = torch.zeros(3, 1, 28, 28, dtype=torch.uint8)
    right, wrong = Verdict("classifier", 5, 5, 0.9, 0.9, "5"), Verdict("classifier", 5, 6, 0.7, 0.2, "6")
    clip_right, clip_wrong = right._replace(judge="clip"), wrong._replace(judge="clip", judged=3)
    rows = [[right, clip_right], [wrong, clip_right], [wrong, clip_wrong]]
    fine, disputed, misread = stage.finished(spec("mnist"), labels, seeds, [(image, image, 0.0)], rows).split(
        '<li class="card'
    )[1:]
    assert "flag" not in fine and fine.count("✓") == 2
    assert "disputed" in disputed and "✗" in disputed and "Classifier misreads it as 6" in disputed
    assert "misread<" in misread and misread.count("✗") == 2
    assert stage.summary(rows) == "Classifier reads 1 of 3 as asked · CLIP reads 2 of 3 as asked"


def test_long_films_are_thinned_and_keep_both_ends():
    frames = list(range(101))
    kept = stage._thin(frames, 8)
    assert len(kept) == 8 and kept[0] == 0 and kept[-1] == 100 and kept == sorted(kept)
    assert stage._thin(frames, 200) == frames


def test_an_address_that_says_nothing_leaves_the_settings_alone(store):
    picker, *others = generate.opened(store, View())
    assert "value" not in picker and [key for _, key in picker["choices"]] == ["mnist", "early"]
    assert all(update == gr.skip() for update in others)
    assert generate.opened(store, View(a="early", seed=3))[1:4] == [[str(d) for d in range(10)], 1, 3]


def test_a_digits_card_shows_that_digit_and_what_was_measured(store):
    last = list(generate.run(store, "mnist", *GOOD.values()))[-1][0]
    made = json.loads(unescape(re.search(r'data-made="([^"]+)"', last).group(1)))
    assert re.findall(r'data-card="([^"]+)"', last) == ["5,12", "5,22", "6,13", "6,23"]
    html = generate.opened_card(store, {"label": 5, "seed": 22, "made": made})
    labels, seeds, config, _ = generate.request(**GOOD, meta=store.meta("mnist"))
    expected = draw(store.checkpoint("mnist"), labels, seeds, config)[2]
    shown, training, test = (pixels(uri) for uri in re.findall(r'<img class="pixels" src="([^"]+)"', html))
    np.testing.assert_array_equal(shown, expected[0].numpy())
    distances = [float(text) for text in re.findall(r"distance ([\d.]+)", html)]
    for found, distance in zip((training, test), distances, strict=True):
        true = np.linalg.norm((found.astype(float) - expected[0].numpy()) / 255)
        assert distance == pytest.approx(true, abs=0.006)
    command = unescape(re.search(r"<code>python -m app ([^<]+)</code>", html).group(1))
    said = build_parser().parse_args(shlex.split(command))
    again = noise.plan(said.per_class, said.seed, 10, said.labels)
    assert [part.tolist() for part in again] == [[5], [22]] and (said.steps, said.sampler) == (3, "euler")
    assert html.count("asked-for") == len(JUDGES) and re.search(r"above \d+ %", html)
    again = json.loads(unescape(re.search(r'data-more="([^"]+)"', html).group(1)))
    alike = digit.more_like(store, again)
    shown = np.stack([pixels(uri) for uri in re.findall(r'<img class="pixels" src="([^"]+)"', alike)])
    assert len(shown) == 10 and len(np.unique(shown, axis=0)) == 10
    ten = varied(
        store.checkpoint("mnist"),
        expected[None].repeat(10, 1, 1, 1),
        torch.full((10,), 5),
        23 + torch.arange(10),
        config,
        1.5,
    )
    np.testing.assert_array_equal(shown, ten[:, 0].numpy())


@pytest.mark.parametrize(
    "named",
    [
        None,
        [],
        {},
        {"made": 3},
        {"label": 5, "seed": 22, "made": {}},
        {"label": "5", "seed": 22, "made": {"key": "mnist"}},
        {"label": 5, "seed": 4, "made": {"key": "mnist"}},
        {"label": 5, "seed": 22, "made": {"key": "mnist", "steps": 1e9}},
    ],
)
def test_a_click_with_odd_data_is_refused(store, named):
    for opened in (generate.opened_card, digit.more_like):
        with pytest.raises(UserError):
            opened(store, named)


def test_a_number_is_written_in_its_order_and_the_command_writes_the_same(store):
    shown, take = list(generate.run(store, "mnist", *GOOD.values(), "2026"))[-1]
    assert re.findall(r'data-card="([^"]+)"', shown) == ["2,9", "0,17", "2,29", "6,43"]
    labels, seeds = noise.written("2026", 7, tuple("0123456789"))
    expected = draw(
        store.checkpoint("mnist"), labels, seeds, generate.request(*GOOD.values(), recommends(SampleConfig())).config
    )
    strip = pixels(re.search(r'written" src="([^"]+)"', shown).group(1))
    np.testing.assert_array_equal(strip, np.concatenate(list(expected[:, 0].numpy()), axis=1))
    command = unescape(re.search(r"<code>python -m app ([^<]+)</code>", take).group(1))
    said = build_parser().parse_args(shlex.split(command))
    assert (said.write, said.seed) == ("2026", 7) and "write=2026" in take


@pytest.mark.parametrize("number", ["20x6", "-5", "1" * 25, "²", 2026, ["1"], "1.5"])
def test_what_is_not_a_number_is_refused_in_one_line(store, number):
    with pytest.raises(UserError, match="1 to 24 characters"):
        next(generate.run(store, "mnist", *GOOD.values(), number))


def test_an_empty_number_means_the_chosen_digits():
    assert generate.request(*GOOD.values(), recommends(SampleConfig()), "").labels.tolist() == [5, 6, 5, 6]


def test_ready_made_settings_cost_what_the_network_is_shown(store):
    sample = SampleConfig(steps=10, guidance=1.5, interval=(0.5, 5.0))
    for config in (
        sample,
        replace(sample, guidance=1.0),
        replace(sample, steps=5),
        replace(sample, interval=(0, 1000)),
    ):
        model = store.checkpoint("mnist")
        seen = []
        hook = model.denoiser.network.register_forward_pre_hook(
            lambda _, inputs, seen=seen: seen.append(len(inputs[0]))
        )
        draw(model, *noise.plan(1, 0, 10), config)
        hook.remove()
        rows = block_size(config)
        assert sum(seen) == rows * qualities.work(config)
    shown = {key: title for title, key in qualities.choices(sample, False)}
    assert shown["recommended"].startswith("As recommended: 10 steps;")
    assert f"{10 / 13:.2g} times the work" in shown["plain"]
    assert [q.steps for q in qualities.qualities(replace(sample, steps=2), True)] == [2, 1, 4]


def test_a_quality_sets_steps_and_guidance(store):
    keys = [key for _, key in generate.ready_made(store, "mnist")]
    assert keys[0] == "recommended"
    assert generate.made_ready(store, "mnist", "recommended") == generate.recommended(store, "mnist")[1:]
    assert generate.made_ready(store, "mnist", "plain")[1] == 1
    for odd in (None, "best", 3, ["plain"]):
        with pytest.raises(UserError, match="on offer"):
            generate.made_ready(store, "mnist", odd)


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_the_animation_is_the_denoising_frame_by_frame(store, kind):
    take = list(generate.run(store, "mnist", *GOOD.values()))[-1][1]
    data = re.search(rf'download="digits.{kind}" href="data:image/{kind};base64,([^"]+)"', take).group(1)
    labels, seeds, config, _ = generate.request(*GOOD.values(), store.meta("mnist"))
    *expected, last = (frame.denoised for frame in stream(store.checkpoint("mnist"), labels, seeds, config))
    assert torch.equal(last, expected[-1])  # Euler's last estimate is the image: Pillow makes one frame of both
    with Image.open(io.BytesIO(base64.b64decode(data))) as film:
        assert film.n_frames == len(expected) == 3
        for i, frame in enumerate(expected):
            film.seek(i)
            shown = np.asarray(film.convert("L"))[::4, ::4]
            np.testing.assert_array_equal(shown[2:30, 2:30], frame[0, 0].numpy())
            np.testing.assert_array_equal(shown[32:60, 32:60], frame[3, 0].numpy())
