"""The training loop: resume, signals, divergence, and that it learns."""

import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch

from diffusion_core import checkpoint as checkpoints
from diffusion_core import ema
from diffusion_core.config import TrainConfig, TuneConfig
from diffusion_core.data import ROOT, load
from diffusion_core.errors import UserError
from diffusion_core.fit import fit
from diffusion_core.presets import continued
from diffusion_core.resume import FILE
from diffusion_core.train import MAX_BAD_STEPS, Trainer, batch_indices, learning_rate
from tests.conftest import TINY, TINY_PRESET

BATCH = TINY_PRESET.train.batch


def weights(folder):
    return (folder / "model.safetensors").read_bytes()


def state(folder):
    return (folder / FILE).read_bytes()


def log(folder):
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """An uninterrupted run of 47 steps."""
    folder = tmp_path_factory.mktemp("straight") / "run"
    return fit(folder, TINY_PRESET, None, 47 * BATCH), folder


@pytest.mark.parametrize("at", [1, 20, 33, 46])
def test_resumed_run_is_the_uninterrupted_one_bit_for_bit(tmp_path, straight, at):
    _, whole = straight
    fit(tmp_path / "run", TINY_PRESET, None, at * BATCH)
    resumed = fit(tmp_path / "run", TINY_PRESET, None, 47 * BATCH)
    assert resumed.trainer.step == 47
    assert weights(tmp_path / "run") == weights(whole)
    assert log(tmp_path / "run") == log(whole)
    mine, theirs = (Trainer(TINY, TINY_PRESET.train, load("mnist"), torch.device("cpu")) for _ in range(2))
    from diffusion_core.resume import load_state

    load_state(tmp_path / "run", mine)
    load_state(whole, theirs)
    for one, other in zip(mine.optimizers, theirs.optimizers, strict=True):
        assert len(one.state) > 10
        for a, b in zip(one.state.values(), other.state.values(), strict=True):
            assert a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_a_killed_run_goes_on_from_its_last_save(tmp_path, straight):
    """SIGKILL in the middle: log lines after the save are made again, none twice."""
    _, whole = straight
    folder = tmp_path / "run"
    fit(folder, TINY_PRESET, None, 25 * BATCH)
    kept = state(folder)
    fit(folder, TINY_PRESET, None, 41 * BATCH)
    (folder / FILE).write_bytes(kept)  # as if killed at step 41, last saved at 25
    fit(folder, TINY_PRESET, None, 47 * BATCH)
    assert weights(folder) == weights(whole) and log(folder) == log(whole)


def test_the_folder_of_a_run(straight):
    run, folder = straight
    rows = log(folder)
    assert [row["step"] for row in rows] == [20, 40]
    assert set(rows[0]) == {
        "step", "images", "loss", "loss_q1", "loss_q2", "loss_q3", "loss_q4", "grad_norm", "lr", "skipped"
    }  # fmt: skip
    assert sorted(p.name for p in (folder / "samples").iterdir()) == ["0000000000.png"]
    meta = checkpoints.read_meta(folder)
    assert meta.images_seen == 47 * BATCH and meta.train_seconds > 0
    average = run.trainer.average.network.state_dict()
    loaded = checkpoints.load(folder).denoiser.network.state_dict()
    assert all(torch.equal(loaded[key], average[key]) for key in average)


def test_it_learns():
    config = replace(TINY_PRESET.train, batch=64, warmup_images=640)
    trainer = Trainer(TINY, config, load("mnist"), torch.device("cpu"))
    losses = [result.loss for result, _ in zip(trainer.steps(), range(80))]
    assert sum(losses[:5]) / 5 == pytest.approx(1, abs=0.1)  # the zero network
    assert sum(losses[-10:]) / 10 < 0.6


def start(folder, *more, signal_at=None):
    command = [sys.executable, "-m", "app", "train", "--preset", "mnist", "--out", str(folder), *more]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(path, seconds=60):
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} never appeared"
        time.sleep(0.2)


def test_sigterm_saves_and_ends_with_143_and_a_second_writer_is_sent_away(tmp_path):
    folder = tmp_path / "run"
    run = start(folder, "--images", "1000000")
    try:
        wait_for(folder / "samples" / "0000000000.png")
        with pytest.raises(UserError, match=f"Process {run.pid} is at work in"):
            fit(folder, TINY_PRESET, None, 10 * BATCH)
        time.sleep(3)
        run.send_signal(signal.SIGTERM)
        _, errors = run.communicate(timeout=60)
    finally:
        run.kill()
    assert run.returncode == 143
    assert "Traceback" not in errors
    meta = checkpoints.load(folder).meta
    assert 0 < meta.images_seen < 1_000_000
    assert (folder / FILE).exists()


def test_a_config_that_differs_is_refused_and_listed(tmp_path, straight):
    folder = shutil.copytree(straight[1], tmp_path / "run")
    before = state(folder)
    other = TINY_PRESET._replace(train=replace(TINY_PRESET.train, lr=1.0))
    with pytest.raises(UserError, match="train.lr 0.002 -> 1.0"):
        fit(folder, other, None, 60 * BATCH)
    assert state(folder) == before


def test_what_cannot_start_says_why(tmp_path, straight):
    with pytest.raises(UserError, match="no run to resume"):
        fit(tmp_path / "none", TINY_PRESET, None, 160, must_resume=True)
    folder = shutil.copytree(straight[1], tmp_path / "shipped")
    shutil.rmtree(folder / "resume")
    with pytest.raises(UserError, match="finished checkpoint"):
        fit(folder, TINY_PRESET, None, 160)
    for minutes, images in ((None, None), (1, 1), (0, None), (None, -5), (float("nan"), None)):
        with pytest.raises(UserError):
            fit(tmp_path / "never", TINY_PRESET, minutes, images)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        fit(tmp_path / "file" / "run", TINY_PRESET, None, 160)
    damaged = shutil.copytree(straight[1], tmp_path / "damaged")
    (damaged / FILE).write_bytes(state(damaged)[:-50])
    with pytest.raises(UserError, match="damaged"):
        fit(damaged, TINY_PRESET, None, 60 * BATCH)


def test_a_checkpoint_without_its_resume_state_goes_on_elsewhere(tmp_path, straight):
    folder = shutil.copytree(straight[1], tmp_path / "shipped", ignore=shutil.ignore_patterns("resume"))
    shipped = checkpoints.load(folder)
    longer, before = continued(shipped.meta), shipped.denoiser.state_dict()
    trainer = Trainer(longer.network, longer.train, load("mnist"), torch.device("cpu"))
    trainer.begin(shipped.denoiser, shipped.meta.images_seen)
    assert trainer.images == 47 * BATCH
    for part in (trainer.denoiser, trainer.average):
        assert part.state_dict().keys() == before.keys()
        assert all(torch.equal(value, before[key]) for key, value in part.state_dict().items())
    run = fit(tmp_path / "longer", longer, None, 60 * BATCH, start=shipped)
    assert run.trainer.step == 60 and run.seconds > shipped.meta.train_seconds
    assert [row["step"] for row in log(tmp_path / "longer")] == [20, 40, 60]
    assert log(tmp_path / "longer")[:2] == log(folder)[:2] and weights(folder) == weights(straight[1])
    # A later command finds its resume state, and does not begin with the shipped weights again.
    assert fit(tmp_path / "longer", longer, None, 61 * BATCH, start=shipped).trainer.step == 61
    assert fit(tmp_path / "longer", longer, 1e-3, None).trainer.step == 61  # it was trained that long already
    with pytest.raises(UserError, match="'shipped' has seen .* already, which count: ask for more"):
        fit(tmp_path / "again", longer, shipped.meta.train_seconds / 120, None, start=shipped)
    assert not (tmp_path / "again" / "log.jsonl").exists()  # nothing that a page would list as a run
    with pytest.raises(UserError, match="Give its teacher"):
        continued(replace(shipped.meta, tune=TuneConfig()))


def test_a_loss_that_is_not_finite_changes_nothing_and_ends_the_run():
    trainer = Trainer(TINY, TINY_PRESET.train, load("mnist"), torch.device("cpu"))
    for _ in range(3):
        trainer.train_step()
    before = {k: v.clone() for k, v in trainer.denoiser.state_dict().items()}
    average = {k: v.clone() for k, v in trainer.average.state_dict().items()}
    healthy = trainer._batch
    poison = iter([True, True, False])

    def poisoned():
        x0, labels, generator = healthy()
        return (x0 * float("nan") if next(poison) else x0), labels, generator

    trainer._batch = poisoned
    assert [trainer.train_step().applied for _ in range(2)] == [False, False]
    assert all(torch.equal(before[k], v) for k, v in trainer.denoiser.state_dict().items())
    assert all(torch.equal(average[k], v) for k, v in trainer.average.state_dict().items())
    assert trainer.bad_in_a_row == 2
    assert trainer.train_step().applied and trainer.bad_in_a_row == 0
    poison = iter([True] * MAX_BAD_STEPS)
    with pytest.raises(UserError, match="diverged"):
        for _ in trainer.steps():
            pass
    assert trainer.bad_in_a_row == MAX_BAD_STEPS


def test_every_epoch_shows_every_example_once():
    epoch = torch.cat([batch_indices(k, 7, 100, seed=3) for k in range(100)])  # 7 epochs of 100
    for start_ in range(0, 700, 100):
        assert sorted(epoch[start_ : start_ + 100].tolist()) == list(range(100))
    assert not torch.equal(epoch[:100], epoch[100:200])
    assert not torch.equal(epoch[:100], batch_indices(0, 100, 100, seed=4))
    assert len(batch_indices(0, 250, 100, seed=3)) == 250


def test_every_step_and_every_seed_draws_its_own_noise():
    trainers = [
        Trainer(TINY, replace(TINY_PRESET.train, seed=seed), load("mnist"), torch.device("cpu")) for seed in (0, 1)
    ]
    noises = []
    for trainer in trainers:
        for step in (0, 1, 2**20):
            trainer.step = step
            noises.append(torch.randn(8, generator=trainer._batch()[2]))
    for i, one in enumerate(noises):
        assert not any(torch.equal(one, other) for other in noises[:i])


def test_learning_rate_rises_then_falls_with_the_square_root():
    config = TrainConfig(lr=1.0, batch=10, warmup_images=100, decay_images=1000)
    assert learning_rate(0, config) == pytest.approx(0.1)
    assert learning_rate(90, config) == 1
    assert learning_rate(1000, config) == 1
    assert learning_rate(4000, config) == pytest.approx(0.5)


def test_ema_on_constants_closes_the_gap_by_beta():
    average, model = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    torch.nn.init.zeros_(average.weight)
    torch.nn.init.ones_(model.weight)
    gap = 1.0
    for step in (10, 11, 12):
        ema.update(average, model, step, gamma=6.94)
        gap *= (1 - 1 / step) ** 7.94
        assert float(1 - average.weight.detach()) == pytest.approx(gap, rel=1e-5)


def test_ema_is_the_power_function_average_and_forgets_the_start():
    """After t steps, step k weighs about (k/t)^gamma: the mean of 1..t is t (gamma + 1) / (gamma + 2)."""
    average, model = torch.nn.Linear(1, 1).double(), torch.nn.Linear(1, 1).double()
    torch.nn.init.constant_(average.weight, 1e9)  # the first step must wipe this out
    for step in range(1, 2001):
        torch.nn.init.constant_(model.weight, step)
        ema.update(average, model, step, gamma=6.94)
    assert float(average.weight.detach()) == pytest.approx(2000 * 7.94 / 8.94, rel=2e-3)


def test_ema_copies_buffers():
    average, model = torch.nn.BatchNorm2d(2), torch.nn.BatchNorm2d(2)
    model.running_mean += 3
    ema.update(average, model, 5, 6.94)
    assert torch.equal(average.running_mean, model.running_mean)
