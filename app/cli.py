"""The command line: `python -m app COMMAND`.

A user's mistake ends with exit code 2 and one line, a check that found problems with 1; SIGTERM with 143,
Ctrl-C with 130. With `--json` the last line of the output is one JSON object. What a command imports, it
imports when it runs: the help answers at once.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from diffusion_core.errors import Interrupted, UserError

SIGNAL_EXIT = 128  # a shell's convention: 128 + the number of the signal


class Parser(argparse.ArgumentParser):
    """argparse, but a mistake is one line."""

    def error(self, message: str):
        raise UserError(f"{message} (see: {self.prog} --help)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    try:
        arguments = build_parser().parse_args(argv)
        from app import commands  # torch comes with it: not before the arguments are known to be good

        result = getattr(commands, arguments.command)(arguments)
        if arguments.json:
            print(json.dumps(result, allow_nan=False), flush=True)
        return 1 if result.get("problems") else 0
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, such as `head`, has seen enough; Python would complain at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"error: {error.filename or 'system'}: {error.strerror or error}", file=sys.stderr)
        return 2
    except Interrupted as stopped:
        print(f"\n{stopped}; the same command goes on from here", file=sys.stderr)
        return SIGNAL_EXIT + stopped.signum
    except KeyboardInterrupt:
        return SIGNAL_EXIT + 2


def build_parser() -> Parser:
    """The whole command line, one sub-parser a command."""
    parser = Parser(prog="python -m app", description="Train, sample and judge small diffusion models, class by class.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, help: str) -> Parser:
        sub = commands.add_parser(name, help=help, description=help)
        sub.add_argument("--json", action="store_true", help="print one JSON object as the last line")
        return sub

    _add_training(command)
    _add_drawing(command)
    _add_judging(command)
    _add_serving(command)
    return parser


def _add_training(command: Callable[[str, str], Parser]) -> None:
    """What makes checkpoints, and of what."""
    from app.dataset_command import add_arguments as add_dataset

    add_dataset(command("dataset", "Get the images of a data set, or make one of any folder of images."))

    train = command("train", "Train a checkpoint; the same command again goes on where it stopped.")
    what = train.add_mutually_exclusive_group()
    what.add_argument("--preset", default="mnist", help="network and training config (default: mnist)")
    what.add_argument("--start", metavar="CHECKPOINT", help="go on with a checkpoint, by default as long again")
    where = "folder of the checkpoint (default: checkpoints/PRESET, or checkpoints/START-longer)"
    train.add_argument("--out", type=Path, help=where)
    often = "judge it so often (0: never; default: 50,000, where the data set has judges)"
    train.add_argument("--look-every", type=int, metavar="IMAGES", help=often)
    train.add_argument("--patience", type=int, metavar="LOOKS", help="end after so many looks that were no better")
    _add_sitting(train)

    distill = command("distill", "Make a student that needs one to four network calls; resumes like train.")
    distill.add_argument("teacher", help="name under checkpoints/, or a folder")
    distill.add_argument("--out", type=Path, help="folder of the student (default: checkpoints/TEACHER-turbo)")
    _add_sitting(distill)

    tune = command("finetune", "Tune a checkpoint by a reward until its guard says stop; resumes like train.")
    tune.add_argument("parent", help="name under checkpoints/, or a folder")
    tune.add_argument("--reward", default="clip", help="clip, clip-raw or clip+selector (default: clip)")
    tune.add_argument("--method", default="draft", help="draft, refl, ddpo or weighted (default: draft)")
    tune.add_argument("--last", type=int, default=6, help="network calls that the gradient goes through (default: 6)")
    tune.add_argument("--distance", type=float, default=300.0, help="price of leaving the parent (default: 300)")
    tune.add_argument("--focus", type=float, default=0.5, help="share of images drawn by need (default: 0.5)")
    tune.add_argument(
        "--guard-clip", metavar="NAME", help="another CLIP that watches: an open_clip TAG/WEIGHTS, or a folder"
    )
    tune.add_argument("--unguarded", dest="guarded", action="store_false", help="go on whatever is lost, to see it")
    tune.add_argument("--out", type=Path, help="folder of the checkpoint (default: checkpoints/PARENT-REWARD)")
    _add_sitting(tune)


def _add_drawing(command: Callable[[str, str], Parser]) -> None:
    """What is done with them."""
    from app.export_command import add_arguments as add_export
    from app.play_command import add_arguments as add_play
    from app.restore_command import add_arguments as add_restore
    from app.sampling import add_sampling

    sample = command("sample", "Draw images from a checkpoint into an .npz file or a folder of PNG files.")
    sample.add_argument("checkpoint", help="name under checkpoints/, or a folder")
    sample.add_argument("--labels", type=_labels, help="numbers of the classes to draw, such as 5,6 (default: all)")
    sample.add_argument("--per-class", type=int, default=10, help="images of each class (default: 10)")
    sample.add_argument(
        "--write", metavar="NUMBER", help="a number such as 2026, its digits in order (checkpoints of digits)"
    )
    sample.add_argument("--seed", type=int, default=0, help="first seed (default: 0)")
    sample.add_argument("--out", type=Path, required=True, help="FILE.npz, or a folder for PNG files")
    add_sampling(sample)

    export = command("export", "Write a synthetic data set of any size, filtered; the same command goes on with it.")
    add_export(export)
    add_sampling(export)

    add_restore(command("restore", "Restore a damaged image: several ways it may have been."))
    add_play(command("play", "Walks between classes, a text in one hand, a poster."))


def _add_judging(command: Callable[[str, str], Parser]) -> None:
    """What says how good they are."""
    from app.sampling import add_sampling
    from app.study_command import add_arguments as add_study

    score = command("score", "Judge a checkpoint, anybody's images, or the real test images; writes a report.")
    score.add_argument(
        "source",
        help='a checkpoint; a folder of images; .npz, .parquet or IDX; a diffusers folder; module:function; "real"',
    )
    score.add_argument("--per-class", type=int, help="images of each class (default: 100; files and real: all)")
    score.add_argument("--seed", type=int, default=0, help="first seed (default: 0)")
    score.add_argument(
        "--data", default="mnist", metavar="NAME", help='data set of files and of "real" (default: mnist)'
    )
    score.add_argument("--clip", default="small", help='"small" (shipped), an open_clip TAG/WEIGHTS, or a folder')
    score.add_argument("--cas", action="store_true", help="also train classifiers on the images (takes minutes)")
    score.add_argument("--out", type=Path, help="folder of the report (default: checkpoints/NAME/reports/ID)")
    add_sampling(score)

    compare = command("compare", "Compare two checkpoints or reports, image by image where they share seeds.")
    compare.add_argument("a", help="a report's folder, or a checkpoint with exactly one or a matching report")
    compare.add_argument("b", help="the same; differences are b minus a")
    compare.add_argument("--out", type=Path, help="folder to write comparison.json into")

    add_study(command("study", "Train a small grid and hold a claim against it; the same command goes on with it."))

    info = command("info", "Say what a checkpoint or a report holds.")
    info.add_argument("path", help="name of a checkpoint, or a folder of a checkpoint or report")


def _add_serving(command: Callable[[str, str], Parser]) -> None:
    """The page, here and elsewhere."""
    serve = command("serve", "Show the page in a browser.")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    serve.add_argument("--port", type=int, default=7860, help="port (default: 7860)")

    space = command("space", "Put the folder of a Hugging Face Space together, check it, and start it once.")
    space.add_argument("--out", type=Path, required=True, help="a new or empty folder for it")
    space.add_argument("--push", metavar="OWNER/NAME", help="upload it, too, if nothing is wrong; needs a token")
    space.add_argument("--no-start", dest="start", action="store_false", help="do not start its demo.py")


def _add_sitting(parser: Parser) -> None:
    """Where a run of training ends, and whether it may begin."""
    end = parser.add_mutually_exclusive_group()
    end.add_argument("--minutes", type=float, help="of training, over all sittings (default: the preset's own)")
    end.add_argument("--images", type=int, help="stop after this many training examples")
    parser.add_argument("--resume", action="store_true", help="fail if there is nothing to go on with")


def _labels(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of class numbers such as 5,6") from None
