"""The same labels and seeds judged again and again while a network is trained or tuned: a row a look.

What stands in a row under the name of a metric is what `score` says of the same images.
"""

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from eval.clip import ClipModel, load_clip, margins
from eval.distribution import Reference
from eval.scorers import Scorer, fitting, load_scorers, score
from eval.sources import RealSource
from eval.spaces import PREFIX, as_many, reference
from eval.summary import summarise

SCORERS = ("classifier", "second", "clip", "shape")
SPACES = ("classifier", "second")  # whose features sets are compared in
SETS = ("fd", "recall", "coverage", "vendi")
OVERALL = (
    "accuracy", "confidence", "second_accuracy", "clip_accuracy", "clip_probability", "clip_margin", "ink",
    "thickness",
)  # fmt: skip
PER_CLASS = ("accuracy", "second_accuracy", "clip_probability", "clip_margin")
HELDOUT, INDEPENDENT = "heldout_margin", "independent_margin"


def _loaded(dataset: str) -> tuple[Scorer, ...]:
    """Those of SCORERS that have something to say of the data set."""
    return load_scorers([name for name in SCORERS if name in fitting(dataset)], dataset=dataset)


class Probe:
    """Judges images of one data set; what depends on the real ones alone is found out once."""

    def __init__(
        self, dataset: str = "mnist", scorers: Sequence[Scorer] | None = None, independent: ClipModel | None = None
    ):
        """`independent`: a CLIP that no reward is made of, whose margin is looked at too."""
        self.scorers = _loaded(dataset) if scorers is None else tuple(scorers)
        self.independent = independent
        self.train = RealSource("train", dataset)

    @cached_property
    def references(self) -> dict[str, tuple[Scorer, Reference]]:
        """{judge: (it, what its features of all training images are)}: a minute of work, for the first look."""
        found = {}
        for scorer in self.scorers:
            if scorer.name in SPACES:
                features = scorer.features(self.train.data.images)
                found[scorer.name] = scorer, reference(scorer.id, self.train, features, None, SETS)
        return found

    def real(self, per_class: int) -> dict:
        """What real test images score as sets, about as many as `per_class` of each class: {metric: value}."""
        test = RealSource("test", self.train.info.dataset).data
        classes = len(self.train.class_names)
        rows = as_many(test.labels, torch.arange(classes).repeat(per_class), classes)
        found = {}
        for name, (scorer, real) in self.references.items():
            estimates = real.measure(scorer.features(test.images[rows]), SETS).estimates
            found |= {f"{PREFIX[name]}{metric}": e.value for metric, e in estimates.items()}
        return found

    def look(self, images: Tensor, labels: Tensor, seeds: Tensor) -> dict:
        """uint8 [N, C, H, W] -> a JSON object: n, metrics over all images, some for each class, matrices of counts."""
        table = score(self.scorers, images, labels, seeds)
        summary = summarise(table, len(self.train.class_names))
        row = {"n": len(labels)}
        row |= {m: summary.metrics["overall"][m].value for m in OVERALL if m in summary.metrics["overall"]}
        for name, (scorer, real) in self.references.items():
            found = real.measure(scorer.features(images), SETS).estimates
            row |= {f"{PREFIX[name]}{metric}": e.value for metric, e in found.items()}
        clip = load_clip(dataset=self.train.info.dataset)
        row[HELDOUT] = float(margins(clip.cosines(images, "heldout"), labels).mean())
        if self.independent:
            row[INDEPENDENT] = float(margins(self.independent.cosines(images), labels).mean())
        each = summary.metrics["per_class"].items()
        row["per_class"] = {d: {m: e[m].value for m in PER_CLASS if m in e} for d, e in each}
        row["confusions"] = dict(summary.confusions)
        return row
