"""One image's card: what the judges read, its shape, its nearest real images, how to draw it again. No gradio."""

import json
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from torch import Tensor

from app import markup, sprites
from app.verdicts import probabilities
from app.words import JUDGES, LETTERS, METRICS, probability, show
from diffusion_core.data import DataSpec
from eval.shape import MEASURES


def card(
    image: Tensor, label: int, seed: int, data: DataSpec, row: Mapping, real: Mapping | None,
    near: list[tuple[str, Tensor, float]], command: str, named: Mapping,
) -> str:  # fmt: skip
    """`image` uint8 [C, H, W]; `row` has the score columns of this image alone, arrays of length 1; `real` those of the
    real images of the same class; `near` names the nearest real images with their pixels and distances; `named` is what
    a click sends back to ask for more like it.
    """
    uri = sprites.thumbnails(image[None])[0]
    name, shown = escape(f"{data.called(label)}, seed {seed}"), escape(data.class_names[label])
    picture = (
        f'<figure><img class="pixels" src="{uri}" alt="{name}"><figcaption><b>{shown}</b> '
        f'<span class="seed">seed {seed}</span></figcaption>'
        f'<a class="quiet" download="{data.noun}-{label}-{seed}.png" href="{uri}">Download PNG</a>'
        f'<button type="button" class="quiet" data-more="{escape(json.dumps(named))}">Ten more like this</button>'
        "</figure>"
    )
    neighbours = "".join(
        f'<figure class="near">{markup.image(sprites.thumbnails(found[None])[0], title)}'
        f"<figcaption>{escape(title)}<small>distance {distance:.2f}</small></figcaption></figure>"
        for title, found, distance in near
    )
    beside = shapes(row, real)
    measured = f"<h2>Beside real images of {shown}</h2>{beside}" if beside else ""
    nearest = f"<h2>Nearest real {data.nouns}</h2><div class='nears'>{neighbours}</div>" if near else ""
    return (
        f'<section class="digit-card" aria-label="{name}">{picture}'
        f"<div><h2>What the judges read in it, in %</h2>{readings(row, label, data.class_names)}{measured}</div>"
        f"<div>{nearest}<h2>The same {data.noun} again</h2>"
        f"{markup.copyable(command, 'Copy the command')}</div></section>"
    )


def readings(row: Mapping, label: int, names: Sequence[str]) -> str:
    """A row a judge: its probability of every class, the one asked for framed."""
    lines = []
    for judge, title in JUDGES.items():
        if f"{judge}_label" not in row:
            continue
        p = probabilities(row, judge)[0]
        cells = "".join(
            f'<td style="--t:{value:.3f}" class="{"asked-for" if d == label else ""}{" deep" if value > 0.5 else ""}">'
            f"{probability(float(value)).removesuffix(' %') if value >= 0.005 else '·'}</td>"
            for d, value in enumerate(p)
        )
        lines.append(f'<tr><th scope="row">{escape(title)}</th>{cells}</tr>')
    head = "".join(f'<th scope="col"><span>{escape(name)}</span></th>' for name in names)
    kind = " named" if max(map(len, names), default=0) > LETTERS else ""
    table = (
        f'<table class="readings{kind}"><thead><tr><td></td>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table>'
    )
    return f'<div class="scroll" role="region" tabindex="0" aria-label="Probabilities by judge and class">{table}</div>'


def shapes(row: Mapping, real: Mapping | None) -> str:
    """CLIP margin and shape measures, and how many real images of the class have less; nothing without either."""
    rows = []
    for key in ("clip_margin", *MEASURES):
        if key not in row:
            continue
        value, entry = float(np.asarray(row[key])[0]), METRICS[key]
        place = "–"
        if real is not None and key in real:
            place = f"above {100 * float((np.asarray(real[key]) < value).mean()):.0f} %"
        rows.append((entry.title, show(value, entry.unit), place))
    return markup.table(("measure", "here", "of real ones"), rows, "This image beside real ones") if rows else ""
