"""A training run in a folder: progress, log, sample grids, saves, signals, resume."""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from PIL import Image
from tqdm import tqdm

from diffusion_core import checkpoint as checkpoints
from diffusion_core.checkpoint import Checkpoint, CheckpointMeta, write_synced
from diffusion_core.data import DATASETS, load
from diffusion_core.device import best_device
from diffusion_core.distill import Distiller
from diffusion_core.errors import Interrupted, UserError
from diffusion_core.generate import generate
from diffusion_core.guards import check_folder, locked, signals
from diffusion_core.noise import plan
from diffusion_core.presets import Preset
from diffusion_core.resume import FILE as RESUME_FILE
from diffusion_core.resume import load_state, save_state
from diffusion_core.reward import Aim, Tuner
from diffusion_core.train import StepResult, Trainer

LOG, GRIDS = "log.jsonl", "samples"
LOG_EVERY = 20  # steps
SAVE_EVERY = 120.0  # seconds
GRID_ROWS = 4  # images a class
GRID_SEED = 1_000_000  # apart from the seeds that scores are made of


@dataclass
class Window:
    """Sums since the last line of the log."""

    steps: int = 0
    loss: float = 0.0
    reward: float | None = None  # of a tuning
    grad_norm: float = 0.0
    skipped: int = 0
    sums: list[float] = field(default_factory=lambda: [0.0] * 4)
    counts: list[int] = field(default_factory=lambda: [0] * 4)

    def add(self, result: StepResult) -> None:
        self.steps += 1
        if not result.applied:
            self.skipped += 1
            return
        self.loss += result.loss
        if result.reward is not None:
            self.reward = (self.reward or 0.0) + result.reward
        self.grad_norm += result.grad_norm
        self.sums = [a + b for a, b in zip(self.sums, result.quartile_sums, strict=True)]
        self.counts = [a + b for a, b in zip(self.counts, result.quartile_counts, strict=True)]

    def row(self, result: StepResult, seconds: float) -> dict:
        """One line of the log; `loss_q1` is the quarter of the noise levels with the least noise."""
        good = self.steps - self.skipped
        quarters = {f"loss_q{i + 1}": s / c if c else None for i, (s, c) in enumerate(zip(self.sums, self.counts))}
        return {
            "step": result.step,
            "images": result.images,
            "seconds": round(seconds, 2),
            "loss": self.loss / good if good else None,
            **quarters,
            "grad_norm": self.grad_norm / good if good else None,
            "lr": result.lr,
            "skipped": self.skipped,
            **({} if self.reward is None else {"reward": self.reward / good if good else None}),
        }


class Look(Protocol):
    """Judges a run after every so many images, and at its very beginning."""

    every: int

    def at(self, run: "Run") -> bool:
        """Whether the run may go on."""


class Run:
    """One run in one folder. `seconds` counts training only, over all sittings."""

    def __init__(self, folder: Path, preset: Preset, parent: Checkpoint | None, aim: Aim | None):
        self.folder, self.preset, self.parent, self.aim = folder, preset, parent, aim
        data, device = load(preset.train.dataset), best_device()
        if preset.tune:
            self.trainer = Tuner(parent, preset.train, preset.tune, preset.sample, aim.reward, data, device)
        elif parent:
            self.trainer = Distiller(parent, preset.train, preset.distill, data, device)
        else:
            self.trainer = Trainer(preset.network, preset.train, data, device)
        self.window, self.seconds = Window(), 0.0

    def resume(self) -> None:
        progress = load_state(self.folder, self.trainer)
        self.window, self.seconds = Window(**progress["window"]), progress["seconds"]
        log = self.folder / LOG
        lines = log.read_text().splitlines() if log.exists() else []
        kept = [line for line in lines if json.loads(line)["step"] <= self.trainer.step]
        write_synced(log, "".join(line + "\n" for line in kept).encode())  # later lines are about to be made again

    def begin(self, start: Checkpoint) -> None:
        """Go on with the averaged weights of a checkpoint whose resume state is gone, with its log."""
        self.trainer.begin(start.denoiser, start.meta.images_seen)
        self.seconds = start.meta.train_seconds
        if (start.path / LOG).exists():
            write_synced(self.folder / LOG, (start.path / LOG).read_bytes())

    def save(self) -> None:
        """The resume state first: the checkpoint may lag behind it, but never runs ahead."""
        progress = {"window": self.window.__dict__, "seconds": self.seconds}
        save_state(self.folder, self.trainer, progress)
        checkpoints.save(self.folder, self.trainer.average, self.meta())

    def meta(self) -> CheckpointMeta:
        data = self.trainer.data.spec
        return CheckpointMeta(
            dataset=self.preset.train.dataset,
            network=self.preset.network,
            train=self.preset.train,
            sample=self.preset.sample,
            images_seen=self.trainer.images,
            train_seconds=round(self.seconds, 1),
            parent=self.parent and f"{self.parent.name}@{self.parent.meta.sha256[:12]}",
            distill=self.preset.distill,
            tune=self.preset.tune,
            data=None if data == DATASETS.get(data.name) else data,
            rewards=self.aim.scorers if self.aim else self.parent.meta.rewards if self.parent else (),
            revision=checkpoints.revision(),
        )

    def checkpoint(self) -> Checkpoint:
        """The averaged weights as they are now."""
        return Checkpoint(self.folder, self.meta(), self.trainer.average)

    def log(self, result: StepResult) -> None:
        self.window.add(result)
        if result.step % LOG_EVERY == 0:
            with open(self.folder / LOG, "a") as file:
                file.write(json.dumps(self.window.row(result, self.seconds), allow_nan=False) + "\n")
            self.window = Window()

    def grid(self) -> None:
        """A picture of the EMA model as it is now: a column a class, always the same seeds."""
        meta = self.meta()
        classes = meta.network.classes
        images = generate(self.checkpoint(), *plan(GRID_ROWS, GRID_SEED, classes), meta.sample)
        channels, height, width = images.shape[1:]
        sheet = images.view(GRID_ROWS, classes, channels, height, width).permute(0, 3, 1, 4, 2)
        sheet = sheet.reshape(GRID_ROWS * height, classes * width, channels).numpy()
        (self.folder / GRIDS).mkdir(exist_ok=True)
        picture = Image.fromarray(sheet[..., 0] if channels == 1 else sheet)
        picture.save(self.folder / GRIDS / f"{self.trainer.images:010d}.png", optimize=True)


def fit(
    folder: Path,
    preset: Preset,
    minutes: float | None,
    images: int | None,
    must_resume: bool = False,
    parent: Checkpoint | None = None,
    aim: Aim | None = None,
    look: Look | None = None,
    start: Checkpoint | None = None,
) -> Run:
    """Train in `folder` until `minutes` of training or `images` examples; go on with a run found there.

    With a `parent` the run makes its student (`presets.student`), or with an `aim` too it tunes the parent by that
    reward (`presets.tuned`). `look` judges the run now and then, and may end it. A run that is not there yet goes on
    with the weights of `start`, and its images and seconds count (`presets.continued`).

    SIGTERM and Ctrl-C finish the step, save and raise `Interrupted`. `UserError` if there is nothing
    to resume, a finished checkpoint in the way, no room, another process at work, no end given, or one that `start`
    has reached.
    """
    if (minutes is None) == (images is None):
        raise UserError("Give either --minutes or --images.")
    if not 0 < (images if minutes is None else minutes) < float("inf"):
        raise UserError("Training time or images must be more than 0.")
    check_folder(folder, must_resume)
    with locked(folder), signals() as stop:
        run = Run(folder, preset, parent, aim)
        if (folder / RESUME_FILE).exists():
            run.resume()
        elif start:
            seen, seconds = start.meta.images_seen, start.meta.train_seconds
            if _done(seen, seconds, minutes, images):
                said = f"{seen:,} images in {seconds / 60:.0f} minutes"
                raise UserError(f"'{start.name}' has seen {said} already, which count: ask for more.")
            run.begin(start)
        _train(run, minutes, images, stop, look)
    return run


def _train(run: Run, minutes: float | None, images: int | None, stop: list[int], look: Look | None) -> None:
    bar = _progress_bar(run, minutes, images)
    if run.trainer.step == 0:
        run.grid()
        if look:
            look.at(run)
    grid_at, look_at = _next_grid(run.trainer.images), look and _next_look(run.trainer.images, look)
    saved = clock = time.monotonic()
    for result in () if _done(run.trainer.images, run.seconds, minutes, images) else run.trainer.steps():
        now = time.monotonic()
        run.seconds, clock = run.seconds + now - clock, now
        run.log(result)
        _show(bar, run, result, minutes)
        if result.images >= grid_at:
            run.grid()
            grid_at, clock = _next_grid(result.images), time.monotonic()
        if look and result.images >= look_at:
            if not look.at(run):
                break
            look_at, clock = _next_look(result.images, look), time.monotonic()
        if stop or _done(run.trainer.images, run.seconds, minutes, images):
            break
        if now - saved > SAVE_EVERY:
            run.save()
            saved = clock = time.monotonic()
    run.save()
    bar.close()
    if stop:
        raise Interrupted(stop[0])


def _done(seen: int, seconds: float, minutes: float | None, images: int | None) -> bool:
    return seconds >= minutes * 60 if minutes is not None else seen >= images


def _next_look(images: int, look: Look) -> int:
    return (images // look.every + 1) * look.every


def _next_grid(images: int) -> int:
    """The next of 1, 2, 5, 10, 20, 50, ... thousand images."""
    return next(m * 10**e for e in range(3, 12) for m in (1, 2, 5) if m * 10**e > images)


def _progress_bar(run: Run, minutes: float | None, images: int | None) -> tqdm:
    if minutes is not None:
        form = "{percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s of training, {remaining} left{postfix}"
        return tqdm(total=minutes * 60, initial=min(run.seconds, minutes * 60), bar_format=form, mininterval=1)
    return tqdm(total=images, initial=run.trainer.images, unit="img", unit_scale=True, mininterval=1)


def _show(bar: tqdm, run: Run, result: StepResult, minutes: float | None) -> None:
    now = run.seconds if minutes is not None else result.images
    bar.update(min(now, bar.total) - bar.n)
    bar.set_postfix(images=result.images, loss=f"{result.loss:.3f}", refresh=False)
