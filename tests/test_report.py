"""Reports: evaluate, save, load; nothing half-written or damaged is ever read."""

import json
import os
import re
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest
import torch

from app import report_text
from diffusion_core.data import DATASETS
from eval import atomic
from eval.errors import UserError
from eval.html import to_html
from eval.report import Report, load, saved, standard
from eval.run import evaluate, real_report
from eval.scorers import score
from eval.sources import NpzSource, RealSource
from eval.summary import summarise
from tests.fakes import FakeScorer, FakeSource, fake_scorers


@pytest.fixture(scope="module")
def references(tmp_path_factory):
    return tmp_path_factory.mktemp("references")


@pytest.fixture(scope="module")
def report(references):
    return evaluate(FakeSource(errors={5: 0.5}), fake_scorers(), 20, seed=7, references=references)


def test_evaluate_sees_the_errors_that_were_made(report):
    per_class = report.metrics["per_class"]
    assert 0.2 < per_class["5"]["accuracy"].value < 0.8
    assert all(per_class[str(d)]["accuracy"].value == 1 for d in range(10) if d != 5)
    wrong = report.confusions["classifier"][5][6]
    assert wrong == 20 - report.confusions["classifier"][5][5] > 0 and report.confusions["classifier"][6][5] == 0
    assert report.metrics["overall"]["accuracy"].value == 1 - wrong / 200
    assert report.confusions["clip"] == report.confusions["classifier"]
    assert report.metrics == summarise(report.table, 10).metrics
    assert set(report.metrics["overall"]) == {
        "accuracy", "confidence", "clip_accuracy", "clip_probability", "clip_margin", "clip_cosine",
        "disagreement",
    }  # fmt: skip


def test_evaluate_keeps_rows_and_images_together(report):
    source = FakeSource(errors={5: 0.5})
    row = report.table.iloc[55]
    alone = source.images(torch.tensor([int(row.label)]), torch.tensor([int(row.seed)]))
    assert torch.equal(report.images[55:56], alone) and report.images.dtype == torch.uint8
    scored = FakeScorer()(alone, torch.tensor([int(row.label)]))
    assert report.table.classifier_p5[55] == pytest.approx(float(scored["classifier_p5"]))
    assert report.plan == {"per_class": 20, "seed": 7, "count": 200, "labels": list(range(10))}


def test_evaluate_reports_progress(references, report, tmp_path):
    calls = []
    evaluate(FakeSource(), fake_scorers(), 2, progress=lambda *call: calls.append(call), references=references)
    assert calls == [(20, 60), (40, 60), (60, 60)]
    calls.clear()
    evaluate(FakeSource(), fake_scorers(), 2, progress=lambda *call: calls.append(call), references=tmp_path)
    assert calls[:3] == [(20, 10_060), (40, 10_060), (290, 10_060)] and calls[-1] == (10_060, 10_060)


def test_a_damaged_reference_is_scored_again(report, tmp_path):
    real_report("mnist", fake_scorers(), tmp_path)
    (folder,) = tmp_path.iterdir()
    os.truncate(folder / "samples.parquet", 100)
    assert real_report("mnist", fake_scorers(), tmp_path).summary == report.reference == load(folder).summary


def test_every_report_carries_the_real_test_set(report, references):
    counts = [sum(row) for row in report.reference.confusions["classifier"]]
    assert counts == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    real = RealSource()
    table = score(fake_scorers(), *(real.images(*real.plan(None)), *real.plan(None)))
    assert report.reference == summarise(table, 10)


def test_the_reference_is_scored_once(references, report):
    def broken(*_):
        raise AssertionError("scored again")

    silent = [SimpleNamespace(id=s.id, columns=s.columns, __call__=broken) for s in fake_scorers()]
    assert real_report("mnist", silent, references).summary == report.reference
    folders = list(references.iterdir())
    real_report("mnist", [FakeScorer("classifier", "another")], references)
    assert len(list(references.iterdir())) == len(folders) + 1


def test_the_reference_needs_no_writable_folder(tmp_path, report):
    (tmp_path / "file").write_text("in the way")
    assert real_report("mnist", fake_scorers(), tmp_path / "file" / "reports").summary == report.reference


def test_save_and_load(report, tmp_path):
    report.save(tmp_path / "r")
    assert sorted(p.name for p in (tmp_path / "r").iterdir()) == [
        "images.npz",
        "report.json",
        "samples.parquet",
    ]
    again = load(tmp_path / "r")
    assert again.to_dict() == report.to_dict() and again.summary == report.summary
    assert again.source == report.source and again.id == report.id == "p20-s7-fake1-g1-classifier+clip-digit"
    pd.testing.assert_frame_equal(again.table, report.table)
    assert torch.equal(again.images, report.images)


def test_report_json_has_the_documented_form(report, tmp_path):
    report.save(tmp_path / "r")
    head = json.loads((tmp_path / "r" / "report.json").read_text(), parse_constant=pytest.fail)
    assert set(head) == {
        "schema", "source", "plan", "scorers", "revision", "packages", "created",
        "metrics", "confusion", "second_confusion", "knn_confusion", "clip_confusion",
        "reference", "reasons", "detectable", "details", "files",
    }  # fmt: skip
    assert set(head["metrics"]["per_class"]) == set("0123456789")
    assert set(head["metrics"]["overall"]["accuracy"]) == {"value", "low", "high", "n"}
    assert head["reference"]["metrics"]["overall"]["accuracy"]["n"] == 10_000


def test_saving_is_reproducible_and_replaces(report, tmp_path):
    report.save(tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "old").write_text("old")
    report.save(tmp_path / "b")
    for file in (tmp_path / "a").iterdir():
        assert (tmp_path / "b" / file.name).read_bytes() == file.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"] and not (tmp_path / "b" / "old").exists()


@pytest.mark.parametrize("failing", ["sync", "rename"])
def test_a_failing_disk_leaves_what_was_there(report, tmp_path, monkeypatch, failing):
    report.save(tmp_path / "r")
    before = {p.name: p.read_bytes() for p in (tmp_path / "r").iterdir()}
    true_rename, calls = atomic.os.rename, []

    def no_space(*_):
        raise OSError(28, "No space left on device")

    def second_rename_fails(*names):
        calls.append(names)
        return no_space() if len(calls) == 2 else true_rename(*names)

    if failing == "sync":
        monkeypatch.setattr(atomic.os, "fsync", no_space)
    else:
        monkeypatch.setattr(atomic.os, "rename", second_rename_fails)
    with pytest.raises(OSError, match="No space"):
        report.save(tmp_path / "r")
    assert {p.name: p.read_bytes() for p in (tmp_path / "r").iterdir()} == before
    assert [p.name for p in tmp_path.iterdir()] == ["r"]


def test_everything_is_on_disk_before_it_has_its_name(report, tmp_path, monkeypatch):
    """A file that is renamed before it is synced may be empty after a power cut."""
    synced, seen = set(), []
    true_fsync, true_rename = atomic.os.fsync, atomic.os.rename

    def fsync(handle):
        synced.add(atomic.os.fstat(handle).st_ino)
        true_fsync(handle)

    def rename(old, new):
        seen.append(set(synced))
        true_rename(old, new)

    monkeypatch.setattr(atomic.os, "fsync", fsync)
    monkeypatch.setattr(atomic.os, "rename", rename)
    report.save(tmp_path / "r")
    written = {p.stat().st_ino for p in (tmp_path / "r", *(tmp_path / "r").iterdir())}
    assert len(written) == 4 and written <= seen[0]
    assert tmp_path.stat().st_ino in synced


def test_unfinished_folders_are_not_reports(report, tmp_path):
    report.save(tmp_path / "b")
    report.save(tmp_path / "a")
    report.save(tmp_path / ".c.123.tmp")  # what a killed process leaves
    (tmp_path / "notes").mkdir()
    assert [p.name for p in saved(tmp_path)] == ["a", "b"]
    assert saved(tmp_path / "none") == []


def test_real_reports_leave_the_images_to_the_data_set(references, tmp_path):
    real = evaluate(RealSource(), fake_scorers(), 3, references=references)
    real.save(tmp_path / "r")
    assert not (tmp_path / "r" / "images.npz").exists()
    assert torch.equal(load(tmp_path / "r").images, real.images)
    text = (tmp_path / "r" / "report.json").read_text()
    (tmp_path / "r" / "report.json").write_text(re.sub(r"mnist-test@\w{12}", "mnist-test@0", text))
    with pytest.raises(UserError, match="other real images"):
        load(tmp_path / "r")


def test_images_that_are_no_published_ones_are_named_beside_the_numbers(monkeypatch, tmp_path):
    """Whatever is held against them: the report, its lines and its page say so."""
    told = "JPEG files in class folders, a re-encoding of the published images"
    monkeypatch.setitem(DATASETS, "mnist", replace(DATASETS["mnist"], origin=told))
    report = evaluate(FakeSource(), fake_scorers(), 2, references=tmp_path)
    report.save(tmp_path / "r")
    again = load(tmp_path / "r")
    assert again.source.origin == told
    assert f"The real images are {told}." in report_text.lines(again) and told in to_html(again)


def test_images_of_a_report_can_be_scored_as_a_file(report, references, tmp_path):
    report.save(tmp_path / "r")
    again = evaluate(NpzSource(tmp_path / "r" / "images.npz"), fake_scorers(), None, references=references)
    pd.testing.assert_frame_equal(again.table, report.table)
    assert again.id == "all-s0-classifier+clip-digit" and again.source.kind == "npz"


def damaged(folder, edit):
    head = json.loads((folder / "report.json").read_text())
    edit(head)
    (folder / "report.json").write_text(json.dumps(head))


DAMAGE = {
    "absent": (lambda r: (r / "report.json").unlink(), "report.json is missing"),
    "no table": (lambda r: (r / "samples.parquet").unlink(), "samples.parquet is missing"),
    "no images": (lambda r: (r / "images.npz").unlink(), "images.npz is missing"),
    "truncated": (lambda r: os.truncate(r / "report.json", 500), "report.json is damaged"),
    "nan": (lambda r: (r / "report.json").write_text('{"schema": NaN}'), "NaN is not JSON"),
    "list": (lambda r: (r / "report.json").write_text("[]"), "schema None"),
    "newer": (lambda r: damaged(r, lambda h: h.update(schema=3)), "schema 3"),
    "unknown key": (lambda r: damaged(r, lambda h: h.update(extra=1)), "'extra' is unknown"),
    "missing key": (lambda r: damaged(r, lambda h: h.pop("confusion")), "'confusion' is missing"),
    "odd source": (lambda r: damaged(r, lambda h: h["source"].update(extra=1)), "not a report of this form"),
    "odd metrics": (
        lambda r: damaged(r, lambda h: h["metrics"].update(overall=[1])),
        "not a report of this form",
    ),
    "rows": (lambda r: damaged(r, lambda h: h["plan"].update(count=7)), "200 rows, not 7"),
    "bits": (lambda r: (r / "samples.parquet").write_bytes(b"PAR1" * 99), "samples.parquet is damaged"),
    "foreign file": (lambda r: damaged(r, lambda h: h["files"].update({"../x": "0"})), "is damaged"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damaged_reports_are_refused_by_name(report, tmp_path, case):
    report.save(tmp_path / "r")
    do, message = DAMAGE[case]
    do(tmp_path / "r")
    with pytest.raises(UserError, match=message) as error:
        load(tmp_path / "r")
    assert "\n" not in str(error.value)


def test_the_id_names_what_differs(report):
    def with_(**changes) -> Report:
        return Report(**(vars(report) | changes))

    assert with_(scorers=("classifier@0",)).id == "p20-s7-fake1-g1-classifier"
    tagged = with_(scorers=("classifier@0", "clip:ViT-B-32/openai@1"))
    assert tagged.id == "p20-s7-fake1-g1-classifier+clip-ViT-B-32-openai"
    usual = with_(scorers=tuple(f"{name}@0" for name in standard("mnist")))
    assert usual.id == "p20-s7-fake1-g1"
    assert with_(scorers=usual.scorers, plan=report.plan | {"per_class": None}).id == "all-s7-fake1-g1"


def test_a_score_that_was_optimised_is_marked(references):
    tuned = evaluate(FakeSource(rewards=("clip",)), fake_scorers(), 1, references=references)
    assert tuned.tuned == {"clip"}


def test_scores_must_be_numbers():
    class Broken(FakeScorer):
        def __call__(self, images, labels):
            return {key: value / 0 for key, value in super().__call__(images, labels).items()}

    source = FakeSource()
    with pytest.raises(UserError, match="not a number"):
        score([Broken()], source.images(*source.plan(1)), *source.plan(1))
    with pytest.raises(ValueError, match="same column"):
        score([FakeScorer(), FakeScorer()], source.images(*source.plan(1)), *source.plan(1))
