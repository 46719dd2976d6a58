"""The commands that train: a checkpoint, a student, a checkpoint that follows a reward."""

from argparse import Namespace
from functools import partial
from pathlib import Path

from app.terminal import say
from diffusion_core import checkpoint as checkpoints
from diffusion_core.errors import UserError
from eval.sources import CHECKPOINTS, checkpoint_folder

EVERY = 50_000  # images between two looks at a training


def train(arguments: Namespace) -> dict:
    from diffusion_core.fit import fit
    from diffusion_core.presets import continued, preset

    start = arguments.start and checkpoints.load(checkpoint_folder(arguments.start))
    if start:
        out, chosen = arguments.out or CHECKPOINTS / f"{start.name}-longer", continued(start.meta)
    else:
        out, chosen = arguments.out or CHECKPOINTS / arguments.preset, preset(arguments.preset)
    look = looks(arguments, out, chosen.train.dataset)
    run = fit(out, chosen, *ending(arguments, chosen), arguments.resume, look=look, start=start)
    result = {"out": str(out), "images": run.trainer.images, "seconds": round(run.seconds, 1)}
    say(arguments, f"Trained on {run.trainer.images:,} images in {run.seconds / 60:.1f} minutes: {out}")
    return result


def looks(arguments: Namespace, out: Path, dataset: str):
    """How a training is judged while it goes on; None where it is not."""
    every = EVERY if arguments.look_every is None else arguments.look_every
    if every < 0 or (arguments.patience is not None and arguments.patience < 1):
        raise UserError("--look-every must be 0 or more, --patience at least 1.")
    if not every:
        return None
    from app.watch import PER_CLASS as EACH
    from app.watch import Looks
    from eval.guard import progress

    made = Looks(out, EACH, every, partial(progress, patience=arguments.patience), untrained=False)
    try:
        made.prepare(dataset)
    except UserError as missing:
        if arguments.look_every or arguments.patience:
            raise
        say(arguments, f"It is not judged while it trains: {missing}")
        return None
    return made


def ending(arguments: Namespace, preset) -> tuple[float | None, int | None]:
    """Minutes or images at which a run ends: what was asked for, else the preset's minutes."""
    if arguments.minutes is None and arguments.images is None:
        return preset.minutes, None
    return arguments.minutes, arguments.images


def distill(arguments: Namespace) -> dict:
    from diffusion_core.fit import fit
    from diffusion_core.presets import student

    teacher = checkpoints.load(checkpoint_folder(arguments.teacher))
    out = arguments.out or CHECKPOINTS / f"{teacher.name}-turbo"
    chosen = student(teacher.meta)
    run = fit(out, chosen, *ending(arguments, chosen), arguments.resume, teacher)
    result = {"out": str(out), "images": run.trainer.images, "seconds": round(run.seconds, 1)}
    say(arguments, f"A student of '{teacher.name}', {run.seconds / 60:.1f} minutes: {out}")
    return result


def finetune(arguments: Namespace) -> dict:
    from app.tuning import Request, tune
    from diffusion_core.config import TuneConfig

    parent = checkpoints.load(checkpoint_folder(arguments.parent))
    out = arguments.out or CHECKPOINTS / f"{parent.name}-{arguments.reward}"
    how = TuneConfig(arguments.reward, arguments.method, arguments.last, arguments.distance, arguments.focus)
    request = Request(
        parent, how, out, arguments.minutes, arguments.images, arguments.resume, arguments.guarded, arguments.guard_clip
    )
    result = tune(request)
    say(arguments, *result.pop("said"), f"'{parent.name}', tuned: {out}")
    return result
