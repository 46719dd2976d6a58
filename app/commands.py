"""What each command does. Every function takes the parsed arguments, prints for people unless
`--json` was given, and returns the JSON object."""

import json
from argparse import Namespace
from dataclasses import replace
from functools import partial
from pathlib import Path

from app.dataset_command import dataset as dataset  # five commands whose arguments stand beside them
from app.export_command import export as export
from app.play_command import play as play
from app.restore_command import restore as restore
from app.sampling import is_given, lead_of, sample_config
from app.study_command import study as study
from app.terminal import Bar, describe_comparison, describe_report, say
from diffusion_core import checkpoint as checkpoints
from diffusion_core.config import to_dict
from diffusion_core.errors import UserError
from eval.sources import CHECKPOINTS, CheckpointSource, checkpoint_folder, open_source

PER_CLASS = 100
EVERY = 50_000  # images between two looks at a training
DRAWN = ("checkpoint", "diffusers", "callable")  # sources that draw any number of images


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


def sample(arguments: Namespace) -> dict:
    from diffusion_core.generate import generate
    from diffusion_core.noise import plan, written

    model = checkpoints.load(checkpoint_folder(arguments.checkpoint))
    config = sample_config(model.meta.sample, arguments)
    names = model.spec.class_names
    if arguments.write is None:
        labels, seeds = plan(arguments.per_class, arguments.seed, len(names), arguments.labels)
    else:
        labels, seeds = written(arguments.write, arguments.seed, names)
    check_writable(arguments.out)
    with Bar(arguments, "drawing") as progress:
        images = generate(
            model, labels, seeds, config, progress, lead=lead_of(arguments.clip_guidance, model.meta.dataset)
        )
    write_images(arguments.out, images, labels, seeds)
    say(arguments, f"{len(images):,} {model.spec.nouns} from '{model.name}': {arguments.out}")
    return {"out": str(arguments.out), "count": len(images), "checkpoint": model.name, "sample": to_dict(config)}


def score(arguments: Namespace) -> dict:
    from eval.details import with_accuracy_score
    from eval.outputs import write_outputs
    from eval.run import evaluate
    from eval.scorers import load_scorers

    source = open_source(arguments.source, dataset=arguments.data)
    if source.kind == "checkpoint" and is_given(arguments):
        lead = lead_of(arguments.clip_guidance, source.info.dataset)
        source = CheckpointSource(source.checkpoint, sample_config(source.sample, arguments), lead)
    elif is_given(arguments):
        raise UserError("Sampling options apply to checkpoints only.")
    per_class = arguments.per_class
    if per_class is None and source.kind in DRAWN:
        per_class = PER_CLASS
    scorers = load_scorers(clip=arguments.clip, dataset=source.info.dataset)
    with Bar(arguments, "drawing and judging") as progress:
        report = evaluate(source, scorers, per_class, arguments.seed, progress)
    if arguments.cas:
        with Bar(arguments, "training classifiers", "step") as progress:
            report = with_accuracy_score(report, progress)
    out = arguments.out or report_folder(source, arguments.source, report)
    report.save(out)
    write_outputs(report, out)
    if arguments.out is None and source.kind == "checkpoint":
        note_scores(checkpoint_folder(arguments.source), report)
    say(arguments, describe_report(report), f"Report: {out}")
    return {"out": str(out), **report.to_dict()}


def compare(arguments: Namespace) -> dict:
    from eval.compare import compare as compare_reports

    a, b = find_pair(arguments.a, arguments.b)
    comparison = compare_reports(a, b)
    result = comparison.to_dict() | side_by_side(a, b)
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        text = json.dumps(result, indent=1, allow_nan=False) + "\n"
        checkpoints.write_synced(arguments.out / "comparison.json", text.encode())
    say(arguments, describe_comparison(comparison, result))
    return result


def side_by_side(a, b) -> dict:
    """What only pairs of images can show, as JSON: flips and matrices by judge, the nearest and farthest pairs."""
    from eval.pairs import are_pairs, config_difference, flips, matrix_difference, nearest_farthest

    found = {"config": [list(row) for row in config_difference(a, b)]}
    if not are_pairs(a, b):
        return found
    judges = [judge for judge in a.confusions if judge in b.confusions]

    def listed(sides) -> dict:
        return {name: [entry._asdict() for entry in entries] for name, entries in sides._asdict().items()}

    return found | {
        "flips": {judge: listed(flips(a, b, judge)) for judge in judges},
        "matrix_difference": {judge: matrix_difference(a, b, judge) for judge in judges},
        "pairs": listed(nearest_farthest(a, b)),
    }


def info(arguments: Namespace) -> dict:
    from eval.report import load as load_report

    path = Path(arguments.path)
    if (path / "report.json").is_file():
        report = load_report(path)
        say(arguments, describe_report(report))
        return report.to_dict()
    meta = checkpoints.read_meta(checkpoint_folder(arguments.path))
    result = to_dict(meta)
    lines = [f"{key:14} {value}" for key, value in result.items() if value not in (None, "", [], {}, ())]
    say(arguments, *lines)
    return result


def serve(arguments: Namespace) -> dict:
    from app.build import launch

    if not 0 < arguments.port < 65536:
        raise UserError(f"The port must be from 1 to 65535, not {arguments.port}.")
    say(arguments, f"Open http://{arguments.host}:{arguments.port} (Ctrl-C ends it)")
    launch(arguments.host, arguments.port, CHECKPOINTS)
    return {}


def space(arguments: Namespace) -> dict:
    from app.space import assemble, locked, start
    from app.space_checks import problems
    from app.space_push import push, token_for
    from diffusion_core.data import ROOT

    token = token_for(arguments.push) if arguments.push else None
    gradio = locked(ROOT, "gradio")
    result = {"out": str(arguments.out), "files": assemble(ROOT, arguments.out)}
    say(arguments, f"{result['files']:,} files: {arguments.out}")
    found = problems(arguments.out, gradio)
    if arguments.start and not found:
        result["seconds"], found = start(arguments.out)
        say(arguments, *[f"demo.py answered after {result['seconds']} s."] * (not found))
    say(arguments, *([f"problem: {line}" for line in found] or ["Nothing is wrong with it."]))
    if arguments.push and not found:
        result["url"] = push(arguments.out, arguments.push, token)
        say(arguments, f"Pushed: {result['url']}")
    return result | {"problems": found}


# ---------------------------------------------------------------------------
# Finding things.


def report_folder(source, name: str, report) -> Path:
    """Beside the checkpoint it judges; reports of other images and of real ones under checkpoints/NAME."""
    if source.kind == "real" and report.plan["per_class"] is None:
        from eval.run import reference_folder

        return reference_folder(source, report.scorers)  # where every other report looks for its ceiling
    owner = checkpoint_folder(name) if source.kind == "checkpoint" else CHECKPOINTS / source.name
    return owner / "reports" / report.id


def note_scores(folder: Path, report) -> None:
    """Write a report's overall metrics into the manifest, if they were measured at the recommended settings."""
    meta = checkpoints.read_meta(folder)
    if to_dict(meta.sample) == report.source.sample:
        overall = {name: estimate.to_dict() for name, estimate in report.metrics["overall"].items()}
        checkpoints.save_meta(folder, replace(meta, scores={"report": report.id, **overall}))


def find_pair(a: str, b: str) -> tuple:
    """Two reports: folders as they are; of checkpoints, the largest plan that both have in common, and of one plan the
    report that was drawn as the checkpoint recommends."""
    options = [_reports(name) for name in (a, b)]
    plans = [{_plan(report): report for report in found} for found in options]
    if len(options[0]) == len(options[1]) == 1:
        return tuple(next(iter(p.values())) for p in plans)
    common = sorted(plans[0].keys() & plans[1].keys())
    if not common:
        said = "; ".join(f"'{name}' has {_named(found)}" for name, found in ((a, plans[0]), (b, plans[1])))
        raise UserError(f"There are no reports on the same plan: {said}. Score both with the same options.")
    return plans[0][common[-1]], plans[1][common[-1]]


def _reports(name: str) -> list:
    """Those drawn as the checkpoint recommends come last."""
    from eval.report import load as load_report
    from eval.report import saved

    if (Path(name) / "report.json").is_file():
        return [load_report(Path(name))]
    folder = CHECKPOINTS / "real" if name == "real" else checkpoint_folder(name)
    found = saved(folder / "reports")
    if not found:
        raise UserError(f"'{name}' has no report yet. Run: python -m app score {name}")
    reports = [load_report(path) for path in found]
    if name == "real":
        return reports
    own = to_dict(checkpoints.read_meta(folder).sample)
    return sorted(reports, key=lambda report: report.source.sample == own)


def _plan(report) -> tuple:
    return (report.plan["count"], report.plan["seed"], report.scorers)


def _named(plans: dict[tuple, object]) -> str:
    """ "2,000 images from seed 0 by 6 scorers, 100 images from seed 7 by 2 scorers"."""
    return ", ".join(f"{n:,} images from seed {seed} by {len(scorers)} scorers" for n, seed, scorers in sorted(plans))


# ---------------------------------------------------------------------------
# Writing.


def check_writable(out: Path) -> None:
    """Before minutes of work: the place for the result must exist."""
    if out.suffix == ".npz":
        if out.is_dir() or not out.parent.is_dir():
            raise UserError(f"{out} cannot be written: {out.parent} is not a folder, or {out} is one.")
    elif out.suffix:
        raise UserError(f"{out}: the result is a .npz file or a folder; give one of these.")


def write_images(out: Path, images, labels, seeds) -> None:
    """An .npz file, or PNG files LABEL-SEED.png in a folder."""
    from eval.npz import write_npz

    if out.suffix == ".npz":
        write_npz(out, images, labels, seeds)
        return
    from PIL import Image

    out.mkdir(parents=True, exist_ok=True)
    for image, label, seed in zip(images, labels.tolist(), seeds.tolist(), strict=True):
        pixels = image[0] if len(image) == 1 else image.permute(1, 2, 0)
        Image.fromarray(pixels.numpy()).save(out / f"{label}-{seed:06d}.png")
