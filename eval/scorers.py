"""Per-image scores. A scorer maps images and the classes asked for to columns of a table.

Columns of an image never depend on the images beside it. A new scorer is one class and one line in
`SCORERS`; what is averaged from its columns is one line in `summary.METRICS`.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from eval import cache
from eval.cache import BLOCK
from eval.clip import SMALL, load_clip, margins
from eval.errors import UserError
from eval.forms import form
from eval.judge import load_judge
from eval.knn import KnnScorer
from eval.memorisation import NeighbourScorer
from eval.shape import ShapeScorer
from eval.summary import UNLABELLED


class Scorer(Protocol):
    """What measures one image at a time.

    `id`: name and hash of the weights (and prompt set); `columns`: what a call returns, in order;
    `asked`: those of them that depend on the class asked for.
    """

    id: str
    name: str
    columns: tuple[str, ...]
    asked: tuple[str, ...]

    def __call__(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """uint8 [N, C, H, W] and int64 [N] in; every column [N] out."""


class Judge(Scorer, Protocol):
    """A scorer that reads a class, and has a space of features in which sets of images can be compared."""

    def features(self, images: Tensor) -> Tensor:
        """uint8 [N, C, H, W] -> float32 [N, d]."""


class ClassifierScorer:
    """A classifier judge: the class it sees, its probability for the class asked for, and all of them."""

    def __init__(self, name: str = "classifier", dataset: str = "mnist"):
        self.name, self.judge = name, load_judge(name, dataset)
        self.id = self.judge.id
        self.asked = (f"{name}_confidence",)
        self.columns = (f"{name}_label", *self.asked, *_each(name, len(self.judge.card["class_names"])))

    def features(self, images: Tensor) -> Tensor:
        return cache.features(self.id, images, self.judge.features)

    def __call__(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        p = torch.softmax(self.judge.net.head(self.features(images)), dim=1)  # [N, K]
        scores = {f"{self.name}_label": p.argmax(1), f"{self.name}_confidence": _of(p, labels)}
        return scores | _split(self.name, p)


class ClipScorer:
    """CLIP against a caption of each class.

    `clip_probability` is the softmax over the classes at the model's own scale; `clip_cosine` is the
    cosine with the caption asked for, and `clip_margin` that minus the best other caption's: these two
    are free of the scale. The raw cosine is the CLIPScore before its factor (2.5 or 100 by tool).
    """

    asked = ("clip_probability", "clip_margin", "clip_cosine")

    def __init__(self, name: str = SMALL, dataset: str = "mnist"):
        self.clip = load_clip(name, dataset)
        self.id = self.clip.id
        self.name = "clip" if name == SMALL else f"clip:{name}"
        self.columns = ("clip_label", *self.asked, *_each("clip", len(self.clip.class_names)))

    def features(self, images: Tensor) -> Tensor:
        return cache.features(self.id, images, self.clip.encode_images)

    def __call__(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        cosine = (self.features(images) @ self.clip.text_bank().T).clamp(-1, 1)  # [N, K]
        p = torch.softmax(self.clip.scale * cosine, dim=1)
        return {
            "clip_label": cosine.argmax(1),
            "clip_probability": _of(p, labels),
            "clip_margin": margins(cosine, labels),
            "clip_cosine": _of(cosine, labels),
            **_split("clip", p),
        }


SCORERS: dict[str, Callable[[str, str], Scorer]] = {
    "classifier": lambda clip, dataset: ClassifierScorer("classifier", dataset),
    "second": lambda clip, dataset: ClassifierScorer("second", dataset),
    "knn": lambda clip, dataset: KnnScorer(dataset),
    "clip": ClipScorer,
    "shape": lambda clip, dataset: ShapeScorer(),
    "neighbours": lambda clip, dataset: NeighbourScorer(dataset),
}
OF_STROKES = ("shape",)  # what has something to measure in handwriting only


def fitting(dataset: str) -> tuple[str, ...]:
    """Names of the scorers that have something to say of a data set's images."""
    return tuple(name for name in SCORERS if form(dataset).strokes or name not in OF_STROKES)


def load_scorers(names: Sequence[str] | None = None, clip: str = SMALL, dataset: str = "mnist") -> tuple[Scorer, ...]:
    """The scorers called `names` (None: all that fit); `clip` says which CLIP model (see eval/clip.py).

    `UserError` for an unknown name, and for a judge that is not there yet.
    """
    names = fitting(dataset) if names is None else names
    unknown = [name for name in names if name not in SCORERS]
    if unknown or not names:
        raise UserError(f"There is no scorer '{next(iter(unknown), '')}'. Known: {', '.join(SCORERS)}.")
    return tuple(SCORERS[name](clip, dataset) for name in names)


def score(
    scorers: Sequence[Scorer],
    images: Tensor,
    labels: Tensor,
    seeds: Tensor,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """The table: label, seed and every scorer's columns, row i for images[i] (uint8 [N, C, H, W]).

    Where two judges or more read the images, `disagreement` is the share of them that do not read what
    most of them read. Images without a label (all -1) get the columns that need none. `UserError` where a
    score is not a finite number; ValueError where two scorers share a column.
    """
    labelled = bool((labels != UNLABELLED).all())
    columns = [c for scorer in scorers for c in scorer.columns if labelled or c not in scorer.asked]
    if len(set(columns)) < len(columns):
        raise ValueError("two scorers write the same column")
    parts: dict[str, list[Tensor]] = {column: [] for column in columns}
    for start in range(0, len(images), BLOCK):
        block = slice(start, start + BLOCK)
        for scorer in scorers:
            found = scorer(images[block], labels[block].clamp(min=0))
            for column in parts.keys() & found.keys():
                parts[column].append(found[column].cpu())
        if progress:
            progress(min(start + BLOCK, len(images)), len(images))
    joined = {column: torch.cat(blocks) for column, blocks in parts.items()}
    for column, values in joined.items():
        if not values.isfinite().all():
            raise UserError(f"Column '{column}' holds a score that is not a number: use another scorer.")
    table = pd.DataFrame({k: v.numpy() for k, v in ({"label": labels, "seed": seeds} | joined).items()})
    read = [column for column in columns if column.endswith("_label")]
    if len(read) > 1:
        table["disagreement"] = _disagreement(table[read].to_numpy())
    return table


def _disagreement(read: np.ndarray) -> np.ndarray:
    """Labels [N, J] by J judges -> share of judges that differ from the most common reading [N]."""
    same = (read[:, :, None] == read[:, None, :]).sum(2)  # [N, J]: how many judges read what this one reads
    return (1 - same.max(1) / read.shape[1]).astype(np.float32)


def _each(prefix: str, classes: int) -> tuple[str, ...]:
    return tuple(f"{prefix}_p{d}" for d in range(classes))


def _split(prefix: str, p: Tensor) -> dict[str, Tensor]:
    """Probabilities [N, K] -> one column per class."""
    return dict(zip(_each(prefix, p.shape[1]), p.unbind(1), strict=True))


def _of(values: Tensor, labels: Tensor) -> Tensor:
    """[N, K] at labels [N] -> [N]."""
    return values.gather(1, labels[:, None])[:, 0]
