"""Per-image scores. A scorer maps images and the digits asked for to columns of a table.

Columns of an image never depend on the images beside it. A new scorer is one class here and one line in
`SCORERS`; what is averaged from its columns is one line in `summary.METRICS`.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import pandas as pd
import torch
from torch import Tensor

from eval.clip import load_clip
from eval.errors import UserError
from eval.judge import load_judge

BLOCK = 500  # images between two reports of progress


class Scorer(Protocol):
    """`id`: name and hash of the weights (and prompt set); `columns`: what a call returns, in order."""

    id: str
    name: str
    columns: tuple[str, ...]

    def __call__(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """uint8 [N, C, H, W] and int64 [N] in; every column [N] out."""


class ClassifierScorer:
    """The classifier judge: the digit it sees, its probability for the digit asked for, and all of them."""

    name = "classifier"

    def __init__(self, name: str = "classifier"):
        self.judge = load_judge(name)
        self.id = self.judge.id
        classes = len(self.judge.card["class_names"])
        self.columns = ("classifier_label", "classifier_confidence", *_each("classifier", classes))

    def __call__(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        p = self.judge.probabilities(images)  # [N, K]
        scores = {"classifier_label": p.argmax(1), "classifier_confidence": _of(p, labels)}
        return scores | _split("classifier", p)


class ClipScorer:
    """CLIP against a caption of each digit.

    `clip_probability` is the softmax over the digits at the model's own scale; `clip_cosine` is the
    cosine with the caption asked for, and `clip_margin` that minus the best other caption's: these two
    are free of the scale. The raw cosine is the CLIPScore before its factor (2.5 or 100 by tool).
    """

    def __init__(self, name: str = "digit"):
        self.clip = load_clip(name)
        self.id = self.clip.id
        self.name = "clip" if name == "digit" else f"clip:{name}"
        self.columns = (
            "clip_label", "clip_probability", "clip_margin", "clip_cosine", *_each("clip", len(self.clip.class_names)),
        )  # fmt: skip

    def __call__(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        cosine = self.clip.cosines(images)  # [N, K]
        p = torch.softmax(self.clip.scale * cosine, dim=1)
        asked = _of(cosine, labels)
        other = cosine.scatter(1, labels[:, None], -torch.inf).amax(1)
        return {
            "clip_label": cosine.argmax(1),
            "clip_probability": _of(p, labels),
            "clip_margin": asked - other,
            "clip_cosine": asked,
            **_split("clip", p),
        }


SCORERS: dict[str, Callable[[str], Scorer]] = {
    "classifier": lambda clip: ClassifierScorer(),
    "clip": lambda clip: ClipScorer(clip),
}


def load_scorers(names: Sequence[str] = tuple(SCORERS), clip: str = "digit") -> tuple[Scorer, ...]:
    """The scorers called `names`; `clip` says which CLIP model (see eval/clip.py). `UserError` for others."""
    unknown = [name for name in names if name not in SCORERS]
    if unknown or not names:
        raise UserError(f"There is no scorer '{next(iter(unknown), '')}'. Known: {', '.join(SCORERS)}.")
    return tuple(SCORERS[name](clip) for name in names)


def score(
    scorers: Sequence[Scorer],
    images: Tensor,
    labels: Tensor,
    seeds: Tensor,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """The table: label, seed and every scorer's columns, row i for images[i] (uint8 [N, C, H, W]).

    `UserError` where a score is not a finite number; ValueError where two scorers share a column.
    """
    columns = [column for scorer in scorers for column in scorer.columns]
    if len(set(columns)) < len(columns):
        raise ValueError("two scorers write the same column")
    parts: dict[str, list[Tensor]] = {column: [] for column in columns}
    for start in range(0, len(images), BLOCK):
        block = slice(start, start + BLOCK)
        for scorer in scorers:
            for column, values in scorer(images[block], labels[block]).items():
                parts[column].append(values.cpu())
        if progress:
            progress(min(start + BLOCK, len(images)), len(images))
    joined = {column: torch.cat(blocks) for column, blocks in parts.items()}
    for column, values in joined.items():
        if not values.isfinite().all():
            raise UserError(f"Column '{column}' holds a score that is not a number: use another scorer.")
    return pd.DataFrame({k: v.numpy() for k, v in ({"label": labels, "seed": seeds} | joined).items()})


def _each(prefix: str, classes: int) -> tuple[str, ...]:
    return tuple(f"{prefix}_p{d}" for d in range(classes))


def _split(prefix: str, p: Tensor) -> dict[str, Tensor]:
    """Probabilities [N, K] -> one column per class."""
    return dict(zip(_each(prefix, p.shape[1]), p.unbind(1), strict=True))


def _of(values: Tensor, labels: Tensor) -> Tensor:
    """[N, K] at labels [N] -> [N]."""
    return values.gather(1, labels[:, None])[:, 0]
