"""Which images the report page shows: samples in their order, the most doubtful ones, the closest training images."""

import numpy as np
from torch import Tensor

from eval.errors import UserError
from eval.formats import probability
from eval.forms import form
from eval.html_parts import Sprite
from eval.report import Report
from eval.sources import RealSource
from eval.summary import JUDGES as READERS
from eval.summary import UNLABELLED
from eval.words import JUDGES

STRIP = 32  # samples of a class
STRIP_UNLABELLED = 160
DOUBTFUL = 24
CLOSEST = 12


def strips(report: Report, sprite: Sprite) -> list[dict]:
    """The first samples of each class in the order of the table, so that none is picked; of all, where unlabelled.

    Nothing, here and below, where the images are not on this machine.
    """
    if report.images is None:
        return []
    labels, names = report.table["label"].to_numpy(), report.source.class_names
    found = []
    for label in np.unique(labels).tolist():
        rows = np.flatnonzero(labels == label)
        some = rows[: STRIP_UNLABELLED if label == UNLABELLED else STRIP]
        name = "all" if label == UNLABELLED else names[label]
        tiles = [sprite.tile(report.images[i], _named(report, i)) for i in some.tolist()]
        found.append({"name": name, "n": f"{len(rows):,}", "tiles": tiles})
    return found


def doubtful(report: Report, sprite: Sprite) -> list[dict]:
    """The samples that the judges doubt most, worst first, with what each of them reads.

    Doubt: the mean over the judges of 1 - the probability of the class asked for; without labels, of the class
    that this judge itself reads.
    """
    table = report.table
    readings = {judge: _probabilities(report, judge) for judge in READERS if f"{judge}_label" in table}
    if not readings or report.images is None:
        return []
    labels = table["label"].to_numpy()
    asked = labels if (labels != UNLABELLED).all() else None
    everyone = np.arange(len(table))
    sure = [p.max(1) if asked is None else p[everyone, asked] for p in readings.values()]
    order = np.argsort(np.mean(sure, axis=0), kind="stable")[:DOUBTFUL]
    return [_doubt(report, i, readings, asked, sprite) for i in order.tolist()]


def _doubt(report: Report, i: int, readings: dict, asked, sprite: Sprite) -> dict:
    names, lines = report.source.class_names, []
    for judge, p in readings.items():
        read = int(report.table[f"{judge}_label"].iloc[i])
        kind = "" if asked is None else "right" if read == asked[i] else "wrong"
        lines.append({"judge": JUDGES[judge], "read": names[read], "p": probability(float(p[i, read])), "kind": kind})
    return {"tile": sprite.tile(report.images[i], _named(report, i)), "name": _named(report, i), "lines": lines}


def _probabilities(report: Report, judge: str) -> np.ndarray:
    """What `judge` gave to every class: [N, K]."""
    return report.table[[f"{judge}_p{d}" for d in range(len(report.source.class_names))]].to_numpy()


def closest(report: Report, sprite: Sprite) -> list[dict]:
    """Samples beside the training image nearest to each; no training image is shown where the data are not there."""
    found = [] if report.images is None else report.details.get("closest", [])[:CLOSEST]
    train = _training(report) if found else None
    names, pairs = report.source.class_names, []
    for pair in found:
        index = pair["train_index"]
        beside, what = "", f"training image {index}"
        if train and index < len(train[0]):
            what = f"training image {index}: {names[int(train[1][index])]}"
            beside = sprite.tile(train[0][index], what)
        distances = [None if pair[k] is None else f"{pair[k]:.2f}" for k in ("train_distance", "test_distance")]
        ours = sprite.tile(report.images[pair["row"]], _named(report, pair["row"]))
        pairs.append({"ours": ours, "name": _named(report, pair["row"]), "theirs": beside, "what": what}
                     | dict(zip(("train", "test"), distances, strict=True)))  # fmt: skip
    return pairs


def on_paper(report: Report) -> bool:
    """Whether the images are strokes of a pen; no where nobody knows their data set."""
    try:
        return form(report.source.dataset).strokes
    except UserError:
        return False


def _training(report: Report) -> tuple[Tensor, Tensor] | None:
    """Training images and labels; None where they cannot be read or have another form."""
    try:
        data = RealSource("train", report.source.dataset).data
    except UserError:
        return None
    same = data.images.shape[1:] == report.images.shape[1:]
    return (data.images, data.labels) if same else None


def _named(report: Report, i: int) -> str:
    """ "5, seed 55": how to make this image again. Real images and files are numbered, too, by their seed."""
    row = report.table.iloc[i]
    name = "" if row["label"] == UNLABELLED else f"{report.source.class_names[int(row['label'])]}, "
    return f"{name}{'test image' if report.source.kind == 'real' else 'seed'} {int(row['seed'])}"
