"""What a visitor brings: small files and Hub repositories, judged by the shipped judges, seen by nobody else."""

import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch

from app import bring, compare_view, hub, own_samples
from app.shelf import Shelf, is_own
from app.store import Store
from diffusion_core import checkpoint as checkpoints
from diffusion_core import data
from diffusion_core.config import NetworkConfig, SampleConfig
from diffusion_core.errors import UserError
from diffusion_core.generate import generate
from eval.by_image import NO_SETS, without_sets
from eval.compare import compare
from eval.narrow import narrowed
from eval.npz import write_npz
from tests.conftest import save_tiny
from tests.fake_hub import REVISION, serving
from tests.made_reports import made_report

SHOWN = 20  # rows of the shipped report that a visitor brings


@pytest.fixture(scope="module")
def store():
    return Store(data.ROOT / "checkpoints")


@pytest.fixture(scope="module")
def key_a(store):
    return store.report_key("mnist")


@pytest.fixture
def uploads(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    return tmp_path


def brought(store, *arguments):
    """The last (HTML, update of B), and the HTML of the steps before it."""
    *steps, last = bring.run(store, *arguments)
    return last, [html for html, _ in steps]


# ---------------------------------------------------------------- the shelf


def test_the_shelf_forgets_by_age_and_by_number():
    now = 0.0
    shelf, report = Shelf(size=2, age=10, clock=lambda: now), made_report(per_class=1)
    first, second = shelf.put(report), shelf.put(report)
    now = 9.0
    third = shelf.put(report)
    assert len({first, second, third}) == 3 and shelf.get(third) is shelf.get(second) is report
    with pytest.raises(UserError, match="no longer kept"):
        shelf.get(first)
    now = 11.0
    assert shelf.get(third) is report
    with pytest.raises(UserError, match="no longer kept"):
        shelf.get(second)


def test_no_list_and_no_link_leads_to_an_own_report(store):
    key = store.shelf.put(made_report(per_class=1))
    assert is_own(key) and len(key) > 24 and store.report(key).source.name == "made"
    assert key not in [entry.key for entry in store.reports()] and store.report_key(key) is None
    with pytest.raises(UserError, match="no longer kept"):
        store.report(key[:-1])
    with pytest.raises(UserError, match="no longer kept"):
        Store(store.root).report(key)


# ---------------------------------------------------------------- pairs


def test_a_is_cut_down_to_what_b_has():
    a, b = made_report("a", {5: 0.5}), made_report("b", {5: 0.1}, per_class=10)
    cut = narrowed(a, b)
    assert cut.metrics == made_report("a", {5: 0.5}, per_class=10).metrics and cut.plan["count"] == 100
    assert torch.equal(cut.images, a.images[:100])
    comparison = compare(cut, b)
    assert comparison.paired and comparison.n == 100


def test_what_compares_sets_says_why_it_is_not_there():
    a, b = made_report("a", sets={"fd": (1.0, 0.1)}), replace(made_report("b"), reasons=without_sets())
    assert f"Not compared: fd. Of b: {NO_SETS}." in compare(a, b).notes


@pytest.mark.parametrize("info", [{"seed": 3}, {"seeded": False, "kind": "npz"}, {"kind": "real"}])
def test_a_stays_whole_where_it_lacks_bs_seeds(info):
    a = made_report("a")
    assert narrowed(a, made_report("b", per_class=10, **info)) is a


# ---------------------------------------------------------------- files


def npz(**arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def blank(n: int, side: int = 28) -> np.ndarray:
    return np.zeros((n, side, side), np.uint8)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.txt", b"", "Give an .npz file, or a .zip"),
        ("x.npz", b"no zip", "x.npz is damaged, or neither"),
        ("x.npz", b"0" * (own_samples.MAX_BYTES + 1), "larger than 2 MB"),
        ("x.npz", npz(images=blank(30_000)), "unpacks to more than 16 MB"),
        ("x.npz", npz(images=blank(2_001), labels=np.zeros(2_001, int)), "2,001 images; at most 2,000"),
        ("x.npz", npz(images=blank(3)), "does not say which class"),
        ("x.npz", npz(images=blank(3, 32), labels=np.arange(3)), "needs [1, 28, 28]"),
        ("x.npz", npz(images=blank(3), labels=np.array([1, 2, 10])), "label 10 is outside"),
        ("x.npz", npz(images=np.array([{}], dtype=object), labels=np.zeros(1, int)), "not whole numbers"),
        ("x.zip", npz(images=blank(3)), "x.zip holds no images"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        own_samples.opened(path, "mnist")
    assert message in str(caught.value) and str(tmp_path) not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_zip_of_class_folders_is_read(tmp_path):
    from PIL import Image

    test = data.load("mnist", "test")
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
        for i in range(5):
            picture = io.BytesIO()
            Image.fromarray(test.images[i, 0].numpy()).save(picture, "PNG")
            archive.writestr(f"{int(test.labels[i])}/{i}.png", picture.getvalue())
    source = own_samples.opened(tmp_path / "mine.zip", "mnist")
    labels, seeds = source.plan(None)
    assert source.name == "mine" and labels.tolist() == sorted(test.labels[:5].tolist())
    assert source.images(labels, seeds).sum() == test.images[:5].sum()


def test_own_samples_are_scored_as_the_report_was_and_paired(store, key_a, uploads):
    """The visitor brings digits of A itself."""
    a = store.report(key_a)
    labels, seeds = (torch.tensor(a.table[c].iloc[:SHOWN].to_numpy()) for c in ("label", "seed"))
    write_npz(uploads / "mine.npz", a.images[:SHOWN], labels, seeds)
    before = sorted(store.root.rglob("*"))
    (html, update), steps = brought(store, key_a, {"path": str(uploads / "mine.npz")}, " ")
    assert "Reading" in steps[0] and 'value="20"' in steps[1] and 'max="40"' in steps[1] and "mine.npz, 20" in html
    key = update["value"]
    assert update["choices"][0] == ("yours: mine · 20 digits", key)
    own = store.report(key)
    for column in own.table.columns:
        ours, theirs = own.table[column].to_numpy(), a.table[column].iloc[:SHOWN].to_numpy()
        assert np.allclose(ours.astype(float), theirs.astype(float), atol=2e-3), column
    verdict, figure, below, pairs, more = compare_view.page(store, key_a, key, "accuracy", "all", "differ", 0)
    assert "mine and mnist cannot be told apart" in verdict and "20 pairs of the same label and seed" in verdict
    assert figure is not None and pairs.count('class="pair"') == SHOWN and below
    assert key not in more and compare_view.share(key_a, key, "accuracy", []) == ""
    assert "data-link" in compare_view.share(key_a, store.report_key("mnist-early"), "accuracy", [])
    assert sorted(store.root.rglob("*")) == before


def test_what_cannot_be_judged_is_said_before_the_work(store, key_a, uploads):
    path = uploads / "x.npz"
    path.write_bytes(npz(images=blank(1), labels=np.zeros(1, int)))
    file = {"path": str(path)}
    with pytest.raises(UserError, match="one of them"):
        brought(store, key_a, None, None)
    with pytest.raises(UserError, match="one of them"):
        brought(store, key_a, file, "owner/name")
    for elsewhere in ({"path": "/etc/passwd"}, {"path": str(uploads / ".." / "x.npz")}, {"path": str(uploads)}):
        with pytest.raises(UserError, match="no longer here"):
            brought(store, key_a, elsewhere, "")
    other = store.shelf.put(made_report())
    with pytest.raises(UserError, match="other judges"):
        brought(store, other, file, "")


# ---------------------------------------------------------------- the Hub


def test_a_checkpoint_of_the_hub_is_drawn_on_as_labels_and_seeds(store, key_a, tmp_path, monkeypatch):
    save_tiny(tmp_path / "tiny")
    (tmp_path / "tiny" / "evil.pkl").write_bytes(b"x")
    monkeypatch.setattr(bring, "MOST", 2)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with serving("me/digits", tmp_path / "tiny", monkeypatch) as served:
        (html, update), steps = brought(store, key_a, None, "me/digits")
    assert f"me/digits@{REVISION}, 20 digits" in html and "Judging me/digits@0123456" in steps[-1]
    of_it = [path for _, path, _ in served.asked if "me/digits" in path]  # the client asks for lists of its own, too
    assert {path.split("?")[0].split("/")[-1] for path in of_it} == {
        "digits", "checkpoint.json", "model.safetensors",
    }  # fmt: skip
    assert not any("hf_secret" in str(headers) for *_, headers in served.asked)
    a, b = bring.pair(store, key_a, update["value"])
    assert a.table["seed"].tolist() == b.table["seed"].tolist() == list(range(20))
    labels, seeds = (torch.tensor(b.table[c].to_numpy()) for c in ("label", "seed"))
    local = checkpoints.load(tmp_path / "tiny")
    assert torch.equal(b.images, generate(local, labels, seeds, local.meta.sample))
    assert "me/digits@0123456 is worse than mnist" in compare(a, b).verdict


def test_a_checkpoint_beside_real_digits_is_an_independent_group():
    assert bring.drawn_plan(made_report(kind="real")) == (50, 0)
    assert bring.drawn_plan(made_report(per_class=40, seed=7)) == (40, 7)
    assert bring.drawn_plan(made_report(per_class=60)) == (50, 0)


@pytest.mark.parametrize(
    "name", ["", "digits", "a/b/c", "../x", "a/..", "a/b?x=1", "http://a/b", "a /b", "a/b\n", "é/b"]
)
def test_other_names_than_owner_and_name_ask_nobody(name, tmp_path, monkeypatch):
    with serving("me/digits", tmp_path, monkeypatch) as served, pytest.raises(UserError, match="owner/name"):
        hub.fetched(name)
    assert served.asked == []


def test_what_is_not_on_the_hub_is_one_line(tmp_path, monkeypatch):
    with serving("me/digits", tmp_path, monkeypatch) as served:
        with pytest.raises(UserError, match="no public repository 'me/other'"):
            hub.fetched("me/other")
        with pytest.raises(UserError, match="has no checkpoint.json"):
            hub.fetched("me/digits")
        served.files = {"checkpoint.json": b"{}", "model.safetensors": b"0" * (hub.LIMITS[hub.WEIGHTS] + 1)}
        with pytest.raises(UserError, match="larger than 19 MB"):
            hub.fetched("me/digits")
        assert not any("/resolve/" in path for _, path, _ in served.asked)
        served.files = {"checkpoint.json": b"{}", "model.safetensors": b"0"}
        with pytest.raises(UserError, match="me/digits: checkpoint.json") as caught:
            hub.fetched("me/digits")
        assert "/tmp" not in str(caught.value)


@pytest.mark.parametrize("offline", [False, True])
def test_without_a_network_it_says_so(monkeypatch, offline):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", offline)
    with pytest.raises(UserError, match="The Hub cannot be reached"):
        hub.fetched("me/digits")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sample": SampleConfig(steps=1000)}, "recommends 1,000 steps"),
        ({"network": NetworkConfig(channels=(60_000, 60_000))}, "network is larger than"),
        ({"network": NetworkConfig(blocks=10**6)}, "blocks a level"),
        ({"network": NetworkConfig(channels=(16, 32), classes=11)}, "not 28x28 grey digits"),
        ({"network": NetworkConfig(channels=(2**40, 2**40))}, "holds no checkpoint|network is larger"),
        ({"network": NetworkConfig(channels=(16, 48))}, "does not fit|is \\("),
        ({"sha256": "0" * 64}, "damaged"),
    ],
)
def test_a_manifest_cannot_fill_the_memory_or_the_queue(tmp_path, monkeypatch, changes, message):
    save_tiny(tmp_path / "tiny")
    manifest = tmp_path / "tiny" / "checkpoint.json"
    entries = json.loads(manifest.read_text())
    for key, value in changes.items():
        entries[key] = value if isinstance(value, str) else checkpoints.to_dict(value)
    manifest.write_text(json.dumps(entries))
    with serving("me/digits", tmp_path / "tiny", monkeypatch), pytest.raises(UserError, match=message) as caught:
        hub.fetched("me/digits")
    assert "/tmp" not in str(caught.value) and "\n" not in str(caught.value)
