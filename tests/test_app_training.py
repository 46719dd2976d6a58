"""The Training tab: its curves are the log's, its pictures are the run's, a running run is followed."""

import json
import os
import time

import numpy as np
import pytest
from PIL import Image

from app import curves, links, runs
from app.build import TABS
from app.entries import usable
from app.store import Store
from app.tabs import training
from diffusion_core.data import ROOT
from diffusion_core.errors import UserError

NAMES = ("images", "seconds", "loss", *runs.QUARTERS, "grad_norm", "lr", "reward")


def line(step: int, **other) -> str:
    values = {name: step + i / 10 for i, name in enumerate(NAMES)} | {"images": 100 * step} | other
    return json.dumps(values) + "\n"


def make_run(root, name, steps=10, grids=(0, 300)):
    folder = root / name
    (folder / "samples").mkdir(parents=True)
    (folder / "log.jsonl").write_text("".join(line(step) for step in range(1, steps + 1)))
    for n in grids:
        Image.fromarray(np.full((8, 20), n % 251, np.uint8)).save(folder / "samples" / f"{n:010d}.png")
    return folder


@pytest.fixture
def store(tmp_path):
    make_run(tmp_path, "mnist")
    make_run(tmp_path, "other", steps=4, grids=(0, 100, 200))
    return Store(tmp_path)


def test_smoothing_is_the_unbiased_running_average_and_passes_over_gaps():
    values = np.array([4.0, np.nan, 1.0, 1.0])
    assert runs.smoothed(values, 0.0).tolist() == [4.0, 4.0, 1.0, 1.0]
    first, second = (0.5 * 4 * 0.5 + 0.5 * 1) / 0.75, (0.125 * 4 + 0.25 * 1 + 0.5 * 1) / 0.875
    assert runs.smoothed(values, 0.5) == pytest.approx([4.0, 4.0, first, second])
    assert runs.smoothed(np.full(50, 3.0), 0.99) == pytest.approx(np.full(50, 3.0))


def test_a_run_says_what_more_training_would_give(store, tmp_path):
    rows = [{"images": 100 * n, "fd": 3 / n, "per_class": {}} for n in range(1, 9)]
    (tmp_path / "mnist" / "evaluations.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    log = tmp_path / "mnist" / "log.jsonl"
    assert training.ahead(store.run("mnist"), "fd") == ""  # it followed a reward
    lines = [{k: v for k, v in json.loads(text).items() if k != "reward"} for text in log.read_text().splitlines()]
    log.write_text("".join(json.dumps(row) + "\n" for row in lines))
    _, table, *_ = training.page(store, ["mnist"], "fd", 0, True)
    assert "mnist: Frechet distance 0.38 now" in table and "0.19 [0.19, 0.19] after 1,600 images" in table
    assert "if it goes on" not in training.page(store, ["mnist"], "loss", 0, True)[1]


@pytest.mark.parametrize("shown", curves.LOGGED)
def test_a_curve_without_smoothing_is_the_log(store, shown):
    figure = curves.training([store.run("mnist")], {"mnist": "#000000"}, shown, 0.0, False)
    keys = list(runs.QUARTERS) if shown == "quarters" else [shown]
    assert len(figure.data) == len(keys)
    for trace, key in zip(figure.data, keys, strict=True):
        assert list(trace.x) == [100 * step for step in range(1, 11)]
        assert list(trace.y) == pytest.approx([step + NAMES.index(key) / 10 for step in range(1, 11)])


LOOKS = [
    {"images": 0, "accuracy": 0.5, "second_accuracy": 0.4, "per_class": {"0": {"clip_probability": 0.1}}},
    {"images": 300, "accuracy": 0.9, "second_accuracy": 0.8, "per_class": {"0": {"clip_probability": 0.7}}},
]


@pytest.mark.parametrize("shown", curves.LOOKED)
def test_what_judges_saw_on_the_way_is_a_point_a_look(store, tmp_path, shown):
    (tmp_path / "mnist" / "evaluations.jsonl").write_text("".join(json.dumps(look) + "\n" for look in LOOKS))
    figure = curves.training([store.run("mnist")], {"mnist": "#000000"}, shown, 0.6, False)
    _, metrics, scale = curves.LOOKED[shown]
    lines = {trace.name: trace for trace in figure.data}
    for metric, name in metrics.items():
        assert list(lines[name].x) == [0, 300]
        wanted = [None if metric not in look else scale * look[metric] for look in LOOKS]
        assert list(lines[name].y) == wanted
    if shown == "clip":
        assert list(lines["class 0"].y) == pytest.approx([10, 70])


@pytest.mark.parametrize("shown", [*curves.LOOKED, "reward"])
def test_a_run_without_looks_or_rewards_says_so(store, tmp_path, shown):
    log = tmp_path / "mnist" / "log.jsonl"
    rows = [{k: v for k, v in json.loads(text).items() if k != "reward"} for text in log.read_text().splitlines()]
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = training.page(store, ["mnist"], shown, 0.0, True)[1]
    assert "Nothing of this kind is on record for mnist" in table
    assert "on record" not in training.page(store, ["mnist"], "loss", 0.0, True)[1]


def test_a_long_log_keeps_its_ends(tmp_path):
    make_run(tmp_path, "long", steps=5000)
    trace = curves.training([runs.read(tmp_path / "long")], {"long": "#000000"}, "loss", 0.0, True).data[0]
    assert len(trace.x) == curves.POINTS and trace.x[0] == 100 and trace.x[-1] == 500_000


def test_a_run_has_the_same_colour_whatever_is_shown_beside_it(store):
    alone = training.page(store, ["other"], "loss", 0.0, True)[0].data[0].line.color
    both = {
        trace.name: trace.line.color for trace in training.page(store, ["mnist", "other"], "loss", 0.0, True)[0].data
    }
    assert both["other"] == alone != both["mnist"]


def test_a_film_shows_what_the_run_had_made_by_then(store):
    film = runs.film(store.run("mnist"), [0, 100, 200, 300])
    assert [int(picture[0, 0]) for picture in film] == [0, 0, 0, 300 % 251]
    html = training.grids([store.run("mnist"), store.run("other")])
    assert 'data-texts="untrained|100 images|200 images|300 images"' in html and html.count("grid-film") == 2


def test_a_line_that_is_still_being_written_is_left_out(store, tmp_path):
    log = tmp_path / "mnist" / "log.jsonl"
    log.write_text(log.read_text() + '{"images": 11')
    assert store.run("mnist").images == 1000
    log.write_text(log.read_text() + '00, "seconds": 2}\n')
    assert store.run("mnist").images == 1100 and np.isnan(store.run("mnist").columns["loss"][-1])


def test_a_run_is_followed_while_its_log_grows_and_not_after(store, tmp_path):
    assert training.alive(store, ["other"])
    old = time.time() - 2 * runs.ALIVE
    os.utime(tmp_path / "other" / "log.jsonl", (old, old))
    assert not training.alive(store, ["other"]) and training.alive(store, ["other", "mnist"])
    assert not training.alive(store, None)


@pytest.mark.parametrize("text", ["[1]\n", "{\n", '{"images": "many"}\n', ""])
def test_a_damaged_log_is_named_and_the_others_go_on(store, tmp_path, text):
    (tmp_path / "other" / "log.jsonl").write_text(text)
    listed = {entry.key: entry.problem for entry in store.runs()}
    assert listed["mnist"] is None and "The log of other" in listed["other"]
    assert [entry.key for entry in usable(store.runs())] == ["mnist"]
    with pytest.raises(UserError, match="unavailable"):
        training.page(store, ["mnist", "other"], "loss", 0.9, True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (([], "loss", 0.9, True), "at least one run"),
        ((None, "loss", 0.9, True), "at least one run"),
        ((["mnist"] * 5, "loss", 0.9, True), "at most 4"),
        ((["../mnist"], "loss", 0.9, True), "no training run"),
        ((["mnist"], "losses", 0.9, True), "Choose the curve"),
        ((["mnist"], "loss", 1, True), "Smoothing must be"),
        ((["mnist"], "loss", float("nan"), True), "Smoothing must be"),
    ],
)
def test_a_bad_choice_is_one_line(store, settings, message):
    with pytest.raises(UserError, match=message):
        training.page(store, *settings)


def test_a_link_restores_runs_and_curve(store):
    link = links.write(tab="training", runs=("other", "mnist"), curve="lr")
    params = dict(part.split("=") for part in link[1:].split("&"))
    keys, curve, *_ = training.opened(store, links.read(params, TABS))
    assert keys["value"] == ["other", "mnist"] and curve == "lr"


def test_no_run_says_what_to_do(tmp_path):
    assert "python -m app train" in training.page(Store(tmp_path), [], "loss", 0.9, True)[2]


def test_the_shipped_runs_can_be_shown():
    store = Store(ROOT / "checkpoints")
    names = [entry.key for entry in store.runs()]
    assert {"mnist", "mnist-fast", "mnist-turbo"} <= set(names) and all(entry.problem is None for entry in store.runs())
    figure, table, films, _ = training.page(store, names[:4], "quarters", 0.9, True)
    assert len(figure.data) == 4 * len(names[:4]) and "student of mnist" in table and "grid-film" in films
