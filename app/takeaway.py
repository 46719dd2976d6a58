"""What a visitor takes away from the Generate tab: files, a command, a link. No gradio."""

from collections.abc import Iterable, Sequence

from torch import Tensor

from app import links, markup, sprites
from diffusion_core.config import SampleConfig
from diffusion_core.data import DataSpec


def takeaway(
    key: str, data: DataSpec, labels: Tensor, seeds: Tensor, config: SampleConfig, clip: float, images: Tensor,
    seed: int, written: bool = False, frames: Sequence[Tensor] = (),
) -> str:  # fmt: skip
    """Downloads, the command that draws the same images, and a link to this view."""
    classes = tuple(labels.tolist() if written else labels.unique().tolist())
    count = len(labels) // len(classes)
    which = f"--labels {','.join(map(str, classes))} --per-class {count}"
    if written:
        which = f"--write {''.join(map(str, classes))}"
    command = sample_command(key, which, config, clip, seed, f"{data.nouns}.npz")
    columns = len(classes) if len(classes) > 1 else count
    files = (
        ("PNG sheet", f"{data.nouns}.png", sprites.data_uri(sprites.png(sprites.sheet(images, columns)))),
        ("npz", f"{data.nouns}.npz", sprites.npz(images, labels, seeds)),
    )
    if len(frames) > 1:
        for kind in ("gif", "webp"):
            film = sprites.data_uri(sprites.animation(list(frames), columns, kind.upper()), f"image/{kind}")
            files += ((kind.upper(), f"{data.nouns}.{kind}", film),)
    what = {"write": "".join(map(str, classes))} if written else {"digits": classes, "n": count}
    link = links.write(tab="generate", a=key, **what, seed=seed)
    return (
        f'<div class="take">{downloads(files)}{markup.link_button(link)}</div>'
        f"<p class='note'>The same {data.nouns} from the command line:</p>"
        f"{markup.copyable(command, 'Copy the command')}"
    )


def downloads(files: Iterable[tuple[str, str, str]]) -> str:
    """A button for each (title, file name, data URI)."""
    return "".join(
        f'<a class="quiet" download="{name}" href="{uri}">Download {title}</a>' for title, name, uri in files
    )


def sample_command(key: str, which: str, config: SampleConfig, clip: float, seed: int, out: str) -> str:
    """The command line that draws the same images; `clip` is the scale of guidance by CLIP."""
    led = f"--clip-guidance {clip:g} " if clip else ""
    return (
        f"python -m app sample {key} {which} --sampler {config.sampler} --steps {config.steps} "
        f"--guidance {config.guidance:g} {led}--seed {seed} --out {out}"
    )
