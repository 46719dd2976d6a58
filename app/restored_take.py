"""What a visitor takes away from the Restore tab: files, and of a test image the command and the link. No gradio."""

from typing import NamedTuple

from torch import Tensor

from app import links, markup, sprites
from app.restoration import REAL, Case
from app.takeaway import downloads


class Named(NamedTuple):
    """A case that a link and a command can name: checkpoint, test image, KIND:SEVERITY."""

    key: str
    index: int
    damage: str


def taken(case: Case, images: Tensor, named: Named | None) -> str:
    """Candidates uint8 [K, C, H, W] as files; what a visitor drew, painted or uploaded is not `named`."""
    sheet = sprites.png(sprites.sheet(images, len(images)))
    files = (
        ("PNG sheet", "restored.png", sprites.data_uri(sheet)),
        ("npz", "restored.npz", sprites.npz(images, case.labels(-1), case.seeds)),
    )
    if named is None:
        return f'<div class="take">{downloads(files)}</div>'
    view = links.write(
        tab="restore", a=named.key, real=named.index, damage=named.damage, n=case.count, seed=case.seed,
        digits=None if case.label is None else (case.label,),
    )  # fmt: skip
    return (
        f'<div class="take">{downloads(files)}{markup.link_button(view)}</div>'
        f"{markup.note('The same from the command line:')}{markup.copyable(command(case, named), 'Copy the command')}"
    )


def command(case: Case, named: Named) -> str:
    """The command line that restores the same image in the same ways."""
    how = case.config
    parts = [f"python -m app restore {named.key} {REAL}{named.index} --kind {named.damage}"]
    parts += [] if case.label is None else [f"--label {case.label}"]
    parts += [f"--count {case.count} --seed {case.seed} --method {how.method} --steps {how.steps}"]
    return " ".join([*parts, f"--travel {how.travel} --out restored"])
