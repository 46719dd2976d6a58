"""The store: what is on disk is offered, what is damaged is named, and nothing else is ever opened."""

import shutil
import threading
from dataclasses import replace

import pytest
import torch

from app.entries import usable
from app.store import Store
from app.warm import warm
from app.words import JUDGES
from diffusion_core.config import to_dict
from diffusion_core.errors import UserError
from tests.conftest import save_tiny
from tests.made_reports import made_report
from tests.pages import make_root


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_root(tmp_path_factory.mktemp("made"))


@pytest.fixture
def root(made, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(made, tmp_path / "checkpoints")


def test_favourite_first_real_digits_last(root):
    store = Store(root)
    assert [entry.key for entry in store.checkpoints()] == ["mnist", "early"]
    owners = [entry.key.split("/")[0] for entry in store.reports()]
    assert owners == ["mnist", "mnist", "early", "real"]
    assert not [entry for entry in store.reports() + store.checkpoints() if entry.problem]
    titles = [entry.title for entry in store.reports()]
    assert len(set(titles)) == 4 and titles[-1].startswith("real test digits · 10,000 digits")


def test_a_report_is_found_by_its_own_name_or_its_checkpoints(root):
    store = Store(root)
    key = store.report_key("early")
    assert key.startswith("early/") and store.report_key(key) == key
    assert store.report(key).source.name == "early"
    assert store.report_key("nobody") is None and store.report_key(None) is None


@pytest.mark.parametrize("name", ["../mnist", "mnist/../early", "/etc", "", None, 3, [], "x" * 10_000, "a\0b"])
def test_names_that_are_not_on_offer_are_refused(root, name):
    store = Store(root)
    for find in (store.checkpoint, store.meta, store.report):
        with pytest.raises(UserError, match=r"There is no (checkpoint|report) '") as caught:
            find(name)
        assert len(str(caught.value)) < 120


def test_a_damaged_checkpoint_is_listed_with_its_problem_and_comes_back(root):
    store = Store(root)
    weights = root / "early" / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-10])
    mended, damaged = store.checkpoints()
    assert (mended.key, mended.problem, damaged.key) == ("mnist", None, "early")
    assert "damaged" in damaged.problem and str(root) not in damaged.problem
    with pytest.raises(UserError, match="'early' is unavailable"):
        store.checkpoint("early")
    assert store.checkpoint("mnist").name == "mnist"
    weights.write_bytes(whole)
    assert len(usable(store.checkpoints())) == 2 and store.checkpoint("early").name == "early"


@pytest.mark.parametrize("file", ["report.json", "samples.parquet", "images.npz"])
def test_a_damaged_report_is_listed_with_its_problem(root, file):
    store = Store(root)
    key = store.report_key("early")
    path = root.joinpath("early", "reports", key.split("/")[1], file)
    path.write_bytes(path.read_bytes()[:-20])
    damaged = [entry for entry in store.reports() if entry.problem]
    assert [entry.key for entry in damaged] == [key] and str(root) not in damaged[0].problem
    assert store.report_key("early") is None and len(usable(store.reports())) == 3


def test_of_one_checkpoint_the_largest_report_comes_first_then_that_drawn_as_it_recommends(tmp_path):
    own = save_tiny(tmp_path / "net").sample
    for name, each, sample in (("small", 2, own), ("own", 4, own), ("others", 4, replace(own, guidance=3.0))):
        made_report("net", per_class=each, sample=to_dict(sample)).save(tmp_path / "net" / "reports" / name)
    assert [entry.key for entry in Store(tmp_path).reports()] == ["net/own", "net/others", "net/small"]


def test_models_stay_in_memory_until_their_files_change(root):
    store = Store(root)
    first = store.checkpoint("early")
    assert store.checkpoint("early") is first
    save_tiny(root / "early", seed=9)
    again = store.checkpoint("early")
    assert again is not first and again.meta.sha256 != first.meta.sha256


def test_only_a_few_models_are_kept(root):
    for i in range(5):
        save_tiny(root / f"more{i}", seed=i)
    store = Store(root)
    for entry in store.checkpoints():
        store.checkpoint(entry.key)
    assert len(store._checkpoints.entries) == 3


def test_an_empty_folder_is_no_error(tmp_path):
    store = Store(tmp_path / "nothing")
    assert store.checkpoints() == [] and store.reports() == []
    with pytest.raises(UserError, match="There is no report yet"):
        store.report("mnist")


def test_half_written_folders_are_not_looked_at(root):
    shutil.copytree(root / "early", root / ".early.123.tmp")
    assert [entry.key for entry in Store(root).checkpoints()] == ["mnist", "early"]


# ---------------------------------------------------------------- warm


@pytest.mark.parametrize("damaged", [False, True])
def test_after_warming_up_nothing_is_loaded_any_more(root, monkeypatch, damaged):
    """The favourite, or where it is damaged the next one."""
    store, key = Store(root), "early" if damaged else "mnist"
    if damaged:
        (root / "mnist" / "model.safetensors").write_bytes(b"no weights")
    warm(store).join(60)

    def loaded(*_):
        raise AssertionError("it was not loaded before")

    monkeypatch.setattr(store._checkpoints, "load", loaded)
    monkeypatch.setattr("eval.scorers.load_scorers", loaded)
    assert store.checkpoint(key).name == key
    blank = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
    *_, (columns, problems) = store.judges.verdicts(blank, torch.zeros(1).long(), "mnist")
    assert {f"{judge}_label" for judge in JUDGES} <= set(columns) and problems == []


def test_with_nothing_to_warm_up_nothing_happens(tmp_path, monkeypatch):
    raised = []
    monkeypatch.setattr(threading, "excepthook", raised.append)
    thread = warm(Store(tmp_path))
    thread.join(60)
    assert raised == [] and not thread.is_alive()
