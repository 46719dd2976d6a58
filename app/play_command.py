"""`python -m app play walk | write | poster`: its arguments, and what it does with them. Light to import: no torch."""

import argparse
import re
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from diffusion_core.errors import UserError

FORMATS = {"walk": (".png", ".gif", ".webp"), "write": (".png", ".svg"), "poster": (".png", ".svg")}
MAX_FRAMES = 240


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the three sub-commands; the suffix of --out chooses the format."""
    what = parser.add_subparsers(dest="what", required=True, metavar="WHAT")

    def sub(name: str, help: str) -> argparse.ArgumentParser:
        found = what.add_parser(name, help=help, description=help)
        found.add_argument("checkpoint", help="name under checkpoints/, or a folder")
        told = "print one JSON object as the last line"
        found.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=told)
        found.add_argument("--out", type=Path, required=True, help=f"FILE with {' or '.join(FORMATS[name])}")
        return found

    walk = sub("walk", "From one class to another, or along guidance: a strip (.png) or a film (.gif, .webp).")
    walk.add_argument("--from", dest="one", type=_named, default=(5, 0), metavar="CLASS:SEED", help="default: 5:0")
    end = walk.add_mutually_exclusive_group(required=True)
    end.add_argument("--to", type=_named, metavar="CLASS:SEED", help="another class, another seed, or both")
    end.add_argument("--guidance", type=_range, metavar="LOW:HIGH", help="the same class along guidance, such as 0:4")
    walk.add_argument("--frames", type=int, default=24, help="images on the way (default: 24)")

    write = sub("write", "A date, a phone number or a plate in one hand: .png or .svg.")
    write.add_argument("text", help="digits and blanks . - / : + (with a minus first, put -- before it)")
    write.add_argument("--seed", type=int, default=0, help="which hand (default: 0)")
    write.add_argument("--like", type=Path, metavar="IMAGE", help="a picture of one digit whose style is taken")
    write.add_argument("--like-label", type=int, metavar="DIGIT", help="the digit in it (default: as it is read)")
    write.add_argument("--variation", type=float, help="0: equal digits are copies, 1: no common style (default: 0.15)")

    poster = sub("poster", "Up to a thousand images, from light to dark or spelling a big digit: .png or .svg.")
    poster.add_argument("--size", type=_size, default=(40, 25), metavar="COLUMNSxROWS", help="default: 40x25")
    poster.add_argument("--number", type=int, metavar="DIGIT", help="the digit that they spell")
    poster.add_argument("--seed", type=int, default=0, help="first seed (default: 0)")


def play(arguments: Namespace) -> dict:
    """Draw what was asked for into a file, whole or not at all."""
    from app.terminal import say
    from diffusion_core.checkpoint import load
    from eval.atomic import atomic_file
    from eval.sources import checkpoint_folder

    out = arguments.out
    if out.suffix.lower() not in FORMATS[arguments.what]:
        raise UserError(f"{out}: the result is a file with {' or '.join(FORMATS[arguments.what])}.")
    if out.is_dir() or not out.parent.is_dir():
        raise UserError(f"{out} cannot be written: {out.parent} is not a folder, or {out} is one.")
    data, told = MAKERS[arguments.what](load(checkpoint_folder(arguments.checkpoint)), arguments)
    with atomic_file(out) as beside:
        beside.write_bytes(data)
    say(arguments, f"{told}: {out}")
    return {"out": str(out), "what": arguments.what, "bytes": len(data)}


def _walk(model, arguments: Namespace) -> tuple[bytes, str]:
    from app import morph

    if not 2 <= arguments.frames <= MAX_FRAMES:
        raise UserError(f"--frames must be from 2 to {MAX_FRAMES}, not {arguments.frames}.")
    images = morph.walked(model, arguments.one, arguments.to, arguments.guidance, arguments.frames)
    kind = arguments.out.suffix.lower()
    data = morph.strip(images) if kind == ".png" else morph.film(images, kind[1:].upper())
    return data, f"A walk of {len(images)} images"


def _write(model, arguments: Namespace) -> tuple[bytes, str]:
    from app import hand

    if not model.spec.strokes:
        raise UserError(f"'{model.name}' draws no digits, and only digits can be written.")
    text, label = hand.checked(arguments.text), arguments.like_label
    variation = hand.VARIATION if arguments.variation is None else arguments.variation
    if arguments.like is None:
        if label is not None:
            raise UserError("--like-label says which digit is in the picture of --like: give both.")
        style = hand.style_of_seed(arguments.seed, model.spec.shape)
    else:
        from app import pad
        from app.judging import Judges

        image = pad.fitted(pad.decoded(_read(arguments.like)))
        label = int(Judges(str).read(image, model.spec.name).argmax()) if label is None else label
        style = hand.style_of_example(model, image, label, arguments.seed)
    line = hand.write(model, text, style, arguments.seed, variation)
    data = hand.png(line) if arguments.out.suffix.lower() == ".png" else hand.svg(line).encode()
    return data, f"'{text}'" + (f" like a {label}" if arguments.like else "")


def _poster(model, arguments: Namespace) -> tuple[bytes, str]:
    from app import poster
    from app.terminal import Bar

    if arguments.out.suffix.lower() == ".svg" and not model.spec.strokes:
        raise UserError("Outlines (.svg) are for what is drawn with strokes. Write a .png.")
    with Bar(arguments, "drawing") as progress:
        for drawn in poster.draw(model, *arguments.size, arguments.seed, arguments.number):
            progress(drawn.done, len(drawn.images))
    data = poster.png(drawn) if arguments.out.suffix.lower() == ".png" else poster.svg(drawn).encode()
    return data, f"{len(drawn.images):,} {model.spec.nouns}"


MAKERS: dict[str, Callable[..., tuple[bytes, str]]] = {"walk": _walk, "write": _write, "poster": _poster}


def _read(path: Path) -> bytes:
    from app.pad import MAX_BYTES

    with open(path, "rb") as file:  # a missing one is told by the command line
        return file.read(MAX_BYTES + 1)


def _named(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,3}):(\d{1,10})", text, re.ASCII)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is not the number of a class and a seed such as 5:0")
    return int(found[1]), int(found[2])


def _range(text: str) -> tuple[float, float]:
    try:
        low, high = map(float, text.split(":"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a range such as 0:4") from None
    return low, high


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,4})x(\d{1,4})", text, re.ASCII)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 40x25")
    return int(found[1]), int(found[2])
