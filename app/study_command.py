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
    parser.add_argument("--time", action="store_true", help="only time its variants; nothing else may run")


def study(arguments: Namespace) -> dict:
    """Run one, or list them; returns what was found."""
    from app import studying
    from app.terminal import Bar, say
    from eval import studies, study_results

    if arguments.name is None:
        return listed(arguments)
    chosen = studies.study(arguments.name)
    if arguments.workers < 1:
        raise UserError(f"--workers must be at least 1, not {arguments.workers}.")
    out = arguments.out or studying.STUDIES / chosen.name
    if arguments.time:
        return timed(arguments, chosen, out)
    with Bar(arguments, f"study {chosen.name}", "run") as progress:
        rows = studying.run(chosen, out, arguments.workers, progress)
    study_results.write(chosen, rows, out)
    found = chosen.conclude(rows)
    say(arguments, f"{chosen.claim} Verdict: {found.verdict}.", *found.sentences, f"Table, rows, pictures: {out}")
    return {"out": str(out), "study": chosen.name, "rows": len(rows), **found._asdict()}


def timed(arguments: Namespace, chosen, out: Path) -> dict:
    """What a training step and a digit take, variant by variant."""
    from app import study_cost
    from app.terminal import Bar, say

    with Bar(arguments, f"timing {chosen.name}", "variant") as progress:
        rows = study_cost.measure(chosen, out, progress)
    for row in rows:
        step = "" if row["step_ms"] is None else f"{row['step_ms']:8.1f} ms a step"
        say(arguments, f"{row['variant']:32} {step} {row['digit_ms']:8.2f} ms a digit")
    return {"out": str(out), "study": chosen.name, "cost": rows}


def listed(arguments: Namespace) -> dict:
    """Every study and how far it is, in `--out` or where they are shipped."""
    from app import studying
    from app.terminal import say
    from eval.studies import STUDIES
    from eval.study import jobs

    states = {}
    for name, one in STUDIES.items():
        rows, total = studying.read_rows((arguments.out or studying.STUDIES) / name), len(jobs(one))
        verdict = one.conclude(rows).verdict if len(rows) == total else f"{len(rows)} of {total} runs"
        states[name] = {"runs": total, "done": len(rows), "verdict": verdict if len(rows) == total else None}
        say(arguments, f"{name:13} {verdict:16} {one.claim}")
    return {"studies": states}
