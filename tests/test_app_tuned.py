"""The Tuning tab: what it says of a run is what the run wrote."""

import json
import re

import numpy as np
import pytest

from app import tuned
from app.links import View
from app.store import Store
from app.tabs import tuning
from diffusion_core.errors import UserError

COUNTS = [[18, 2, 0], [0, 20, 0], [1, 0, 19]]
AFTER = [[20, 0, 0], [0, 19, 1], [1, 0, 19]]


def look(images: int, counts, **changes) -> dict:
    row = {"images": images, "n": 60, "confusions": {"classifier": counts, "second": counts}}
    row |= dict.fromkeys((*tuned.NUMBERS, *tuned.LINES), 0.5) | {"ink": 100.0, "accuracy": 0.95}
    return row | changes


def make_tuning(root, name="tuned", **changes):
    folder = root / name
    folder.mkdir(parents=True)
    rows = [look(0, COUNTS), look(64, AFTER, accuracy=0.9833, second_fd=0.4), look(128, AFTER, second_recall=0.1)]
    (folder / "evaluations.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    summary = {
        "parent": "mnist", "tune": {"reward": "clip"}, "guarded": True, "stopped": "recall fell", "kept": 64,
        "would_stop_at": 128, "best_at": 64,
    } | changes  # fmt: skip
    (folder / "tuning.json").write_text(json.dumps(summary))
    before = np.arange(3, dtype=np.uint8)[:, None, None, None] + np.zeros((3, 1, 28, 28), np.uint8)
    labels = np.array([0, 1, 2])
    np.savez(folder / "changed.npz", labels=labels, seeds=labels + 70, before=before, after=before + 9,
             read_before=np.array([1, 1, 2]), read_after=labels)  # fmt: skip
    return folder


@pytest.fixture
def store(tmp_path):
    make_tuning(tmp_path)
    return Store(tmp_path)


def test_it_says_what_was_followed_why_it_ended_and_what_was_kept(store):
    words, _, numbers, *_ = tuning.page(store, "tuned", "classifier")
    assert (
        "mnist, tuned by the reward clip: it ended after 128 images, since recall fell. Kept: the weights after 64"
        in words
    )
    assert "nothing to guard it" not in words and "95.00 %" in numbers and "98.33 %" in numbers


def test_the_figure_is_in_per_cent_of_the_parents_and_marks_what_was_kept(store):
    figure = tuned.figure(store.tuning("tuned"))
    lines = {trace.name: list(trace.y) for trace in figure.data}
    assert lines["recall"] == [100, 100, 20] and lines["Frechet distance"] == [100, 80, 100]
    assert figure.layout.shapes[0].x0 == 64 and list(figure.data[0].x) == [0, 64, 128]


def test_the_matrix_is_after_minus_before_and_cannot_be_clicked(store):
    html = tuning.page(store, "tuned", "second")[3]
    texts = re.findall(r'<span class="cell (\w+)"[^>]*>([^<]+)<', html)
    assert texts == [
        ("better", "+2"), ("better", "−2"), ("zero", "0"), ("zero", "0"), ("worse", "−1"), ("worse", "+1"),
        ("zero", "0"), ("zero", "0"), ("zero", "0"),
    ]  # fmt: skip
    assert "<button" not in html and "Arrow keys" not in html
    assert "did not look at this run" in tuning.page(store, "tuned", "clip")[3]


def test_the_pairs_say_what_the_classifier_reads_before_and_after(store):
    html = tuning.page(store, "tuned", "classifier")[4]
    assert html.count('<li class="pair">') == 3 and html.count('verdict wrong"') == 1 and "seed 70" in html


def test_an_unguarded_run_is_a_cautionary_tale(tmp_path):
    make_tuning(tmp_path, guarded=False, kept=128)
    found = Store(tmp_path).tuning("tuned")
    said = (
        "for 128 images with nothing to guard it. The guard would have ended it after 128 images, and kept the weights"
    )
    assert f"{said} after 64." in tuned.lead(found)
    numbers = tuned.numbers(found)
    assert numbers.index("parent") < numbers.index("guarded") < numbers.index("the end")
    assert tuned.figure(found).layout.shapes[0].x0 == 64
    make_tuning(tmp_path, "never", guarded=False, would_stop_at=None, best_at=0)
    assert "would not have ended it, and kept the parent." in tuned.lead(Store(tmp_path).tuning("never"))
    make_tuning(tmp_path, "nothing", kept=0)
    assert "Kept: the parent itself" in tuned.lead(Store(tmp_path).tuning("nothing"))


@pytest.mark.parametrize("damage", ["tuning.json", "evaluations.jsonl", "changed.npz"])
def test_a_damaged_tuning_is_listed_with_its_problem(tmp_path, damage):
    folder = make_tuning(tmp_path)
    (folder / damage).write_text("{")
    if damage == "evaluations.jsonl":
        (folder / damage).write_text("{}\n")
    store = Store(tmp_path)
    assert "damaged" in store.tunings()[0].problem and str(tmp_path) not in store.tunings()[0].problem
    assert "finetune" in tuning.page(store, None, "classifier")[0]


def test_a_link_opens_its_run_and_odd_ones_the_first(store):
    assert [
        v["value"] if isinstance(v, dict) else v
        for v in tuning.opened(store, View(tab="tuning", a="tuned", judge="clip"))
    ] == ["tuned", "clip"]
    assert tuning.opened(store, View(tab="tuning", a="../x", judge="knn"))[1] == "classifier"
    with pytest.raises(UserError):
        tuning.page(store, "../x", "classifier")
    with pytest.raises(UserError, match="judge"):
        tuning.page(store, "tuned", "me")
