"""`python -m app export` as a user types it: what is in the folder, and that nothing that stops it costs anything."""

import csv
import json
import os
import shlex
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from huggingface_hub import DatasetCard

from app import export_command, export_folder, exporting
from app.cli import build_parser, main
from diffusion_core import checkpoint as checkpoints
from diffusion_core.data import ROOT
from diffusion_core.noise import plan
from eval.filters import FILTERS
from eval.formats import show_estimate
from eval.judge import load_judge
from eval.metrics import wilson
from eval.sources import CheckpointSource, RealSource, open_source
from eval.synthesis import Request, Synthesis
from eval.writers import FORMATS
from tests.conftest import save_tiny

# What a tiny network draws looks like an 8 to the selector, and now and then a little like a 2.
SOME = ("--balance", "2=1,8=1", "--confidence", "0.001")
RUN = "import sys; from app import cli, exporting; exporting.BLOCK = 20; sys.exit(cli.main(sys.argv[1:]))"


@pytest.fixture
def tiny_folder(tmp_path):
    save_tiny(tmp_path / "tiny")
    return str(tmp_path / "tiny")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(exporting, "BLOCK", 20)


def run(capsys, *arguments):
    """Exit code, the JSON object if there was one, standard error."""
    code = main([str(a) for a in ("export", *arguments, "--json")])
    out, err = capsys.readouterr()
    return code, json.loads(out.splitlines()[-1]) if out else None, err


def tree(folder) -> dict[str, bytes]:
    """{name: content} of every file."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ---------------------------------------------------------------- what is in it


@pytest.mark.parametrize("form", FORMATS)
def test_every_form_holds_what_the_checkpoint_draws(capsys, tmp_path, tiny_folder, form):
    out = tmp_path / form
    code, result, err = run(capsys, tiny_folder, "--count", 50, "--format", form, "--seed", 3, "--out", out)
    assert code == 0, err
    assert result["count"] == 50 and [row["delivered"] for row in result["labels"]] == [5] * 10
    labels, seeds = plan(5, 3, 10)
    expected = CheckpointSource(tiny_folder).images(labels, seeds)
    source = open_source(str(out))
    there = source.images(*source.plan(None))
    if form == "idx":
        assert {i.numpy().tobytes() for i in there} == {i.numpy().tobytes() for i in expected}
    else:
        assert torch.equal(there, expected) and torch.equal(source.plan(None)[1], seeds)
    assert not (out / "filtered.csv").exists() and "no filter was asked for" in (out / "README.md").read_text()


@pytest.mark.parametrize("form", ["imagefolder", "parquet"])
def test_the_library_datasets_opens_the_folder_by_its_card(capsys, tmp_path, tiny_folder, form):
    import datasets

    run(capsys, tiny_folder, "--count", 30, "--format", form, *SOME, "--out", tmp_path / "digits")
    digits = datasets.load_dataset(str(tmp_path / "digits"), split="train", cache_dir=str(tmp_path / "cache"))
    assert len(digits) == 30 and set(digits.column_names) == {"image", "label", "seed", "confidence"}
    labels, seeds = (torch.tensor(digits[name][:]) for name in ("label", "seed"))
    expected = CheckpointSource(tiny_folder).images(labels, seeds)
    assert np.array_equal(np.stack([np.asarray(image) for image in digits["image"]]), expected[:, 0])


def test_the_record_and_the_list_of_what_was_left_out_add_up(capsys, tmp_path, tiny_folder):
    out = tmp_path / "x"
    _, result, _ = run(
        capsys, tiny_folder, "--count", 45, "--format", "npz", *SOME, "--clip-margin", -1.9, "--out", out
    )
    lines = list(csv.DictReader((out / "filtered.csv").read_text().splitlines()))
    assert lines and {line["reason"] for line in lines} == {"confidence"}
    labels, seeds = (torch.tensor([int(line[key]) for line in lines]) for key in ("label", "seed"))
    images = CheckpointSource(tiny_folder).images(labels, seeds)
    p = load_judge("selector").probabilities(images)[torch.arange(len(labels)), labels]
    assert (p < 0.001).all() and [float(line["value"]) for line in lines] == pytest.approx(p.tolist(), abs=2e-5)
    for label, row in enumerate(result["labels"]):
        mine = seeds[labels == label]
        assert row["left_out"] == {"confidence": len(mine), "clip_margin": 0}
        assert row["tried"] == row["delivered"] + len(mine) and row["delivered"] == {2: 23, 8: 22}.get(label, 0)
    with np.load(out / "digits.npz") as file:
        drawn = {*file["seeds"].tolist(), *seeds.tolist()}
        assert {s for s in drawn if s % 10 == 2} == {10 * j + 2 for j in range(result["labels"][2]["tried"])}
        assert (file["confidence"] >= 0.001).all()


def test_the_card_says_what_is_there(capsys, tmp_path, tiny_folder):
    out = tmp_path / "x"
    _, result, _ = run(capsys, tiny_folder, "--count", 40, "--format", "parquet", *SOME, "--out", out)
    card = DatasetCard.load(out / "README.md")
    data = card.data.to_dict()
    assert data["license"] == "cc-by-sa-3.0" and data["task_categories"] == ["image-classification"]
    assert data["size_categories"] == ["n<1K"] and data["configs"][0]["data_files"][0]["split"] == "train"
    source = open_source(str(out))
    labels, seeds = source.plan(None)
    images = source.images(labels, seeds)
    for judge in ("classifier", "second"):
        right = int((load_judge(judge).logits(images).argmax(1) == labels).sum())
        assert result["scores"][judge]["overall"]["value"] == pytest.approx(right / 40)
        assert show_estimate(wilson(right, 40)) in card.text.split("| all |")[1].splitlines()[0]
    assert result["sha256"] in card.text and "selector" in card.text and "all of them" in card.text
    left_out = sum(row["left_out"]["confidence"] for row in result["labels"])
    assert f"| all | 40 | {40 + left_out} | {left_out} |" in card.text


def test_the_command_in_the_card_makes_the_same_bytes(capsys, tmp_path, tiny_folder, monkeypatch):
    out = tmp_path / "x"
    _, result, _ = run(
        capsys, tiny_folder, "--count", 30, "--format", "idx", *SOME, "--balance", "2=1,8=2", "--steps", 2, "--seed", 5,
        "--out", out,
    )  # fmt: skip
    assert [row["delivered"] for row in result["labels"]] == [0, 0, 10, 0, 0, 0, 0, 0, 20, 0]
    arguments = shlex.split(result["command"])[3:]
    assert arguments[1] == "tiny" and arguments[-1] == "synthetic"
    arguments[1], arguments[-1] = tiny_folder, str(tmp_path / "digits")
    assert main(arguments) == 0
    assert tree(out) == tree(tmp_path / "digits")


def test_mnists_balance_is_that_of_its_training_digits():
    counts = torch.bincount(RealSource("train").data.labels).tolist()
    assert export_command.weights("data") == tuple(map(float, counts))


def test_fewer_digits_are_the_beginning_of_more(capsys, tmp_path, tiny_folder):
    for count in (70, 25):
        assert (
            run(capsys, tiny_folder, "--count", count, "--format", "npz", *SOME, "--out", tmp_path / str(count))[0] == 0
        )
    with np.load(tmp_path / "70/digits.npz") as more, np.load(tmp_path / "25/digits.npz") as less:
        assert all(np.array_equal(more[key][:25], less[key]) for key in more.files)


# ---------------------------------------------------------------- stopped, and going on


def started(tiny_folder, out, count=200):
    """A process that exports, when its first block is there and more are to come."""
    command = [
        sys.executable,
        "-c",
        RUN,
        "export",
        tiny_folder,
        "--count",
        str(count),
        "--format",
        "imagefolder",
        *SOME,
    ]
    process = subprocess.Popen([*command, "--out", str(out)], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 60
    while not (out / ".unfinished" / "000000.npz").exists():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.01)
    return process


def test_a_stopped_export_goes_on_and_ends_in_the_same_bytes(capsys, tmp_path, tiny_folder, monkeypatch):
    """Stopped by SIGTERM, then killed, then finished here; beside one that nothing stopped."""
    out, whole = tmp_path / "stopped", tmp_path / "whole"
    arguments = (tiny_folder, "--count", 200, "--format", "imagefolder", *SOME)
    process = started(tiny_folder, out)
    code, _, err = run(capsys, *arguments, "--out", out)
    assert code == 2 and f"Process {process.pid} is at work" in err
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM and "the same command goes on from here" in said
    assert "Traceback" not in said
    process = started(tiny_folder, out)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert 0 < len(list((out / ".unfinished").glob("*.npz"))) < 10 and not (out / "README.md").exists()
    drawn, images = [], CheckpointSource.images
    with monkeypatch.context() as patch:
        patch.setattr(CheckpointSource, "images", lambda self, *a: drawn.extend(a[1].tolist()) or images(self, *a))
        assert run(capsys, *arguments, "--out", out)[0] == 0
    assert drawn and not {2, 8} & set(drawn)  # what was finished is not drawn again
    monkeypatch.setattr(exporting, "BLOCK", 200)  # how it is cut does not show, where a form has no groups of rows
    assert run(capsys, *arguments, "--out", whole)[0] == 0
    assert tree(out) == tree(whole) and not (out / ".unfinished").exists()


@pytest.mark.parametrize("crash", range(4))
def test_a_crash_while_the_set_is_put_into_its_place_costs_nothing(capsys, tmp_path, tiny_folder, monkeypatch, crash):
    """At each of the moves, and after the last one: the record comes last, and says that all is there."""
    out, whole, replace, calls = tmp_path / "x", tmp_path / "whole", os.replace, []
    arguments = (tiny_folder, "--count", 20, "--format", "idx")

    def failing(source, target):
        if str(source).startswith(str(out / ".unfinished" / "set")):
            calls.append(source)
            if len(calls) == crash + 1:
                raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(export_folder.os, "replace", failing)
        assert main([str(a) for a in ("export", *arguments, "--out", out)]) == 130
    assert not (out / "export.json").exists()
    assert run(capsys, *arguments, "--out", out)[0] == 0 and run(capsys, *arguments, "--out", whole)[0] == 0
    assert tree(out) == tree(whole)


def test_the_same_command_on_a_finished_set_does_nothing(capsys, tmp_path, tiny_folder, monkeypatch):
    out = tmp_path / "x"
    arguments = (tiny_folder, "--count", 20, "--format", "npz", "--out", out)
    _, first, _ = run(capsys, *arguments)
    before = (out / "digits.npz").stat().st_mtime_ns
    (out / ".unfinished").mkdir()  # as a process leaves it that was killed at its very end
    code, again, _ = run(capsys, *arguments)
    assert code == 0 and again == first and (out / "digits.npz").stat().st_mtime_ns == before
    assert not (out / ".unfinished").exists()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--count", 21), "an export with count 20, not 21"),
        (("--seed", 1), "an export with seed 0, not 1"),
        (("--confidence", 0.2), "an export with confidence none, not 0.2"),
        (("--steps", 3), "an export with steps 4, not 3"),
        (("--format", "idx"), "an export with format npz, not idx"),
    ],
)
def test_another_export_in_the_way_is_refused_with_the_difference(capsys, tmp_path, tiny_folder, more, words):
    out = tmp_path / "x"
    arguments = (tiny_folder, "--count", 20, "--format", "npz", "--out", out)
    run(capsys, *arguments)
    before = tree(out)
    code, _, err = run(capsys, *arguments, *more)
    assert code == 2 and words in err and err.strip().count("\n") == 0 and tree(out) == before


# ---------------------------------------------------------------- mistakes

BAD = {
    "count 0": (("--count", "0"), "count must be from 1 to 1,000,000, not 0"),
    "count 2 million": (("--count", "2000000"), "count must be from 1 to 1,000,000"),
    "count x": (("--count", "x"), "invalid int value"),
    "format": (("--format", "zip"), "no format 'zip'. Known: imagefolder, parquet, idx, npz"),
    "seed": (("--seed=-1",), "seed must be from 0"),
    "balance": (("--balance", "0=1,12=3"), "parts such as 0=10,1=20"),
    "balance of words": (("--balance", "x" * 10_000), "parts such as 0=10,1=20"),
    "balance twice": (("--balance", "3=1,3=2"), "names class 3 twice"),
    "balance of nothing": (("--balance", "3=0"), "at least one of them above 0"),
    "balance NaN": (("--balance", "3=nan"), "parts such as 0=10,1=20"),
    "confidence NaN": (("--confidence", "nan"), "Confidence must be a number from 0 to 1"),
    "diversity": (("--diversity", "inf"), "Distance from each other must be a number from 0 to 3"),
    "steps": (("--steps", "0"), "Steps must be"),
    "folder of something": (("--out", "TINY"), "is not empty"),
    "a file": (("--out", "TINY/model.safetensors"), "cannot be written to (Not a directory)"),
    "unwritable": (("--out", "/proc/nobody/x"), "cannot be written to"),
}


@pytest.mark.parametrize("name", BAD)
def test_mistakes_are_one_line_and_exit_code_2(capsys, tmp_path, tiny_folder, name):
    more, words = BAD[name]
    before = tree(tmp_path)
    arguments = ["export", tiny_folder, "--count", "20", "--format", "npz", "--out", str(tmp_path / "out")]
    code = main([*arguments, *(a.replace("TINY", tiny_folder) for a in more)])
    err = capsys.readouterr().err
    assert code == 2 and words in err and err.strip().count("\n") == 0, err
    assert tree(tmp_path) == before


def test_filters_too_strict_are_named_and_nothing_finished_is_lost(capsys, tmp_path, tiny_folder, monkeypatch):
    monkeypatch.setattr("eval.synthesis.PATIENCE", 30)
    out = tmp_path / "x"
    code, _, err = run(
        capsys, tiny_folder, "--count", 20, "--format", "npz", "--confidence", 1, "--balance", "1=1", "--out", out
    )
    assert code == 2 and "lower “Confidence”" in err and err.strip().count("\n") == 0
    assert list(out.iterdir()) == [out / ".unfinished"]


def test_no_room_is_found_before_anything_is_drawn(capsys, tmp_path, tiny_folder, monkeypatch):
    monkeypatch.setattr(export_folder, "BYTES", 1 << 60)
    code, _, err = run(capsys, tiny_folder, "--count", 20, "--format", "npz", "--out", tmp_path / "x")
    assert code == 2 and "MB are free" in err


def test_a_block_comes_back_as_it_was_written(tmp_path, tiny_folder):
    source = CheckpointSource(checkpoints.load(tiny_folder))
    request = Request(20, (0, 0, 1.0) + (0,) * 7, 0, {"confidence": 0.001})
    block = next(found.block for found in Synthesis(source, request).blocks(20, 100) if found.block)
    export_folder.write_block(tmp_path / "b.npz", block)
    back = export_folder.read_block(tmp_path / "b.npz")
    assert all(torch.equal(a, b) for a, b in zip(block[:3], back[:3], strict=True))
    assert torch.equal(block.scores["confidence"], back.scores["confidence"])
    assert all(torch.equal(a, b) for a, b in zip(block.left_out[:4], back.left_out[:4], strict=True))


def test_every_filter_is_an_option():
    assert list(export_command.FILTERS) == list(FILTERS)
    given = build_parser().parse_args(["export", "mnist", "--count", "1", "--format", "npz", "--out", "x"])
    assert all(getattr(given, name) is None for name in FILTERS)
