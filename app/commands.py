"""What each command does. Every function takes the parsed arguments, prints for people unless
`--json` was given, and returns the JSON object. Those that are longer have files of their own."""

from argparse import Namespace
from dataclasses import replace
from pathlib import Path

from app.compare_command import compare as compare
from app.dataset_command import dataset as dataset
from app.export_command import export as export
from app.play_command import play as play
from app.restore_command import restore as restore
from app.sampling import is_given, lead_of, sample_config
from app.study_command import study as study
from app.terminal import Bar, describe_report, say
from app.train_command import distill as distill
from app.train_command import finetune as finetune
from app.train_command import train as train
from diffusion_core import checkpoint as checkpoints
from diffusion_core.config import to_dict
from diffusion_core.errors import UserError
from eval.sources import CHECKPOINTS, CheckpointSource, checkpoint_folder, open_source

PER_CLASS = 100
DRAWN = ("checkpoint", "diffusers", "callable")  # sources that draw any number of images


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
