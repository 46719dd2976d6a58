"""A tuning as it lies on disk, and what the page says of it: reward against guards, before and after. No gradio."""

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
import torch

from app import looks, markup, matrix, sprites
from app.figures import BLUE, ORANGE, REAL, layout
from app.frontier import Point
from app.frontier import read as read_ways
from app.words import JUDGES, minus, plural, the
from diffusion_core.errors import UserError

SUMMARY, CHANGED = "tuning.json", "changed.npz"
ARRAYS = ("labels", "seeds", "before", "after", "read_before", "read_after")
# What is followed, and what only watches: metric -> name, colour, dash.
LINES = {
    "clip_margin": ("CLIP margin (followed)", ORANGE, "solid"),
    "heldout_margin": ("CLIP margin, captions held out", ORANGE, "dot"),
    "second_recall": ("recall", BLUE, "solid"),
    "second_coverage": ("coverage", BLUE, "dash"),
    "second_fd": ("Frechet distance", "#aa4499", "solid"),
    "ink": ("ink", REAL, "solid"),
}
DOUBLINGS = [12.5 * 2**i for i in range(9)]  # per cent: 12.5 to 3,200
NUMBERS = {
    "accuracy": ("Classifier accuracy", 100, " %", 2),
    "second_accuracy": ("Second classifier", 100, " %", 2),
    "clip_margin": ("CLIP margin", 1, "", 3), "heldout_margin": ("CLIP margin, held out", 1, "", 3),
    "fd": ("Frechet distance", 1, "", 3), "recall": ("Recall", 100, " %", 1), "coverage": ("Coverage", 100, " %", 1),
    "second_fd": ("Frechet distance, second", 1, "", 3),
    "second_recall": ("Recall, second", 100, " %", 1),
    "second_coverage": ("Coverage, second", 100, " %", 1), "ink": ("Ink", 1, "", 1),
}  # fmt: skip


class Tuning(NamedTuple):
    """What `tuning.json`, `evaluations.jsonl`, `changed.npz` and, where it is, `frontier.json` hold."""

    name: str
    summary: dict
    looks: tuple[dict, ...]
    changed: dict[str, np.ndarray]
    ways: tuple[Point, ...] = ()  # other ways to fewer misread images, measured beside it

    @property
    def kept(self) -> dict:
        """The look whose weights were kept."""
        return self._at(self.summary["kept"])

    @property
    def best(self) -> dict:
        """The look that the guard would have kept: the same, where it guarded."""
        return self._at(self.summary["best_at"])

    def _at(self, images: int) -> dict:
        return next(look for look in self.looks if look["images"] == images)


def read(folder: Path) -> Tuning:
    """The tuning in `folder`; `UserError` where one of its files is damaged."""
    try:
        summary = json.loads((folder / SUMMARY).read_text())
        with np.load(folder / CHANGED, allow_pickle=False) as file:
            changed = {key: file[key] for key in ARRAYS}
        found = Tuning(folder.name, summary, tuple(looks.read(folder)), changed)
        lead(found)  # all that it says is there, or the tuning is damaged
    except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        raise UserError(f"The tuning of {folder.name} is damaged ({type(error).__name__}). Tune it again.") from None
    return found._replace(ways=read_ways(folder))


def lead(tuning: Tuning) -> str:
    """What was followed, when and why it ended, and what was kept."""
    said, how = tuning.summary, tuning.summary["tune"]
    last = tuning.looks[-1]["images"]
    kept = "the parent itself" if not said["kept"] else f"the weights after {plural(said['kept'], 'image')}"
    text = f"{said['parent']}, tuned by the reward {how['reward']}"
    if said["guarded"]:
        text += f": it ended after {plural(last, 'image')}, since {said['stopped']}. Kept: {kept}."
    else:
        text += f" for {plural(last, 'image')} with nothing to guard it. {_unguarded(said)}"
    note = (
        f"Every look is at the same {tuning.looks[0]['n']:,} labels and seeds, drawn without guidance. What was "
        "followed is no evidence; the second classifier, the captions held out and the set's recall, coverage and "
        "distance guard the run, and the classifier only reports."
    )
    return f'<p class="lead">{markup.escape(text)}</p>{markup.note(note)}'


def _unguarded(said: dict) -> str:
    """What the guard would have done."""
    at = said["would_stop_at"]
    stopped = f"would have ended it after {plural(at, 'image')}" if at is not None else "would not have ended it"
    best = "the parent" if not said["best_at"] else f"the weights after {said['best_at']:,}"
    return f"The guard {stopped}, and kept {best}."


def figure(tuning: Tuning) -> go.Figure:
    """Reward and guards over the run, in per cent of the parent's; a line at the best that the guard allows."""
    shown = go.Figure(layout=layout("of the parent's (%)", "images followed"))
    x, base = [look["images"] for look in tuning.looks], tuning.looks[0]
    for key, (name, colour, dash) in LINES.items():
        if key not in base:  # only where strokes are drawn is there ink
            continue
        shown.add_trace(
            go.Scatter(
                x=x, y=[100 * look[key] / base[key] if base[key] else None for look in tuning.looks], name=name,
                mode="lines+markers", line={"color": colour, "width": 2, "dash": dash}, marker={"size": 5},
                hovertemplate=f"%{{x:,}} images: %{{y:.1f}} %<extra>{name}</extra>",
            )
        )  # fmt: skip
    shares = [y for trace in shown.data for y in trace.y if y]
    if max(shares) > 3 * min(shares):  # what has collapsed would flatten everything else
        shown.update_yaxes(type="log", tickvals=DOUBLINGS)
    shown.add_vline(x=tuning.best["images"], line={"color": "#808080", "width": 1.5, "dash": "dash"})
    return shown.update_layout(height=400)


def numbers(tuning: Tuning) -> str:
    """The parent and what was kept; of a run that nothing guarded, what the guard would have kept, too."""
    columns = {"parent": tuning.looks[0], "kept": tuning.kept}
    if not tuning.summary["guarded"]:
        columns = {"parent": tuning.looks[0], "guarded": tuning.best, "the end": tuning.kept}
    rows = []
    for key, (name, scale, unit, places) in NUMBERS.items():
        if key not in tuning.looks[0]:
            continue
        rows.append((name, *(minus(f"{scale * look[key]:.{places}f}{unit}") for look in columns.values())))
    return markup.table(("over all images", *columns), rows, "Before and after")


def confusions(tuning: Tuning, judge: str, names: Sequence[str]) -> str:
    """The matrix of what was kept minus the parent's, read by one judge; `names` of the classes."""
    before, after = (look["confusions"].get(judge) for look in (tuning.looks[0], tuning.kept))
    if before is None or after is None:
        return markup.note(f"{JUDGES[judge]} did not look at this run.", "empty")
    return matrix.still_change(before, after, names, the(judge))


def gallery(tuning: Tuning, names: Sequence[str], count: int = 24) -> str:
    """The pairs of the same label and seed that changed most; `names` of the classes."""
    found = {key: values[:count] for key, values in tuning.changed.items()}
    sides = [sprites.thumbnails(torch.from_numpy(found[key])) for key in ("before", "after")]
    items = []
    for i, label in enumerate(found["labels"].tolist()):
        halves = "".join(
            _half(side, sides[k][i], names[found[f"read_{side}"][i]], names[label])
            for k, side in enumerate(("before", "after"))
        )
        seed = int(found["seeds"][i])
        name = f'<span class="asked"><b>{escape(names[label])}</b><span class="seed">seed {seed}</span></span>'
        items.append(f'<li class="pair">{name}{halves}</li>')
    return f'<ul class="pairs changed" aria-label="Changed most">{"".join(items)}</ul>'


def _half(side: str, uri: str, read: str, asked: str) -> str:
    kind, sign = ("right", "✓") if read == asked else ("wrong", "✗")
    return (
        f'<span class="half">{markup.image(uri, f"{side}: {asked}")}<span class="caption"><em>{side}</em>'
        f'<span class="verdict {kind}"><i>{sign}</i> read <b>{escape(read)}</b></span></span></span>'
    )
