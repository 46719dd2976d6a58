"""A report made in small steps, image by image alone: the caller sees how far it is, and may stop between any two.

For what a visitor brings. Sets are not compared: that needs the features of all training images, which take minutes
to compute, and the images would have to be as many as those they are compared with. Nothing is kept on disk.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch
from torch import Tensor

from eval.report import Report, load, nothing
from eval.run import REFERENCES, assemble, reference_folder, with_neighbours
from eval.scorers import Scorer, score
from eval.sources import ImageSource, RealSource
from eval.words import WORDS

DRAW, SCORE = 32, 50  # images a step; judges keep blocks of 500 on disk, and these are smaller
NO_SETS = "sets of images are compared by python -m app score alone"


class Part(NamedTuple):
    """Work done, of `total`, counting every image twice: made and scored. The last one has the report."""

    done: int
    total: int
    report: Report | None = None


def by_image(
    source: ImageSource, scorers: Sequence[Scorer], per_class: int | None, seed: int = 0, references: Path = REFERENCES
) -> Iterator[Part]:
    """Make and score `per_class` images of each class (None: all there are), a `Part` after each step.

    `UserError` for a bad request, and where the real images were not scored by the same scorers before.
    """
    real = RealSource("test", source.info.dataset)
    reference = load(reference_folder(real, [scorer.id for scorer in scorers], references))
    labels, seeds = source.plan(per_class, seed)
    n = len(labels)
    made: list[Tensor] = []
    for rows in _parts(n, DRAW):
        made.append(source.images(labels[rows], seeds[rows]))
        yield Part(rows.stop, 2 * n)
    images, tables = torch.cat(made), []
    for rows in _parts(n, SCORE):
        tables.append(score(scorers, images[rows], labels[rows], seeds[rows]))
        yield Part(n + rows.stop, 2 * n)
    table = with_neighbours(pd.concat(tables, ignore_index=True), reference.table)
    plan = {"per_class": per_class, "seed": seed}
    report = assemble(source, scorers, plan, table, images, reference)
    yield Part(2 * n, 2 * n, replace(report, reasons=without_sets()))


def without_sets() -> dict[str, dict]:
    """The `reasons` of a report whose images were not compared as sets."""
    return nothing() | {"overall": {word.key: NO_SETS for word in WORDS.values() if word.group == "sets"}}


def _parts(n: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]
