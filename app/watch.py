"""Draws and judges the same images again and again while a run goes on (`fit.Look`). No gradio."""

import json
from collections.abc import Callable
from pathlib import Path

from app.looks import LOOKS, read
from diffusion_core import checkpoint as checkpoints
from diffusion_core.checkpoint import write_synced
from diffusion_core.errors import UserError
from diffusion_core.fit import Run
from diffusion_core.generate import generate
from diffusion_core.noise import plan
from eval import guard
from eval.clip import load_clip
from eval.probe import Probe

BEST = "best"  # sub-folder with the best weights so far
SEED = 8_000_000  # apart from the seeds that scores are made of
PER_CLASS = 50  # while a network is trained
TUNING_PER_CLASS, TUNING_EVERY = 200, 2_560


Decide = Callable[[list[dict]], list[guard.Decision]]


class Looks:
    """A `fit.Look` that writes what it sees. Told how to `decide`, it keeps the best weights and may end the run.

    `untrained`: whether the very beginning is looked at, too; `independent`: the name of another CLIP that looks.
    """

    def __init__(
        self, folder: Path, per_class: int, every: int, decide: Decide | None = None, untrained: bool = True,
        independent: str | None = None,
    ):  # fmt: skip
        self.folder, self.per_class, self.every = folder, per_class, every
        self.decide, self.untrained = decide, untrained
        self.independent = load_clip(independent) if independent else None
        self._same_guard()
        self.probe: Probe | None = None

    def _same_guard(self) -> None:
        """`UserError` where the run in the folder began with another CLIP to look on, or with none."""
        rows, ours = read(self.folder), self.independent and self.independent.id
        if rows and rows[0].get("independent") != ours:
            began = rows[0].get("independent") or "none"
            raise UserError(
                f"{self.folder.name} began with {began} as its other CLIP: go on with the same --guard-clip."
            )

    def prepare(self, dataset: str) -> None:
        """Load the judges; `UserError` where one, or the data set, is missing."""
        self.probe = self.probe or Probe(dataset, independent=self.independent)

    def at(self, run: Run) -> bool:
        """Draw, judge, write a line; whether the run may go on."""
        if not (run.trainer.images or self.untrained):
            return True
        self.prepare(run.preset.train.dataset)
        now = run.checkpoint()
        labels, seeds = plan(self.per_class, SEED, now.meta.network.classes)
        images = generate(now, labels, seeds, now.meta.sample)
        seen = {"images": run.trainer.images, "seconds": round(run.seconds, 2)}
        row = seen | self.probe.look(images, labels, seeds)
        # Lines beyond a resumed run's place are about to be made again.
        rows = [one for one in read(self.folder) if one["images"] < row["images"]]
        if not rows:
            row["real"] = self.probe.real(self.per_class)
            if self.independent:
                row["independent"] = self.independent.id
        rows.append(row)
        write_synced(self.folder / LOOKS, "".join(json.dumps(one, allow_nan=False) + "\n" for one in rows).encode())
        if self.decide is None:
            return True
        decided = self.decide(rows)[-1]
        if decided.best:
            checkpoints.save(self.folder / BEST, now.denoiser, now.meta)
        return decided.stop is None


def ended(folder: Path) -> str | None:
    """Why the guard has ended the run in `folder`; None where it has not."""
    rows = read(folder)
    return guard.decisions(rows)[-1].stop if rows else None
