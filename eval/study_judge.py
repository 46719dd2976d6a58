"""What the judges say of the digits of one run, as one flat row. None of them had a say in any setting."""

import torch
from pandas import DataFrame
from torch import Tensor

from eval.distribution import NEIGHBOURHOODS, Reference
from eval.scorers import ClassifierScorer, ClipScorer, Judge, score
from eval.sources import RealSource
from eval.spaces import reference

JUDGES = ("classifier", "second", "clip")


class Pixels:
    """The space of raw pixels in [0, 1], a judge's interface."""

    id = "pixels"

    @staticmethod
    def features(images: Tensor) -> Tensor:
        """uint8 [N, C, H, W] -> float32 [N, C*H*W]."""
        return images.flatten(1).float() / 255


class Bench:
    """The judges, and the training digits in the spaces of three of them; made once, it judges any number of sets."""

    def __init__(self, dataset: str = "mnist"):
        self.scorers = (
            ClassifierScorer(dataset=dataset),
            ClassifierScorer("second", dataset),
            ClipScorer(dataset=dataset),
        )
        train = RealSource("train", dataset)
        self.spaces: dict[str, tuple[Judge, Reference]] = {}
        for prefix, judge in (("", self.scorers[0]), ("second_", self.scorers[1]), ("pixels_", Pixels())):
            real = judge.features(train.data.images)
            self.spaces[prefix] = judge, reference(judge.id, train, real, None, () if prefix else NEIGHBOURHOODS)

    def measure(self, images: Tensor, labels: Tensor) -> dict:
        """uint8 [N, C, H, W] and int [N] -> accuracies, CLIP's margin and distances; and those of each digit alone.

        Values alone: what a study says of their spread comes from its seeds.
        """
        table = score(self.scorers, images, labels, torch.arange(len(labels)))
        right = {judge: table[f"{judge}_label"] == table["label"] for judge in JUDGES}
        found = {
            "n": len(labels),
            "accuracy": float(right["classifier"].mean()),
            "second_accuracy": float(right["second"].mean()),
            "clip_accuracy": float(right["clip"].mean()),
            "clip_margin": float(table["clip_margin"].mean()),
        }
        for prefix, (judge, against) in self.spaces.items():
            fake = judge.features(images).double()
            found[f"{prefix}fd"] = against.moments.distance(fake)
            if not prefix:
                near = against.balls.of(fake, torch.ones(1, len(fake), dtype=torch.bool))
                found |= {name: float(near[name].double().mean()) for name in NEIGHBOURHOODS}
        return found | {"per_class": {str(d): one_class(table, d) for d in sorted(set(labels.tolist()))}}


def one_class(table: DataFrame, digit: int) -> dict[str, float]:
    """What is said of one digit. `f1` is 2 TP / (2 TP + FP + FN): a judge that takes noise for eights reads all eights
    right, and this is low."""
    asked, read = table["label"] == digit, table["classifier_label"] == digit
    return {
        "accuracy": float(read[asked].mean()),
        "f1": float(2 * (asked & read).sum() / (asked.sum() + read.sum())),
        "clip_margin": float(table["clip_margin"][asked].mean()),
    }
