"""The Export tab without a browser: what it says while it draws, what it hands out, what it refuses."""

import base64
import io
import re
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from app import export_view, links
from app.build import TABS
from app.exporting import export as exported
from app.store import Store
from app.tabs import export
from diffusion_core.data import ROOT
from diffusion_core.errors import UserError
from eval.filters import FILTERS
from eval.sources import CheckpointSource
from tests.conftest import save_tiny

OFF = (0,) * len(export.SLIDERS)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    root = tmp_path_factory.mktemp("checkpoints")
    save_tiny(root / "mnist")
    return Store(root)


@pytest.fixture(scope="module")
def shown(store):
    """Everything the handler says about 40 digits, half of them 2s that look a little like one."""
    return list(export.run(store, "mnist", 40, "2=1,8=1", "npz", 5, 0.001, 0, 0, 0))


def archive(html: str) -> zipfile.ZipFile:
    name, data = re.search(r'download="([^"]+)" href="data:application/zip;base64,([^"]+)"', html).groups()
    assert name == "digits-npz.zip"
    return zipfile.ZipFile(io.BytesIO(base64.b64decode(data)))


def test_the_archive_holds_what_the_command_line_makes(store, shown, tmp_path):
    job = export.job(store, "mnist", 40, "2=1,8=1", "npz", 5, 0.001, 0, 0, 0)
    for _ in exported(job, tmp_path / "x"):
        pass
    with archive(shown[-1]) as file:
        assert {n: file.read(n) for n in file.namelist()} == {
            path.name: path.read_bytes() for path in (tmp_path / "x").iterdir()
        }
        with np.load(io.BytesIO(file.read("digits.npz"))) as arrays:
            labels, seeds = (torch.from_numpy(arrays[name]) for name in ("labels", "seeds"))
            drawn = CheckpointSource(store.checkpoint("mnist")).images(labels, seeds)
            assert np.array_equal(arrays["images"], drawn[:, 0]) and len(labels) == 40


def test_progress_is_told_and_what_was_left_out_is_shown(shown):
    bars = [re.search(r'max="(\d+)" value="(\d+)"', html).groups() for html in shown[1:-1]]
    drawing = [int(done) for (total, done), html in zip(bars, shown[1:-1], strict=True) if "drawing" in html]
    assert drawing == sorted(drawing) and drawing[0] == 0 and drawing[-1] == 40
    assert "judging" in shown[-2]
    last = shown[-1]
    count = int(re.search(r"Confidence: (\d+) images left out", last)[1])
    assert f"40 digits of {40 + count} drawn; {count} were left out" in last
    assert last.count('<li class="sample') == min(count, export_view.FEW) and "2: 0.00" in last
    assert 'alt="The first 40 digits of the set"' in last
    assert "--confidence 0.001" in last and "--count 60000" in last and "--count 40" in last
    assert "license: cc-by-sa-3.0" in last and last.count("<tr>") == 1 + 2 + 1


def test_leaving_half_way_leaves_nothing_behind(store, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    stream = export.run(store, "mnist", 40, "equal", "npz", 0, *OFF)
    next(stream), next(stream)
    assert any(tmp_path.iterdir())
    stream.close()
    assert not any(tmp_path.iterdir())


def test_a_request_ends_by_its_deadline(store, monkeypatch):
    monkeypatch.setattr(export, "DEADLINE", -1.0)
    with pytest.raises(UserError, match=r"was stopped. Ask for fewer images, or lower the filters"):
        list(export.run(store, "mnist", 40, "equal", "npz", 0, *OFF))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("mnist", 0, "equal", "npz", 0, *OFF), "count must be a whole number from 1 to 2,000"),
        (("mnist", 1_000_000, "equal", "npz", 0, *OFF), "count must be a whole number from 1 to 2,000"),
        (("mnist", 2.5, "equal", "npz", 0, *OFF), "count must be a whole number"),
        (("mnist", None, "equal", "npz", 0, *OFF), "count must be a whole number"),
        (("mnist", "20", "equal", "npz", 0, *OFF), "count must be a whole number"),
        (("mnist", 20, "equal", "npz", -1, *OFF), "seed must be a whole number"),
        (("mnist", 20, "equal", "npz", float("nan"), *OFF), "seed must be a whole number"),
        (("mnist", 20, None, "npz", 0, *OFF), "balance is equal, data, or parts"),
        (("mnist", 20, "<b>", "npz", 0, *OFF), "balance is"),
        (("mnist", 20, "1=" + "9" * 10_000, "npz", 0, *OFF), "balance is"),
        (("mnist", 20, "equal", "../npz", 0, *OFF), "no format '../npz'"),
        (("mnist", 20, "equal", ["npz"], 0, *OFF), "no format"),
        (("mnist", 20, "equal", "npz", 0, 2, 0, 0, 0), "Confidence must be a number from 0 to 1"),
        (("mnist", 20, "equal", "npz", 0, 0, float("nan"), 0, 0), "CLIP margin must be a number"),
        (("mnist", 20, "equal", "npz", 0, 0, 0, float("inf"), 0), "Distance from training images must be"),
        (("mnist", 20, "equal", "npz", 0, 0, 0, 0, "1"), "Distance from each other must be"),
        (("../mnist", 20, "equal", "npz", 0, *OFF), "no checkpoint"),
    ],
)
def test_a_bad_choice_is_one_line(store, settings, message):
    with pytest.raises(UserError, match=message) as caught:
        next(export.run(store, *settings))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_every_filter_has_a_slider_within_its_range():
    assert list(export.SLIDERS) == list(FILTERS)
    assert all(0 <= most <= FILTERS[name].high for name, (most, _) in export.SLIDERS.items())


def test_the_largest_set_fits_a_link_that_browsers_save():
    """Chromium saves data: addresses of up to 2 MB; noise is the most that 28x28 pixels can take."""
    folder = ROOT / "checkpoints" / "mnist-turbo"
    job = export.job(Store(folder.parent), "mnist-turbo", 100, "equal", "imagefolder", 0, *OFF)
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "digits"
        for _ in exported(job, out):
            pass
        size = len(export.zipped(out))
    assert size / 100 * export.MAX_COUNT * 4 / 3 < 2e6


def test_a_link_restores_checkpoint_count_and_seed(store):
    view = links.read({"tab": "export", "a": "mnist", "n": "300", "seed": "7"}, TABS)
    key, count, balance, form, seed, *least = export.opened(store, view)
    assert (key["value"], count, balance, form, seed, tuple(least)) == ("mnist", 300, "equal", "parquet", 7, OFF)
    other = export.opened(store, links.read({"tab": "generate", "n": "2", "seed": "7"}, TABS))
    assert other[1] == export.COUNT and other[4] == 0
    assert export.opened(store, links.read({"tab": "export", "n": "999999"}, TABS))[1] == export.COUNT


def test_without_a_checkpoint_it_says_how_to_make_one(tmp_path):
    assert "python -m app train" in export.opening(Store(tmp_path), None, 200)
