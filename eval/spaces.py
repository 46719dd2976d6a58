"""Generated against real images as sets, in what each judge sees, for all classes together and for each.

The reference is the training split, which the judges and the model both learned from; the floor is what
real test images score against it, as many of each class as were generated.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from eval import cache
from eval.distribution import METRICS, Measured, Reference, detectable
from eval.metrics import Estimate
from eval.scorers import Scorer
from eval.sources import RealSource
from eval.summary import UNLABELLED

PREFIX = {"classifier": "", "second": "second_", "knn": "pixels_", "clip": "clip_"}  # of a space's metrics
CMMD = {"clip": ("cmmd",)}  # what is measured in one space only
NEIGHBOURS = 10_000  # real images for kernels and neighbourhoods; a fifth of them for a single class
Progress = Callable[[int, int], None]


class Distances(NamedTuple):
    """Each in the form {"overall": {metric: x}, "per_class": {"0": {metric: x}}}.

    `metrics`, `floor`: x is an Estimate; `reasons`: why a value is missing; `floor_n`: {"overall": n, ...}.
    """

    metrics: dict[str, dict]
    floor: dict[str, dict]
    reasons: dict[str, dict]
    floor_n: dict


def distances(
    scorers: Sequence[Scorer], images: Tensor, labels: Tensor, dataset: str, progress: Progress | None = None
) -> Distances:
    """Every metric of `distribution.METRICS` in the space of every judge among `scorers` that has one.

    uint8 [N, C, H, W] and int64 [N] in. Images without a label (all -1) are measured all together only.
    """
    train, test = RealSource("train", dataset), RealSource("test", dataset)
    classes = len(train.class_names)
    judges = [scorer for scorer in scorers if scorer.name in PREFIX and hasattr(scorer, "features")]
    floor_rows = as_many(test.data.labels, labels, classes)
    scopes = list(_scopes(labels, classes))
    found = {kind: {"overall": {}, "per_class": {str(d): {} for d in range(classes)}} for kind in Distances._fields}
    found["floor_n"] = {"overall": len(floor_rows), "per_class": {}}
    done = 0
    if progress and not judges:
        progress(1, 1)
    for judge in judges:
        ours, real = judge.features(images), judge.features(train.data.images)
        floor_features = judge.features(test.data.images)[floor_rows]
        for scope, label in scopes:
            rows = _rows(test.data.labels[floor_rows], label)
            names = METRICS + CMMD.get(judge.name, ())
            against = reference(judge.id, train, real, label, names)
            mine, theirs = ours[_rows(labels, label)], floor_features[rows]
            key = ("floor", judge.id, train.id, test.id, names, scope, floor_rows[rows].tolist())
            floor = _remembered(key, lambda r=against, f=theirs, n=names: r.measure(f, n))
            measured = floor if torch.equal(mine, theirs) else against.measure(mine, names)
            _enter(found, scope, PREFIX[judge.name], measured, floor)
            if scope != "overall":
                found["floor_n"]["per_class"][scope] = len(rows)
            done += 1
            if progress:
                progress(done, len(judges) * len(scopes))
    return Distances(**found)


def reference(judge: str, train: RealSource, features: Tensor, label: int | None, metrics: Sequence[str]) -> Reference:
    """The training images of one label, or all (None); what takes long is found once and kept."""
    rows, neighbours = features[_rows(train.data.labels, label)], NEIGHBOURS if label is None else NEIGHBOURS // 5
    about = ("reference", judge, train.id, label, neighbours, *metrics)
    known = cache.facts(about, lambda: Reference(rows, neighbours).known(metrics))
    return Reference(rows, neighbours, known=known)


def detectables(metrics: dict[str, dict], reference: dict[str, dict]) -> dict[str, dict]:
    """The smallest difference from `reference` that can be detected, for every metric that both have."""

    def row(ours: dict, real: dict) -> dict:
        sizes = {m: detectable(e, real[m]) for m, e in ours.items() if m in real}
        return {m: size for m, size in sizes.items() if size is not None}

    overall = row(metrics["overall"], reference["overall"])
    return {
        "overall": overall,
        "per_class": {d: row(e, reference["per_class"].get(d, {})) for d, e in metrics["per_class"].items()},
    }


def _scopes(labels: Tensor, classes: int) -> Iterator[tuple[str, int | None]]:
    yield "overall", None
    if (labels != UNLABELLED).all():
        yield from ((str(d), d) for d in range(classes))


def _rows(labels: Tensor, label: int | None) -> Tensor:
    """Indices of the images of `label`; of all images for None."""
    return torch.arange(len(labels)) if label is None else (labels == label).nonzero()[:, 0]


def as_many(real: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Indices of real images, as many of each class as `labels` has, or all where there are fewer."""
    shuffled = torch.randperm(len(real), generator=torch.Generator().manual_seed(0))
    if (labels == UNLABELLED).all():
        return shuffled[: len(labels)].sort().values
    counts = labels.bincount(minlength=classes).tolist()
    return torch.cat([shuffled[real[shuffled] == d][:n] for d, n in enumerate(counts)]).sort().values


def _remembered(key: tuple, measure: Callable[[], Measured]) -> Measured:
    def find() -> dict:
        estimates, reasons = measure()
        return {"estimates": {m: e.to_dict() for m, e in estimates.items()}, "reasons": reasons}

    kept = cache.facts(key, find)
    return Measured({m: Estimate(**e) for m, e in kept["estimates"].items()}, kept["reasons"])


def _enter(found: dict, scope: str, prefix: str, measured: Measured, floor: Measured) -> None:
    """Write one space's numbers of one scope under their names: "cmmd" is called so in every space."""

    def place(kind: str) -> dict:
        return found[kind]["overall"] if scope == "overall" else found[kind]["per_class"][scope]

    def named(values: dict) -> dict:
        return {m if m == "cmmd" else prefix + m: x for m, x in values.items()}

    place("metrics").update(named(measured.estimates))
    place("floor").update(named(floor.estimates))
    place("reasons").update(named(measured.reasons))
