"""`python -m app export`: its arguments, and what it does with them. Torch comes with the work, not before."""

import argparse
import math
from argparse import Namespace
from pathlib import Path

from diffusion_core.errors import Interrupted, UserError

FILTERS = {  # options by filter of eval/filters.py
    "confidence": ("P", "the judge selector gives the class at least this probability, such as .9"),
    "clip_margin": ("M", "CLIP's margin is at least this, such as .2"),
    "from_training": ("X", "so far from training images; 1 is usual for a real one, .5 leaves out near copies"),
    "diversity": ("X", "so far from every image of its class that was kept before, in the same unit"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """All of them but how images are sampled."""
    parser.add_argument("checkpoint", help="name under checkpoints/, or a folder")
    parser.add_argument("--count", type=int, required=True, help="images in the data set, after filtering")
    parser.add_argument("--format", required=True, help="imagefolder, parquet, idx or npz")
    parser.add_argument("--out", type=Path, required=True, help="a new or empty folder, or one to go on in")
    parser.add_argument("--balance", default="equal", help='"equal" (default), "data", or parts such as 0=10,1=20')
    parser.add_argument("--seed", type=int, default=0, help="first seed (default: 0)")
    group = parser.add_argument_group("filters (default: none)")
    for name, (metavar, words) in FILTERS.items():
        option = f"--{name.replace('_', '-')}"
        group.add_argument(option, type=float, metavar=metavar, help=f"keep images where {words}")


def weights(balance: str, dataset: str = "mnist") -> tuple[float, ...]:
    """The part of each label, [K], from "equal", "data" (as in the training split) or "0=10,1=20" (others: none)."""
    from diffusion_core.data import load, spec

    classes = len(spec(dataset).class_names)
    if balance == "equal":
        return (1.0,) * classes
    if balance == "data":
        return tuple(load(dataset, "train").labels.bincount(minlength=classes).double().tolist())
    found: dict[str, float] = {}
    for part in balance.split(","):
        label, _, weight = part.partition("=")
        if label not in map(str, range(classes)) or not _is_weight(weight):
            raise UserError(f'The balance is "equal", "data" or parts such as 0=10,1=20, not {balance[:80]!r}.')
        if label in found:
            raise UserError(f"The balance names class {label} twice.")
        found[label] = float(weight)
    return tuple(found.get(str(label), 0.0) for label in range(classes))


def _is_weight(text: str) -> bool:
    try:
        return math.isfinite(float(text)) and float(text) >= 0
    except ValueError:
        return False


def export(arguments: Namespace) -> dict:
    """Run it with progress on stderr; SIGTERM and Ctrl-C leave what the same command goes on with."""
    from app.export_folder import RECORD, read_json
    from app.exporting import Job
    from app.sampling import lead_of, sample_config
    from app.terminal import say
    from diffusion_core import checkpoint as checkpoints
    from diffusion_core.guards import signals
    from eval.sources import CheckpointSource, checkpoint_folder
    from eval.synthesis import Request

    given = {name: getattr(arguments, name) for name in FILTERS if getattr(arguments, name) is not None}
    model = checkpoints.load(checkpoint_folder(arguments.checkpoint))
    balance = weights(arguments.balance, model.meta.dataset)
    request = Request(arguments.count, balance, arguments.seed, given)
    config = sample_config(model.meta.sample, arguments)
    source = CheckpointSource(model, config, lead_of(arguments.clip_guidance, model.meta.dataset))
    job = Job(source, request, arguments.format).validate()
    with signals() as stop:
        run(arguments, job, stop)
    record = read_json(arguments.out / RECORD)
    tried = sum(row["tried"] for row in record["labels"])
    say(arguments, f"{job.request.count:,} {model.spec.nouns} of {tried:,} drawn, with a card: {arguments.out}")
    return {"out": str(arguments.out), **record}


def run(arguments: Namespace, job, stop: list[int]) -> None:
    """Export with a bar for each stage; `Interrupted` as soon as there is a signal in `stop`."""
    from contextlib import ExitStack

    from app.exporting import export
    from app.terminal import Bar

    with ExitStack() as stack:
        bars: dict[str, Bar] = {}

        def show(stage: str, done: int, total: int, left_out: int | None = None) -> None:
            if stage not in bars:
                bars[stage] = stack.enter_context(Bar(arguments, stage))
                bars[stage].bar.initial = bars[stage].bar.n = done  # what an earlier sitting drew took no time now
            bars[stage](done, total)
            if left_out:
                bars[stage].bar.set_postfix(left_out=left_out, refresh=False)
            if stop:
                raise Interrupted(stop[0])

        for state in export(job, arguments.out, writing=lambda done, total: show("writing", done, total)):
            show(state.stage, state.done, state.total, int(state.synthesis.refused.sum()))
