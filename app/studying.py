"""Does the runs of a study, each in a process of its own, and keeps a row of each in its folder. No gradio.

`rows.jsonl` is replaced whole for every row: a program that is killed leaves all rows that were done, and the same
command goes on with the others. A run that was cut short is done again from its beginning: it takes a minute.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from diffusion_core.config import to_dict
from diffusion_core.data import ROOT
from diffusion_core.errors import Interrupted, UserError
from diffusion_core.guards import locked, signals
from eval.atomic import atomic_file
from eval.study import Job, Study, jobs

STUDIES = ROOT / "studies"  # results that are shipped
ROWS, COSTS = "rows.jsonl", "cost.jsonl"  # of the runs; of `--time`
KEYS = {"variant", "seed", "made", "revision"}  # of every row
RUN = (sys.executable, "-m", "eval.study_run")
LOOK_EVERY = 0.1  # seconds between two looks at what runs
Progress = Callable[[int, int], None]


def read_rows(folder: Path) -> list[dict]:
    """The rows of the runs that are done, oldest first; `UserError` where the file is damaged."""
    path = folder / ROWS
    try:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        if not all(row.keys() >= KEYS for row in rows):
            raise ValueError("a row lacks what names it")
    except FileNotFoundError:
        return []
    except (ValueError, AttributeError) as error:
        raise UserError(f"{path} is damaged ({error}). Restore it, or delete it to start afresh.") from None
    return rows


def missing(study: Study, rows: list[dict]) -> list[Job]:
    """The runs that have no row yet. `UserError` where a row was made by other settings than the study's of now."""
    made = {(row["variant"], row["seed"]): row["made"] for row in rows}
    wanted = jobs(study)
    for job in wanted:
        if made.get((job.name, job.seed), job.made) != job.made:
            raise UserError(
                f"The row of '{job.name}', seed {job.seed}, was made by other settings than this study's. "
                "Delete its rows, or choose another --out."
            )
    return [job for job in wanted if (job.name, job.seed) not in made]


def run(study: Study, folder: Path, workers: int, progress: Progress | None = None) -> list[dict]:
    """All rows of a study, those that are missing made now, `workers` at a time; `progress(done, of)` counts those.

    `Interrupted` by Ctrl-C or SIGTERM; `UserError` where a run fails, or another process is at work in the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder), signals() as stop:
        rows = read_rows(folder)
        todo = missing(study, rows)
        for done, row in enumerate(_done(todo, folder, workers, stop), start=1):
            rows.append(row)
            _write(folder / ROWS, rows)
            if progress:
                progress(done, len(todo))
        if stop:
            raise Interrupted(stop[0])
    return rows


def _write(path: Path, rows: list[dict]) -> None:
    with atomic_file(path) as beside:
        beside.write_text("".join(json.dumps(row, allow_nan=False) + "\n" for row in rows))


def _done(todo: list[Job], folder: Path, workers: int, stop: list[int]) -> Iterator[dict]:
    """The rows of jobs as they end, until all did or somebody wants to stop. No process outlives this one."""
    waiting, running = list(reversed(todo)), []
    with tempfile.TemporaryDirectory() as scratch:
        try:
            while (waiting or running) and not stop:
                while waiting and len(running) < workers:
                    running.append(Process(waiting.pop(), Path(scratch) / str(len(waiting))))
                for process in [p for p in running if p.ended()]:
                    running.remove(process)
                    yield process.row(folder)
                time.sleep(LOOK_EVERY)
        finally:
            for process in running:
                process.kill()


class Process:
    """One run in a process of its own with one thread, out of reach of the terminal's Ctrl-C."""

    def __init__(self, job: Job, scratch: Path):
        self.job, self.scratch = job, scratch
        scratch.mkdir()
        with open(scratch / "out", "w") as out, open(scratch / "problems", "w") as problems:
            self.process = subprocess.Popen(
                [*RUN, str(scratch / "picture.png")],
                cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=out, stderr=problems,
                env=os.environ | {"OMP_NUM_THREADS": "1"}, start_new_session=True,
            )  # fmt: skip
        self.process.stdin.write(json.dumps(to_dict(job)))
        self.process.stdin.close()

    def ended(self) -> bool:
        return self.process.poll() is not None

    def row(self, folder: Path) -> dict:
        """What it printed; its picture goes into `folder`. `UserError` with its last words where it failed."""
        out, problems = ((self.scratch / name).read_text().strip().splitlines() for name in ("out", "problems"))
        if self.process.returncode or not out:
            last = problems[-1] if problems else f"exit code {self.process.returncode}"
            raise UserError(f"The run '{self.job.name}', seed {self.job.seed}, failed: {last}")
        if self.job.seed == 0:
            shutil.move(self.scratch / "picture.png", folder / picture(self.job.name))
        return json.loads(out[-1])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def picture(variant: str) -> str:
    """The name of the file with the first digits of a variant."""
    return "".join(c if c.isalnum() or c in ".-" else "-" for c in variant) + ".png"
