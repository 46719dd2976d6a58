"""Running a study: what a run measures, and that a killed or stopped program loses and repeats nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.metrics import f1_score

from app import studying
from app.cli import main
from diffusion_core.config import from_dict, to_dict
from diffusion_core.data import ROOT, load
from diffusion_core.errors import Interrupted, UserError
from diffusion_core.train import Trainer
from eval import study_run
from eval.distribution import frechet_distance, precision_recall_density_coverage
from eval.sources import RealSource
from eval.study import REAL, Job, Variant, jobs
from eval.study_train import History, diverged, flops, held_out, peak_memory, train
from tests.conftest import random_denoiser
from tests.made_studies import NETWORK, TRAIN, made_rows, made_study

# Stands for a run: half a second, and it leaves a trace of having been begun.
FAKE = """
import json, os, pathlib, sys, time
job = json.loads(sys.stdin.read())
with open(os.environ["TRACE"], "a") as file:
    file.write(f"{job['name']} {job['seed']}\\n")
time.sleep(float(os.environ.get("WAIT", "0.2")))
pathlib.Path(sys.argv[1]).write_bytes(b"picture")
sys.exit("lost") if job["name"] == "bad" else print(json.dumps({"variant": job["name"], "seed": job["seed"],
    "made": "MADE", "revision": "0", "loss": 0.5}))
"""


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Runs that are quick; the trace of them."""
    monkeypatch.setattr(studying, "RUN", (sys.executable, "-c", FAKE))
    monkeypatch.setenv("TRACE", str(tmp_path / "trace"))
    monkeypatch.setattr(Job, "made", "MADE")
    return tmp_path / "trace"


def keys(rows) -> list[tuple]:
    return sorted((row["variant"], row["seed"]) for row in rows)


# ---------------------------------------------------------------- the jobs


def test_jobs_share_their_seeds_and_survive_json():
    found = jobs(made_study(looks=(32,)))
    assert len(found) == 9 and [job.name for job in found[:3]] == ["old", "new", REAL]
    assert all(job.variant.train.seed == job.seed for job in found if job.name != REAL)
    for job in found:
        assert from_dict(Job, json.loads(json.dumps(to_dict(job)))) == job


def test_a_row_knows_the_settings_it_was_made_by():
    job = jobs(made_study())[0]
    changes = [
        replace(job, images=128), replace(job, per_class=7), replace(job, looks=(16,)),
        replace(job, variant=replace(job.variant, network=replace(NETWORK, skip=False))),
        replace(job, variant=replace(job.variant, train=replace(TRAIN, lr=1.0))),
        replace(job, variant=Variant(checkpoint="mnist")), replace(job, variant=Variant()),
    ]  # fmt: skip
    assert len({job.made, *(changed.made for changed in changes)}) == len(changes) + 1
    assert replace(job, name="renamed").made == job.made


# ---------------------------------------------------------------- the runner


def test_every_run_once_and_a_finished_study_runs_nothing(tmp_path, fake):
    counted = []
    rows = studying.run(made_study(), tmp_path / "out", 2, lambda *at: counted.append(at))
    assert keys(rows) == keys(studying.read_rows(tmp_path / "out")) == keys(made_rows(made_study()))
    assert counted == [(i, 9) for i in range(1, 10)]
    assert studying.run(made_study(), tmp_path / "out", 2) == rows
    assert len(fake.read_text().splitlines()) == 9
    assert {p.name for p in (tmp_path / "out").glob("*.png")} == {"old.png", "new.png", "real-test-digits.png"}


def started(tmp_path, wait: str) -> subprocess.Popen:
    """The runner in a process of its own, after its first row."""
    code = (
        "import sys; from pathlib import Path; from app import studying; from eval.study import Job\n"
        "from tests.test_study import FAKE; from tests.made_studies import made_study\n"
        "studying.RUN = (sys.executable, '-c', FAKE); Job.made = 'MADE'\n"
        f"studying.run(made_study(), Path({str(tmp_path / 'out')!r}), 2)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=os.environ | {"WAIT": wait})
    while not studying.read_rows(tmp_path / "out"):
        assert process.poll() is None
        time.sleep(0.05)
    return process


def test_a_killed_program_loses_no_row_and_repeats_none(tmp_path, fake):
    process = started(tmp_path, "0.5")
    process.kill()
    process.wait()
    before = studying.read_rows(tmp_path / "out")
    assert 1 <= len(before) < 9
    rows = studying.run(made_study(), tmp_path / "out", 2)
    assert rows[: len(before)] == before
    assert keys(rows) == keys(made_rows(made_study()))
    trace = fake.read_text().splitlines()
    assert all(trace.count(f"{row['variant']} {row['seed']}") == 1 for row in before)


def test_a_stop_kills_the_runs_and_keeps_the_rows(tmp_path, fake):
    process = started(tmp_path, "0.5")
    process.send_signal(signal.SIGINT)
    assert process.wait(20) != 0
    begun = fake.read_text()
    time.sleep(1)
    assert fake.read_text() == begun  # nobody goes on
    assert 1 <= len(studying.read_rows(tmp_path / "out")) < 9


def test_a_stop_is_told_from_an_end(tmp_path, fake):
    with pytest.raises(Interrupted):
        studying.run(made_study(), tmp_path / "out", 1, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    assert len(studying.read_rows(tmp_path / "out")) == 1


def test_a_run_that_fails_is_named_and_the_others_stay(tmp_path, fake):
    study = made_study(variants={"old": Variant(NETWORK, TRAIN), "bad": Variant(NETWORK, TRAIN)})
    with pytest.raises(UserError, match="'bad', seed 0, failed: lost"):
        studying.run(study, tmp_path / "out", 1)
    assert keys(studying.read_rows(tmp_path / "out")) == [("old", 0)]


def test_rows_of_other_settings_and_damaged_ones_are_refused(tmp_path):
    study = made_study()
    with pytest.raises(UserError, match="other settings"):
        studying.missing(made_study(images=99), made_rows(study))
    assert studying.missing(study, made_rows(study)) == []
    (tmp_path / studying.ROWS).write_text("{")
    with pytest.raises(UserError, match="is damaged"):
        studying.read_rows(tmp_path)


# ---------------------------------------------------------------- one run


def test_divergence_is_found_where_it_was_planted():
    wild = Trainer(NETWORK, replace(TRAIN, lr=10.0, warmup_images=16), load("mnist"), torch.device("cpu"))
    history = History()
    train(wild, 16 * 40, history)
    assert diverged(history.losses) in range(2, 30)
    calm = Trainer(NETWORK, TRAIN, load("mnist"), torch.device("cpu"))
    history = History()
    train(calm, 16 * 40, history)
    assert diverged(history.losses) is None
    assert calm.images == 640 and history.curve()[-1][0] == 640 and history.seconds > 0
    assert sum(row[1] * 2 for row in history.curve()) == pytest.approx(sum(history.losses), rel=1e-6)
    assert diverged([1.0] * 20 + [12.0, 1.0]) == 21 and diverged([1.0] * 20 + [9.0, 1.0]) is None
    assert diverged([1.0, float("nan")]) == 2 and diverged([]) is None


def test_the_loss_on_test_digits_is_always_over_the_same_and_says_what_batch_norm_hides():
    test, plain = load("mnist", "test"), random_denoiser()
    found = held_out(plain, test)
    assert found == held_out(plain, test) and "gap" not in found
    quarters = [found[f"loss_q{i}"] for i in range(1, 5)]
    assert min(quarters) < found["loss"] < max(quarters)
    normed = random_denoiser(replace(NETWORK, norm="batch"))
    before = {k: v.clone() for k, v in normed.state_dict().items()}
    assert held_out(normed, test)["gap"] != 0
    assert all(torch.equal(v, before[k]) for k, v in normed.state_dict().items())


def test_cost_of_a_training_image():
    small, large = (
        Trainer(replace(NETWORK, channels=c), TRAIN, load("mnist"), torch.device("cpu")) for c in ((16, 32), (32, 64))
    )
    assert 2.5 * flops(small) < flops(large) < 4.5 * flops(small)
    assert all(p.grad is None for p in small.denoiser.parameters())
    before, block = peak_memory(), torch.ones(100 << 18)  # 100 MB
    assert block.sum() > 0 and peak_memory() >= before


def test_a_run_ends_when_whoever_asked_for_it_is_gone(monkeypatch):
    parents = iter((7, 7, 8))
    monkeypatch.setattr(os, "getppid", lambda: next(parents))
    trainer = Trainer(NETWORK, TRAIN, load("mnist"), torch.device("cpu"))
    with pytest.raises(SystemExit):
        train(trainer, 16 * 10, History())
    assert trainer.step == 2


class Some:
    """The first training digits alone, so that judging takes a second."""

    def __init__(self, split="train", dataset="mnist"):
        source = RealSource(split, dataset)
        self.data = source.data._replace(images=source.data.images[:1500], labels=source.data.labels[:1500])
        self.id = "some"


@pytest.fixture
def few(monkeypatch):
    from eval import study_judge

    monkeypatch.setattr(study_judge, "RealSource", Some)


def test_judges_agree_with_the_distances_they_are_made_of(few):
    from eval.study_judge import Bench, Pixels

    bench, test = Bench(), load("mnist", "test")
    found = bench.measure(test.images[:300], test.labels[:300])
    assert found["accuracy"] > 0.97 and found["clip_accuracy"] > 0.97 and found["n"] == 300
    real, fake = (bench.scorers[0].features(x) for x in (Some().data.images, test.images[:300]))
    assert found["fd"] == pytest.approx(frechet_distance(real, fake))
    expected = precision_recall_density_coverage(real, fake)
    assert {k: found[k] for k in expected} == pytest.approx(expected)
    pixels = frechet_distance(Pixels.features(Some().data.images), Pixels.features(test.images[:300]))
    assert found["pixels_fd"] == pytest.approx(pixels)
    wrong = bench.measure(test.images[:300], (test.labels[:300] + 1) % 10)
    assert wrong["accuracy"] < 0.03 and wrong["clip_margin"] < 0 and wrong["fd"] == found["fd"]
    share = [found["per_class"][str(d)]["accuracy"] for d in range(10)]
    counts = test.labels[:300].bincount(minlength=10)
    assert sum(s * int(n) for s, n in zip(share, counts, strict=True)) == pytest.approx(300 * found["accuracy"])


def test_a_judge_that_reads_everything_as_one_digit_does_not_make_it_appear():
    from eval.study_judge import one_class

    asked, read = [0] * 5 + [8] * 5, [8] * 10
    table = pd.DataFrame({"label": asked, "classifier_label": read, "clip_margin": [0.1] * 5 + [0.3] * 5})
    f1 = f1_score(asked, read, pos_label=8)
    assert f1 < 0.7 and one_class(table, 8) == pytest.approx({"accuracy": 1.0, "f1": f1, "clip_margin": 0.3})
    assert one_class(table, 0) == pytest.approx({"accuracy": 0.0, "f1": 0.0, "clip_margin": 0.1})


def test_a_whole_run_is_a_row_of_strict_json(few, tmp_path):
    study = made_study(images=64, looks=(32,), per_class=4)
    row = study_run.finite(study_run.run(jobs(study)[0], tmp_path / "picture.png"))
    assert row == json.loads(json.dumps(row, allow_nan=False))
    assert (row["variant"], row["seed"], row["images"], row["n"], row["diverged"]) == ("old", 0, 64, 40, None)
    assert [look["images"] for look in row["looks"]] == [32]
    assert set(row) >= {"loss_q1", "plain_accuracy", "second_fd", "pixels_fd", "recall", "per_class", "memory", "flops"}
    with Image.open(tmp_path / "picture.png") as image:
        assert image.size == (280, 112)
    assert study_run.finite([float("nan"), {"a": float("inf")}, 1.0, True]) == [None, {"a": None}, 1.0, True]


def test_the_command_lists_runs_and_refuses(capsys, tmp_path, fake, monkeypatch):
    from eval import studies

    monkeypatch.setattr(studies, "STUDIES", {"made": made_study()})
    assert main(["study", "--out", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["studies"]["made"]["done"] == 0
    assert main(["study", "made", "--out", str(tmp_path / "made"), "--workers", "3"]) == 0
    assert "The new one is better. Verdict: not decided." in capsys.readouterr().out
    assert {"rows.jsonl", "table.csv", "result.json"} <= {p.name for p in (tmp_path / "made").iterdir()}
    assert main(["study", "none"]) == 2 and main(["study", "made", "--workers", "0"]) == 2
    assert all(line.startswith("error: ") for line in capsys.readouterr().err.splitlines() if "run" not in line)


def test_variants_are_timed_in_turn(tmp_path, monkeypatch):
    from app import study_cost

    monkeypatch.setattr(study_cost, "ROUNDS", 2)
    rows = study_cost.measure(made_study(), tmp_path)
    assert [row["variant"] for row in rows] == ["old", "new"]
    assert all(row["step_ms"] > 0 and row["digit_ms"] > 0 for row in rows)
    assert [json.loads(line) for line in (tmp_path / study_cost.COSTS).read_text().splitlines()] == rows
