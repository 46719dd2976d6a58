"""The command `study`: its arguments and what it does."""

import argparse
import os
from argparse import Namespace
from pathlib import Path

from diffusion_core.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", help="which study (default: list them all with their state)")
    parser.add_argument("--out", type=Path, help="folder of its results (default: studies/NAME)")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="runs at a time (default: a core each)")


def study(arguments: Namespace) -> dict:
    """Run one, or list them; returns what was found."""
    from app import studying
    from app.terminal import Bar, say
    from eval import studies

    if arguments.name is None:
        return listed(arguments)
    chosen = studies.study(arguments.name)
    if arguments.workers < 1:
        raise UserError(f"--workers must be at least 1, not {arguments.workers}.")
    out = arguments.out or studying.STUDIES / chosen.name
    with Bar(arguments, f"study {chosen.name}", "run") as progress:
        rows = studying.run(chosen, out, arguments.workers, progress)
    found = chosen.conclude(rows)
    say(arguments, f"{chosen.claim} {found.verdict}.", *found.sentences, f"Rows: {out}")
    return {"out": str(out), "study": chosen.name, "rows": len(rows), **found._asdict()}


def listed(arguments: Namespace) -> dict:
    """Every study and how far it is."""
    from app import studying
    from app.terminal import say
    from eval.studies import STUDIES
    from eval.study import jobs

    states = {}
    for name, one in STUDIES.items():
        done, total = len(studying.read_rows(studying.STUDIES / name)), len(jobs(one))
        states[name] = {"runs": total, "done": done}
        say(arguments, f"{name:14} {done:3} of {total:3} runs  {one.claim}")
    return {"studies": states}
