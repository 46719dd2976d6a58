"""What keeps a training folder safe: it can be written, by one process, and signals let a step finish."""

import fcntl
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from diffusion_core import checkpoint as checkpoints
from diffusion_core.checkpoint import write_synced
from diffusion_core.errors import UserError
from diffusion_core.resume import FILE as RESUME_FILE

NEEDED_BYTES = 256 << 20


def check_folder(folder: Path, must_resume: bool) -> None:
    """`UserError` if a run cannot start or go on in `folder`: nothing to resume, in the way, not writable, full."""
    resumable = (folder / RESUME_FILE).exists()
    if must_resume and not resumable:
        raise UserError(f"{folder} holds no run to resume. Leave out --resume to start one.")
    if not resumable and (folder / checkpoints.MANIFEST).exists():
        raise UserError(
            f"{folder} holds a finished checkpoint without its resume state. Choose another --out; --start goes on "
            "with a checkpoint's weights."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_synced(folder / ".probe", b"")
        (folder / ".probe").unlink()
    except OSError as error:
        raise UserError(f"{folder} cannot be written to ({error.strerror}).") from None
    if shutil.disk_usage(folder).free < NEEDED_BYTES:
        raise UserError(f"Less than {NEEDED_BYTES >> 20} MB are free at {folder}. Make room first.")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One process a folder. The kernel drops the lock when its holder dies, so none is ever stale."""
    with open(folder / ".lock", "a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise UserError(f"Process {file.read().strip()} is at work in {folder} already.") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


@contextmanager
def signals() -> Iterator[list[int]]:
    """The first SIGTERM or Ctrl-C lands in the list; a second one acts as usual."""
    caught: list[int] = []
    before = {}

    def note(signum: int, _frame) -> None:
        caught.append(signum)
        for one, handler in before.items():
            signal.signal(one, handler)

    for signum in (signal.SIGTERM, signal.SIGINT):
        before[signum] = signal.signal(signum, note)
    try:
        yield caught
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
