"""A and B on the same label and seed, as HTML: a list of pairs, and a large view that wipes from A to B. No gradio."""

from collections.abc import Sequence
from html import escape

from app import classes, markup, sprites
from app.verdicts import verdicts
from app.words import LETTERS
from eval.report import Report

PAGE = 24  # pairs at a time
LARGE, SMALL = 392, 280  # pixels of the screen that the large view is about as wide as, and on a phone

# Filled by scripts.WIPE with the pair that was opened: A lies over B, and the slider says how much of A is seen.
WIPE = (
    '<dialog class="wipe" style="--large:{large}px;--small:{small}px" closedby="any" aria-label="A over B">'
    '<form method="dialog" class="bar"><h3></h3>'
    '<button class="quiet">Close</button></form>'
    '<div class="wipe-view"><img class="pixels" alt=""><img class="pixels" alt=""></div>'
    '<label class="wipe-bar"><span>A</span><input type="range" min="0" max="100" value="50" autofocus '
    'aria-label="How much of A is shown over B"><span>B</span></label><div class="wipe-said"></div></dialog>'
)


def side_by_side(a: Report, b: Report, found: Sequence[tuple[int, int]], page: int) -> str:
    """One page of pairs, (row of a, row of b) each, as HTML: label and seed, A, B, each with its verdicts."""
    pages = -(-len(found) // PAGE)
    page = min(max(page, 0), pages - 1)
    shown = found[page * PAGE : (page + 1) * PAGE]
    left, right = _half(a, [i for i, _ in shown], "A"), _half(b, [j for _, j in shown], "B")
    items = []
    for (i, _), one, other in zip(shown, left, right, strict=True):
        opener = _opener(a, int(a.table["label"].iloc[i]), int(a.table["seed"].iloc[i]))
        items.append(f'<li class="pair">{opener}{one}{other}</li>')
    listed = f'<ul class="pairs" aria-label="Same label and seed">{"".join(items)}</ul>'
    return listed + markup.pager(page, pages) + _wipe(max(a.images.shape[2:]))


def _wipe(side: int) -> str:
    """The large view of images `side` pixels wide, in which each of their pixels is a whole number of the screen's."""
    large, small = (side * markup.whole_times(side, wanted) for wanted in (LARGE, SMALL))
    return WIPE.format(large=large, small=small)


def _opener(report: Report, label: int, seed: int) -> str:
    """Class and seed as the button that opens the large view; the style sheet spreads it over the whole pair."""
    name = report.source.class_names[label]
    title, worded = classes.called(name, report.source.dataset), " worded" if len(name) > LETTERS else ""
    return (
        f'<button type="button" class="asked{worded}" data-wipe="{escape(title[0].upper() + title[1:])}, seed {seed}">'
        f'<b>{escape(name)}</b><span class="seed">seed {seed}</span>'
        '<span class="visually-hidden">, lay A over B</span></button>'
    )


def _half(report: Report, rows: list[int], side: str) -> list[str]:
    """One side's image and verdicts, for each of `rows`."""
    part = report.table.iloc[rows]
    labels, uris = part["label"].to_numpy(), sprites.thumbnails(report.images[rows])
    halves, names = [], report.source.class_names
    for label, seed, uri, said in zip(labels, part["seed"], uris, verdicts(part, labels, names), strict=True):
        lines = "".join(map(markup.verdict_line, said))
        picture = markup.image(uri, f"{side}: {classes.called(names[label], report.source.dataset)}, seed {seed}")
        halves.append(f'<span class="half">{picture}<span class="caption"><em>{side}</em>{lines}</span></span>')
    return halves
