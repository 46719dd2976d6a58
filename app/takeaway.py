"""What a visitor takes away from the Generate tab: files, a command, a link. No gradio."""

from collections.abc import Iterable, Sequence

from torch import Tensor

from app import links, markup, sprites
from diffusion_core.config import SampleConfig


def takeaway(
    key: str, labels: Tensor, seeds: Tensor, config: SampleConfig, clip: float, images: Tensor, seed: int,
    written: bool = False, frames: Sequence[Tensor] = (),
) -> str:  # fmt: skip
    """Downloads, the command that draws the same digits, and a link to this view."""
    digits = tuple(labels.tolist() if written else labels.unique().tolist())
    count = len(labels) // len(digits)
    which = f"--labels {','.join(map(str, digits))} --per-class {count}"
    if written:
        which = f"--write {''.join(map(str, digits))}"
    command = sample_command(key, which, config, clip, seed, "digits.npz")
    columns = len(digits) if len(digits) > 1 else count
    files = (
        ("PNG sheet", "digits.png", sprites.data_uri(sprites.png(sprites.sheet(images, columns)))),
        ("npz", "digits.npz", sprites.npz(images, labels, seeds)),
    )
    if len(frames) > 1:
        for kind in ("gif", "webp"):
            film = sprites.data_uri(sprites.animation(list(frames), columns, kind.upper()), f"image/{kind}")
            files += ((kind.upper(), f"digits.{kind}", film),)
    what = {"write": "".join(map(str, digits))} if written else {"digits": digits, "n": count}
    link = links.write(tab="generate", a=key, **what, seed=seed)
    return (
        f'<div class="take">{downloads(files)}{markup.link_button(link)}</div>'
        f"<p class='note'>The same digits from the command line:</p>{markup.copyable(command, 'Copy the command')}"
    )


def downloads(files: Iterable[tuple[str, str, str]]) -> str:
    """A button for each (title, file name, data URI)."""
    return "".join(
        f'<a class="quiet" download="{name}" href="{uri}">Download {title}</a>' for title, name, uri in files
    )


def sample_command(key: str, which: str, config: SampleConfig, clip: float, seed: int, out: str) -> str:
    """The command line that draws the same digits; `clip` is the scale of guidance by CLIP."""
    led = f"--clip-guidance {clip:g} " if clip else ""
    return (
        f"python -m app sample {key} {which} --sampler {config.sampler} --steps {config.steps} "
        f"--guidance {config.guidance:g} {led}--seed {seed} --out {out}"
    )
