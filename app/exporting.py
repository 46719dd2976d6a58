"""A synthetic data set in a folder: drawn in blocks that survive an interruption, judged, written. No gradio.

Until all is done, everything lies in FOLDER/.unfinished: the plan, then a file a finished block. To go on, nothing
else is needed. At the end the data set is made of the blocks, moved to its place, and the blocks are deleted; a
process that is killed anywhere leaves a folder in which the same command goes on, or finds nothing left to do.
"""

import csv
import io
import json
import os
import shlex
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from diffusion_core import data
from diffusion_core.errors import UserError
from diffusion_core.guards import locked
from eval.atomic import atomic_file, sync
from eval.data_card import to_card
from eval.sources import CheckpointSource
from eval.synthesis import Block, LeftOut, Request, Round, Synthesis
from eval.tally import Tally
from eval.writers import FORMATS, DataSet

WORK, PLAN, SET = ".unfinished", "plan.json", "set"
RECORD, CARD, FILTERED = "export.json", "README.md", "filtered.csv"
BLOCK = 1000  # digits
ROUND = 320  # candidates at most between two looks at whether somebody wants it to stop
BYTES = 8192  # on disk a digit, with its block: a small file takes 4096
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
        """The command line that makes `count` of these digits in a folder "digits"."""
        request, sample = self.request, self.source.info.sample
        parts = ["python", "-m", "app", "export", self.source.name, "--count", str(count)]
        parts += ["--format", self.format]
        if len(set(request.weights)) > 1:
            parts += ["--balance", ",".join(f"{d}={w:.12g}" for d, w in enumerate(request.weights) if w)]
        parts += ["--seed", str(request.seed)]
        options = {**request.filters, **{k: sample[k] for k in SAMPLING if k in sample}}
        for name, value in options.items():
            parts += [f"--{name.replace('_', '-')}", f"{value:.12g}" if isinstance(value, float) else str(value)]
        return shlex.join([*parts, "--out", "digits"])


SAMPLING = ("sampler", "steps", "guidance", "clip_guidance")


class State(NamedTuple):
    """How far an export is. `stage` is "drawing" or "judging"; a `round` is what was drawn last."""

    stage: str
    done: int
    total: int
    synthesis: Synthesis
    round: Round | None = None


Writing = Callable[[int, int], None]  # (digits written, digits in all)


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
        tally = Tally(len(job.request.weights))
        for path in blocks:
            if tally.full:
                break
            tally.add(read_block(path))
            yield State("judging", int(tally.count.sum()), min(job.request.count, 10 * BLOCK), synthesis)
        _write(job, work, blocks, record(job, synthesis, tally), writing)
        _move(work / SET, out)
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
# The folder.


def prepared(out: Path, plan: dict) -> bool:
    """Whether there is something to do in `out`, which then holds the plan. `UserError` where it cannot be done."""
    try:
        if (out / RECORD).is_file():
            _same(out, plan, read_json(out / RECORD), "an export")
            shutil.rmtree(out / WORK, ignore_errors=True)
            return False
        work = out / WORK
        if (work / PLAN).is_file():
            _same(out, plan, read_json(work / PLAN), "an unfinished export")
            return True
        if out.is_dir() and any(path.name != WORK for path in out.iterdir()):
            raise UserError(f"{out} is not empty. Remove it, or give another --out.")
        work.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(out).free < BYTES * plan["count"]:
            raise UserError(f"Less than {BYTES * plan['count'] >> 20:,} MB are free at {out}. Make room first.")
        with atomic_file(work / PLAN) as beside:
            beside.write_text(json.dumps(plan, indent=1) + "\n")
    except OSError as error:
        raise UserError(f"{out} cannot be written to ({error.strerror}). Give another --out.") from None
    return True


def read_json(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        raise UserError(f"{path} is damaged. Remove the folder, or give another --out.") from None


def _same(out: Path, plan: dict, there: dict, what: str) -> None:
    """`UserError` that says in what the export that is there differs."""
    for key, value in plan.items():
        found = there.get(key)
        if found != value:
            if isinstance(value, dict) and isinstance(found, dict):
                key = next(k for k in sorted({*value, *found}) if value.get(k) != found.get(k))
                found, value = found.get(key), value.get(key)
            said = f"{out} holds {what} with {key} {found}, not {value}"
            raise UserError(f"{said}: give the same options, or another --out.")


def write_block(path: Path, block: Block) -> None:
    """Whole or not at all."""
    out = block.left_out
    arrays = {
        "images": block.images, "labels": block.labels, "seeds": block.seeds, "out_labels": out.labels,
        "out_seeds": out.seeds, "out_reasons": out.reasons, "out_values": out.values,
    }  # fmt: skip
    arrays |= {f"score_{name}": values for name, values in block.scores.items()}
    with atomic_file(path) as beside, open(beside, "wb") as file:
        np.savez_compressed(file, **{name: values.numpy() for name, values in arrays.items()})


def read_block(path: Path) -> Block:
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: torch.from_numpy(file[name]) for name in file.files}
    scores = {name.removeprefix("score_"): values for name, values in arrays.items() if name.startswith("score_")}
    out = LeftOut(*(arrays[f"out_{name}"] for name in ("labels", "seeds", "reasons", "values")))
    return Block(arrays["images"], arrays["labels"], arrays["seeds"], scores, out)


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

    scores = tuple(name for name in read_block(paths[0]).scores)
    FORMATS[job.format].write(folder, DataSet(job.request.count, form, scores, blocks))
    if job.request.filters:
        _write_filtered(folder / FILTERED, tuple(job.request.filters), paths)
    (folder / CARD).write_text(to_card(said, form), encoding="utf-8")
    (folder / RECORD).write_text(json.dumps(said, indent=1, allow_nan=False) + "\n")
    for path in folder.rglob("*"):
        sync(path)


def _write_filtered(path: Path, names: tuple[str, ...], paths: list[Path]) -> None:
    """A line a digit that was left out: label, seed, the filter that refused it, what it measured."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(("label", "seed", "reason", "value"))
        for block in map(read_block, paths):
            columns = [column.tolist() for column in block.left_out[:4]]
            for label, seed, reason, value in zip(*columns, strict=True):
                lines.writerow((label, seed, names[reason], value))


def zipped(out: Path) -> bytes:
    """All files of a finished set as the bytes of a .zip, the same for the same set."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(path for path in out.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(out).as_posix())  # dated 1980, whatever the file says
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _move(made: Path, out: Path) -> None:
    """Put every part of the set into its place; the record, which says that all is there, comes last."""
    for path in sorted(made.iterdir(), key=lambda path: path.name == RECORD):
        target = out / path.name
        if target.is_dir():
            shutil.rmtree(target)
        os.replace(path, target)
    sync(out)
