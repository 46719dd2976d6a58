"""A synthetic data set: drawn block by block into a folder, judged, and written in its form. No gradio."""

import csv
import json
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from app.export_folder import RECORD, WORK, move, prepared, read_block, write_block
from diffusion_core import data
from diffusion_core.errors import UserError
from diffusion_core.guards import locked
from eval.atomic import sync
from eval.data_card import to_card
from eval.filters import FILTERS
from eval.sources import CheckpointSource
from eval.synthesis import Block, Request, Round, Synthesis
from eval.tally import MOST, Tally
from eval.writers import FORMATS, PLACE, DataSet

SET, CARD, FILTERED = "set", "README.md", "filtered.csv"
BLOCK = 1000  # images
ROUND = 320  # candidates at most between two looks at whether somebody wants it to stop
SCHEMA = 1


@dataclass(frozen=True)
class Job:
    """What to export."""

    source: CheckpointSource
    request: Request
    format: str

    def validate(self) -> "Job":
        """Itself, with its filters in order; `UserError` for what is out of range."""
        if not isinstance(self.format, str) or self.format not in FORMATS:
            raise UserError(f"There is no format '{str(self.format)[:40]}'. Known: {', '.join(FORMATS)}.")
        return Job(self.source, self.request.validate(), self.format)

    def plan(self) -> dict:
        """All that decides about the bytes, JSON-ready."""
        request, info = self.request, self.source.info
        return {
            "schema": SCHEMA,
            "format": self.format,
            "count": request.count,
            "balance": list(request.weights),
            "seed": request.seed,
            "filters": dict(request.filters),
            "checkpoint": info.name,
            "sha256": info.sha256,
            "sample": info.sample,
        }

    def command(self, count: int) -> str:
        """The command line that makes `count` of these images in a folder called `PLACE`."""
        request, sample = self.request, self.source.info.sample
        parts = ["python", "-m", "app", "export", self.source.name, "--count", str(count)]
        parts += ["--format", self.format]
        if len(set(request.weights)) > 1:
            parts += ["--balance", ",".join(f"{d}={w:.12g}" for d, w in enumerate(request.weights) if w)]
        parts += ["--seed", str(request.seed)]
        options = {**request.filters, **{k: sample[k] for k in SAMPLING if k in sample}}
        for name, value in options.items():
            parts += [f"--{name.replace('_', '-')}", f"{value:.12g}" if isinstance(value, float) else str(value)]
        return shlex.join([*parts, "--out", PLACE])


SAMPLING = ("sampler", "steps", "guidance", "clip_guidance")


class State(NamedTuple):
    """How far an export is. `stage` is "drawing" or "judging"; a `round` is what was drawn last."""

    stage: str
    done: int
    total: int
    synthesis: Synthesis
    round: Round | None = None


Writing = Callable[[int, int], None]  # (images written, images in all)


def export(job: Job, out: Path, most: int = ROUND, writing: Writing | None = None) -> Iterator[State]:
    """Make the data set in `out`, or go on with it there; it is complete when the iterator ends.

    `most` candidates are drawn between two states. `UserError` for a folder that holds something else,
    cannot be written to or has no room; for a second process in it; for filters that let next to nothing through.
    """
    job = job.validate()
    if not prepared(out, job.plan()):
        return
    work = out / WORK
    with locked(work):
        synthesis, finished = Synthesis(job.source, job.request), sorted(work.glob("*.npz"))
        for path in finished:
            synthesis.account(read_block(path))
        yield from _drawn(synthesis, work, len(finished), most)
        blocks = sorted(work.glob("*.npz"))
        tally = Tally(len(job.request.weights), job.source.info.dataset)
        for path in blocks:
            if tally.full:
                break
            tally.add(read_block(path))
            yield State("judging", int(tally.count.sum()), min(job.request.count, MOST), synthesis)
        _write(job, work, blocks, record(job, synthesis, tally), writing)
        move(work / SET, out)
    shutil.rmtree(work)


def _drawn(synthesis: Synthesis, work: Path, number: int, most: int) -> Iterator[State]:
    """Draw the rest, a file a block from `number` on."""
    count, before = synthesis.request.count, int(synthesis.kept.sum())
    yield State("drawing", before, count, synthesis)
    for found in synthesis.blocks(BLOCK, most):
        yield State("drawing", before + found.kept, count, synthesis, found)
        if found.block:
            write_block(work / f"{number:06d}.npz", found.block)
            number, before = number + 1, before + len(found.block.labels)


def record(job: Job, synthesis: Synthesis, tally: Tally) -> dict:
    """What export.json holds: the plan, what was drawn and left out by label, the scores, the command."""
    counts = zip(synthesis.kept.tolist(), synthesis.tried.tolist(), synthesis.refused.tolist(), strict=True)
    labels = [
        {"delivered": kept, "tried": tried, "left_out": dict(zip(synthesis.names, refused, strict=True))}
        for kept, tried, refused in counts
    ]
    made = {"labels": labels, "scores": tally.scores(), "command": job.command(job.request.count)}
    return job.plan() | made


# ---------------------------------------------------------------------------
# The data set.


def _write(job: Job, work: Path, paths: list[Path], said: dict, writing: Writing | None) -> None:
    """All files of the data set, in work/set."""
    folder, form = work / SET, data.spec(job.source.info.dataset)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()

    def blocks() -> Iterator[Block]:
        done = 0
        for path in paths:
            yield (block := read_block(path))
            done += len(block.labels)
            if writing:
                writing(done, job.request.count)

    scores = tuple(name for name in job.request.filters if FILTERS[name].alone)
    FORMATS[job.format].write(folder, DataSet(job.request.count, form, scores, blocks))
    if job.request.filters:
        _write_filtered(folder / FILTERED, tuple(job.request.filters), paths)
    (folder / CARD).write_text(to_card(said, form), encoding="utf-8")
    (folder / RECORD).write_text(json.dumps(said, indent=1, allow_nan=False) + "\n")
    for path in folder.rglob("*"):
        sync(path)


def _write_filtered(path: Path, names: tuple[str, ...], paths: list[Path]) -> None:
    """A line an image that was left out: label, seed, the filter that refused it, what it measured."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(("label", "seed", "reason", "value"))
        for block in map(read_block, paths):
            columns = [column.tolist() for column in block.left_out[:4]]
            for label, seed, reason, value in zip(*columns, strict=True):
                lines.writerow((label, seed, names[reason], value))
