"""A restoration as HTML: what was left, the candidates, where they differ, which class it is. No gradio."""

from collections.abc import Sequence
from html import escape

import numpy as np
from plotly.colors import sample_colorscale, unlabel_rgb
from torch import Tensor

from app import markup, sprites
from app.restoration import Case, picture
from app.words import plural, probability
from diffusion_core.data import DataSpec
from eval.fidelity import WIDEST, mean_image, psnr, spread, ssim

HIDDEN = (47, 95, 168)  # where nothing was seen
COLOURS = np.array([unlabel_rgb(colour) for colour in sample_colorscale("Inferno", np.linspace(0, 1, 256).tolist())])

Readings = Tensor  # a judge's probabilities [N, classes]


def running(case: Case, spec: DataSpec, images: Tensor, step: int, run: str) -> str:
    """While it goes on: the estimates of all candidates uint8 [K, C, H, W] at one noise level; `run` tells this run
    from others."""
    bar = markup.progress(step, case.config.steps, f"step {step} of {case.config.steps}")
    shown = [*_known(case), _figure("What is left", _left(case, spec), "what is left of the image")]
    quartet = f'<div class="quartet">{"".join(shown)}</div>'
    return f'<section class="restored" data-run="{escape(run)}">{bar}{quartet}{_candidates(images)}</section>'


def finished(
    case: Case, spec: DataSpec, images: Tensor, before: Readings, after: Readings, likely: Tensor | None
) -> str:
    """All of it; `before` and `after` are what the classifier reads in what is left [1, K] and in the candidates."""
    mean, wide = mean_image(images), spread(images)
    shown = [
        *_known(case),
        _figure("What is left", _left(case, spec), f"what is left, read as {spec.class_names[before.argmax()]}"),
        _figure("Mean of the candidates", sprites.thumbnails(mean)[0], "the mean of all candidates"),
        _figure("Where they differ", _map(wide), f"deviation of each pixel, at most {wide.max():.2f}"),
    ]
    quartet = f'<div class="quartet">{"".join(shown)}</div>'
    return (
        f'<section class="restored">{markup.note(told(case, spec, images, before, after), "summary")}{quartet}'
        f"{_candidates(images, after, spec)}{odds(likely, after, spec)}</section>"
    )


def told(case: Case, spec: DataSpec, images: Tensor, before: Readings, after: Readings) -> str:
    """ "The classifier read 8 in what was left; it reads 5 in 8 of 8 candidates. …" """
    read = after.argmax(1)
    best = int(read.mode().values)
    said = [
        f"The classifier reads {spec.class_names[before.argmax()]} in what is left, and {spec.class_names[best]} in "
        f"{int((read == best).sum())} of {plural(len(read), 'candidate')}."
    ]
    if case.damage.noise:
        said.append(f"Noise: {case.damage.noise:.2f} of white.")
    if case.original is not None:
        pictures = (picture(case, spec), mean_image(images))
        (a, b), (c, d) = [[float(f(p, case.original)) for p in pictures] for f in (psnr, ssim)]
        said.append(f"Beside the original: {a:.1f} dB before, {b:.1f} dB after (SSIM {c:.2f}, then {d:.2f}).")
    return " ".join(said)


def odds(likely: Tensor | None, after: Readings, spec: DataSpec) -> str:
    """Which class it is: by the model where the label was not given, and by the classifier over all candidates."""
    rows = [("The classifier, over all candidates", after.mean(0))]
    if likely is not None:
        rows.insert(0, ("The model itself, by how well it denoises them as each class", likely))
    return f"<h2>Which {spec.noun} is it?</h2>" + "".join(_bars(title, p.tolist(), spec) for title, p in rows)


def _bars(title: str, p: Sequence[float], spec: DataSpec) -> str:
    items = "".join(
        f'<li style="--p:{value:.4f}"><i aria-hidden="true"></i><b>{escape(name)}</b>'
        f"<span>{probability(value)}</span></li>"
        for name, value in zip(spec.class_names, p, strict=True)
    )
    return f'<p class="note">{escape(title)}</p><ol class="odds" aria-label="{escape(title)}">{items}</ol>'


def _candidates(images: Tensor, after: Readings | None = None, spec: DataSpec | None = None) -> str:
    items = []
    for i, uri in enumerate(sprites.thumbnails(images)):
        said = "…"
        if after is not None:
            said = f"<b>{escape(spec.class_names[after[i].argmax()])}</b> <em>{probability(float(after[i].max()))}</em>"
        items.append(f"<li>{markup.image(uri, f'candidate {i + 1}')}<span>{said}</span></li>")
    title = f"{plural(len(images), 'way')} it may have been"
    told = "" if after is None else markup.note("Below each, what the classifier reads in it.")
    return f'<h2>{title}</h2>{told}<ul class="ways" aria-label="{title}">{"".join(items)}</ul>'


def _known(case: Case) -> list[str]:
    if case.original is None:
        return []
    return [_figure("The original", sprites.thumbnails(case.original)[0], "the image before it was damaged")]


def _figure(title: str, uri: str, alt: str) -> str:
    return f"<figure>{markup.image(uri, alt)}<figcaption>{escape(title)}</figcaption></figure>"


def _left(case: Case, spec: DataSpec) -> str:
    """What was recorded; pixels of which nothing is known are blue."""
    grey = picture(case, spec)[0].expand(3, -1, -1).permute(1, 2, 0).numpy().copy()
    known = case.damage.operator.known
    if known is not None:
        grey[~known[0, 0].numpy()] = HIDDEN
    return sprites.data_uri(sprites.png(grey))


def _map(wide: np.ndarray) -> str:
    """Deviations [H, W] as a picture: dark is sure, bright is open."""
    level = (wide / WIDEST * 255).round().clip(0, 255).astype(int)
    return sprites.data_uri(sprites.png(COLOURS[level].round().astype(np.uint8)))
