"""The head of the page: what this is, over images that the models shown here drew. No gradio."""

from html import escape

from torch import Tensor

from app import classes, sprites
from app.entries import FAVOURITE, REAL, usable
from app.store import Store

COLUMNS, ROWS = 44, 2  # of the strip of one data set; of several, the first three have a row each
MOST = 3


def title(store: Store) -> str:
    """By what the first checkpoint draws: "Digits out of noise"."""
    return f"{classes.noun(next(iter(drawn(store)), FAVOURITE)).capitalize()}s out of noise"


def hero(store: Store) -> str:
    """Title and sentence, over a strip of the first images of the first report of a checkpoint of each data set."""
    shown = drawn(store)
    rows = ROWS if len(shown) == 1 else 1
    strips = "".join(_strip(images, dataset, rows) for dataset, images in shown.items())
    return f'<header class="hero"><h1>{escape(title(store))}</h1><p>{escape(says(list(shown)))}</p>{strips}</header>'


def says(datasets: list[str]) -> str:
    """One sentence: what is drawn, and why one would look at it."""
    *others, what = [classes.drawn(dataset) for dataset in datasets or [FAVOURITE]]
    if others:
        what = f"{', '.join(others)} and {what}"
        return (
            f"Small diffusion models draw {what}; judges read each one back, so you can see which classes they draw "
            "well and which they do not."
        )
    noun = classes.noun((datasets or [FAVOURITE])[0])
    return (
        f"A small diffusion model draws {what}; four judges read each one back, so you can see which {noun}s it draws "
        "well and which it does not."
    )


def drawn(store: Store) -> dict[str, Tensor]:
    """{data set: uint8 [N, C, H, W]}, of up to `MOST`: what the first report of a checkpoint shows."""
    found: dict[str, Tensor] = {}
    for entry in usable(store.reports()):
        if entry.key.split("/")[0] == REAL or entry.dataset in found or len(found) == MOST:
            continue
        images = store.report(entry.key).images
        if len(images) >= COLUMNS:
            found[entry.dataset] = images
    return found


def _strip(images: Tensor, dataset: str, rows: int) -> str:
    rows = min(rows, len(images) // COLUMNS)
    chosen = images[: rows * COLUMNS]
    grey = images.shape[1] == 1
    uri = sprites.ink(chosen, COLUMNS) if grey else sprites.data_uri(sprites.png(sprites.sheet(chosen, COLUMNS, 0)))
    what = f"{classes.noun(dataset).capitalize()}s drawn by a model shown here"
    alt = f"{what}: {len(chosen)} samples, none of them picked by hand."
    return (
        f'<div class="strip" style="--columns:{COLUMNS};--rows:{rows}"><img class="pixels{" ink" if grey else ""}" '
        f'src="{uri}" alt="{escape(alt)}"></div>'
    )
