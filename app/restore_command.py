"""`python -m app restore`: a damaged image, and several ways it may have been, into a folder."""

import argparse
from argparse import Namespace
from pathlib import Path

from diffusion_core.errors import UserError

AUTO = "auto"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Everything but --json."""
    parser.add_argument("checkpoint", help="name under checkpoints/, or a folder")
    parser.add_argument("image", help="an image file, a .npy file of measurements, or test:17, a real image")
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--kind", type=_kind, metavar="KIND[:SEVERITY]", help="how it is damaged, such as box:12")
    how.add_argument("--mask", type=Path, help="an image of the same size in which what is missing is white")
    how.add_argument("--matrix", type=Path, help="a .npy file: any linear damage, float [m, pixels]")
    parser.add_argument("--whole", action="store_true", help="IMAGE is whole: damage it first, and compare")
    parser.add_argument("--noise", type=_noise, help='its standard deviation, white is 1; or "auto" (default: none)')
    parser.add_argument("--label", type=int, help="number of its class (default: not known, and found out)")
    parser.add_argument("--count", type=int, default=8, help="candidates (default: 8)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first (default: 0)")
    parser.add_argument("--method", default="pigdm", help="pigdm or ddnm (default: pigdm)")
    parser.add_argument("--steps", type=int, help="noise levels (default: 20)")
    parser.add_argument("--travel", type=int, default=1, help="times each step is taken, noise added between")
    parser.add_argument("--out", type=Path, required=True, help="folder for the candidates and what was found")


def _kind(text: str) -> tuple[str, float | None]:
    name, _, severity = text.partition(":")
    try:
        return name, float(severity) if severity else None
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a KIND:SEVERITY such as box:12") from None


def _noise(text: str) -> float | str:
    try:
        return text if text == AUTO else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f'{text!r} is neither a number nor "{AUTO}"') from None


def restore(arguments: Namespace) -> dict:
    """Run it; returns what was found."""
    from app import restoration
    from app.restored_files import write
    from app.terminal import Bar, say
    from diffusion_core import checkpoint as checkpoints
    from eval.sources import checkpoint_folder

    model = checkpoints.load(checkpoint_folder(arguments.checkpoint))
    case = case_of(arguments, model)
    arguments.out.mkdir(parents=True, exist_ok=True)
    with Bar(arguments, "restoring", "step") as progress:
        for i, estimates in enumerate(restoration.candidates(model, case)):
            progress(i, case.config.steps)
            images = estimates
    likely = None if case.label is not None else restoration.which(model, images, case.seed)
    found = write(arguments.out, model, case, images, likely)
    say(arguments, *_told(found), f"{case.count} candidates of it: {arguments.out}")
    return {"out": str(arguments.out), **found}


def _told(found: dict) -> list[str]:
    read = ", ".join(f"{digit} {share:.0%}" for digit, share in found["read"].items())
    lines = [f"The classifier reads the candidates as {read}; what was recorded, as {found['recorded']['read']}."]
    if found["likely"]:
        best = sorted(enumerate(found["likely"]), key=lambda pair: -pair[1])[:3]
        lines.append("By the model it is " + ", ".join(f"{digit} ({p:.1%})" for digit, p in best) + ".")
    if "mean" in found:
        lines.append(
            "Beside the original: "
            + ", ".join(f"{name} {found[name]['psnr']:.1f} dB" for name in ("recorded", "candidate", "mean"))
            + "."
        )
    return lines


def case_of(arguments: Namespace, model):
    """The `Case` that was asked for; `UserError` for what does not fit together."""
    from app.restoration import Case
    from diffusion_core.restore import RestoreConfig

    steps = RestoreConfig().steps if arguments.steps is None else arguments.steps
    config = RestoreConfig(arguments.method, steps, arguments.travel)
    classes = model.meta.network.classes
    if arguments.label is not None and not 0 <= arguments.label < classes:
        raise UserError(f"The label must be from 0 to {classes - 1}, not {arguments.label}.")
    recorded, damage, original = _recorded(arguments, model.spec, damage_of(arguments, model.spec))
    return Case(recorded, damage, original, arguments.label, arguments.count, arguments.seed, config).validate()


def damage_of(arguments: Namespace, spec):
    """How the image is damaged."""
    from app.restoration import image_file, known_pixels
    from diffusion_core.damage import Damage, damage
    from diffusion_core.operators import Matrix

    if arguments.kind:
        return damage(*arguments.kind, spec.shape[1:], arguments.seed)
    if arguments.mask:
        return Damage(known_pixels(image_file(arguments.mask, spec)[0, 0].numpy() > 127, spec), 0.0)
    return Damage(Matrix(_array(arguments.matrix), spec.shape[1:]), 0.0)


def _recorded(arguments: Namespace, spec, damage) -> tuple:
    """(what was recorded, damage with its noise, original or None)."""
    import torch

    from app.restoration import REAL, hurt, image_file, real_image, recorded_file

    noise = None if arguments.noise == AUTO else (arguments.noise or 0.0)
    number = arguments.image.removeprefix(REAL)
    if arguments.image.startswith(REAL) and number.isdecimal():
        original, _ = real_image(int(number), spec.name)
    elif arguments.whole:
        original = image_file(Path(arguments.image), spec)
    else:
        return *_from_file(arguments, spec, damage, noise), None
    if arguments.noise == AUTO:
        raise UserError("The noise of a whole image is what is added to it: give a number.")
    _, damage = recorded_file(torch.zeros(1), damage, noise)
    return hurt(original, damage, arguments.seed), damage, original


def _from_file(arguments: Namespace, spec, damage, noise: float | None) -> tuple:
    """An image that is damaged already, or measurements from a .npy file."""
    import torch

    from app.restoration import image_file, recorded_file

    like = damage.operator.forward(torch.zeros(1, *spec.shape))
    path = Path(arguments.image)
    if path.suffix == ".npy":
        values = _array(path)
        if values.numel() != like.numel() or noise is None:
            raise UserError(f"{path.name} must hold {list(like.shape[1:])} numbers, and its noise must be given.")
        return values.view(like.shape), recorded_file(torch.zeros(1), damage, noise)[1]
    size = tuple(like.shape[2:]) if like.ndim == 4 else spec.shape[1:]
    if like[0, 0].numel() != size[0] * size[1]:
        raise UserError("What this matrix measures is not an image: give a .npy file, or a whole image and --whole.")
    pixels, damage = recorded_file(image_file(path, spec, size), damage, noise)
    return pixels.view(like.shape), damage


def _array(path: Path):
    """The numbers of a .npy file, float32."""
    import numpy as np
    import torch

    try:
        values = np.load(path, allow_pickle=False)
    except OSError as error:
        raise UserError(f"{path.name} cannot be read ({error.strerror or 'it is no .npy file'}).") from None
    except (ValueError, EOFError):
        raise UserError(f"{path.name} is not a .npy file of numbers.") from None
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu" or values.nbytes > 1 << 28:
        raise UserError(f"{path.name} is not a .npy file of numbers, or larger than 256 MB.")
    return torch.from_numpy(values.astype(np.float32))
