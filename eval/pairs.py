"""Two reports' images side by side: the rows that share (label, seed), and what differs between them.

Images of two checkpoints that share label and seed grew from the same noise, which makes them a pair. Whether
those of other programs and files do is theirs to know: a test of pairs that share only their name is as valid as
one of independent groups, and gains nothing.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eval.errors import UserError
from eval.metrics import confusion
from eval.report import Report


class Flip(NamedTuple):
    """A pair of which one image is read as the class asked for, and the other is not."""

    label: int
    seed: int
    row_a: int
    row_b: int
    judged_a: int
    judged_b: int


class Flips(NamedTuple):
    """`lost`: a is right and b is wrong; `gained`: a is wrong and b is right. In the order of a's table."""

    lost: list[Flip]
    gained: list[Flip]


class Apart(NamedTuple):
    """A pair and how far its images are from each other: Euclidean, a pixel counted in [0, 1]."""

    row_a: int
    row_b: int
    distance: float


class Ends(NamedTuple):
    """The pairs that are most alike, the nearest first, and those that are least, the farthest first."""

    nearest: list[Apart]
    farthest: list[Apart]


def unpaired(a: Report, b: Report) -> str | None:
    """Why the images are no pairs; None where they are.

    Two checkpoints always are: `paired_rows` refuses plans that differ. Other images are where they carry seeds,
    and the same ones.
    """
    if a.source.kind == b.source.kind == "checkpoint":
        return None
    for report in (a, b):
        if report.source.kind == "real":
            return "real images grew from no seed"
        if not report.source.seeded:
            return f"nobody said which seeds the images of {report.source.name} have"
    return None if _matched(a, b) else "the labels and seeds are not the same"


def are_pairs(a: Report, b: Report) -> bool:
    """Whether row for row the images share label and seed."""
    return unpaired(a, b) is None


def paired_rows(a: Report, b: Report) -> tuple[NDArray, NDArray]:
    """Rows of a and of b, int [N] each, with the same (label, seed), in the order of a's table.

    `UserError` where they are no pairs, or the plans of two checkpoints differ.
    """
    if reason := unpaired(a, b):
        raise UserError(f"These images are no pairs: {reason}.")
    matched = _matched(a, b)
    if matched is None:
        raise UserError(_other_plan(a, b))
    order_a, order_b = matched
    rows_b = np.empty(len(order_a), dtype=np.int64)
    rows_b[order_a] = order_b
    return np.arange(len(order_a)), rows_b


def flips(a: Report, b: Report, judge: str) -> Flips:
    """The pairs on which `judge` ("classifier", "second", "knn", "clip") finds one side right and one wrong."""
    rows_a, rows_b, asked, read_a, read_b = _read(a, b, judge)
    seeds = a.table["seed"].to_numpy()[rows_a]
    every = np.stack([asked, seeds, rows_a, rows_b, read_a, read_b], axis=1)
    right_a, right_b = read_a == asked, read_b == asked
    lost, gained = every[right_a & ~right_b].tolist(), every[right_b & ~right_a].tolist()
    return Flips([Flip(*row) for row in lost], [Flip(*row) for row in gained])


def matrix_difference(a: Report, b: Report, judge: str) -> list[list[int]]:
    """b's confusion matrix minus a's: rows = class asked for, columns = class that `judge` reads. Rows sum to 0."""
    _, _, asked, read_a, read_b = _read(a, b, judge)
    classes = len(a.source.class_names)
    return (confusion(asked, read_b, classes) - confusion(asked, read_a, classes)).tolist()


def nearest_farthest(a: Report, b: Report, count: int = 12) -> Ends:
    """The `count` pairs whose images are nearest, and farthest; fewer where there are fewer pairs."""
    rows_a, rows_b = paired_rows(a, b)
    squared = (a.images[rows_a].int() - b.images[rows_b].int()).square().flatten(1).sum(1).numpy()
    distance = np.sqrt(squared) / 255

    def first(order: NDArray) -> list[Apart]:
        return [Apart(int(rows_a[i]), int(rows_b[i]), float(distance[i])) for i in order[:count]]

    return Ends(first(np.argsort(squared, kind="stable")), first(np.argsort(-squared, kind="stable")))


def config_difference(a: Report, b: Report) -> list[tuple[str, object, object]]:
    """(key, value in a, value in b) of everything on record that differs; None where one has no such key.

    Keys: "weights" (sha256, first 12), "images_seen", "parent", "rewards", "network.<field>", "train.<field>",
    "settings", "sample.<field>", "plan.<field>", "revision", "packages.<name>". Values are plain JSON types.
    """
    ours, theirs = _record(a), _record(b)
    keys = [*ours, *(key for key in theirs if key not in ours)]
    return [(key, ours.get(key), theirs.get(key)) for key in keys if ours.get(key) != theirs.get(key)]


def _record(report: Report) -> dict[str, object]:
    """What a report says of how its images were made, flat."""
    source, config = report.source, report.source.config or {}
    return {
        "weights": source.sha256 and source.sha256[:12],
        "images_seen": source.images_seen,
        "parent": config.get("parent"),
        "rewards": list(source.rewards),
        **{f"{part}.{key}": value for part in ("network", "train") for key, value in config.get(part, {}).items()},
        "settings": source.settings,
        **{f"sample.{key}": value for key, value in (source.sample or {}).items()},
        **{f"plan.{key}": value for key, value in report.plan.items()},
        "revision": report.revision,
        **{f"packages.{key}": value for key, value in report.packages.items()},
    }


def _read(a: Report, b: Report, judge: str) -> tuple[NDArray, ...]:
    """Rows of a, rows of b, the classes asked for, what `judge` reads in a and in b; int [N] each."""
    rows_a, rows_b = paired_rows(a, b)
    column = f"{judge}_label"
    if column not in a.table or column not in b.table:
        raise ValueError(f"no judge '{judge}' read both reports")
    asked = a.table["label"].to_numpy()[rows_a]
    return rows_a, rows_b, asked, a.table[column].to_numpy()[rows_a], b.table[column].to_numpy()[rows_b]


def _matched(a: Report, b: Report) -> tuple[NDArray, NDArray] | None:
    """Orders of both tables in which (label, seed) are the same row for row; None where they are not the same."""
    keys = [r.table[["label", "seed"]].to_numpy() for r in (a, b)]  # [N, 2]
    orders = [np.lexsort(key.T) for key in keys]
    same = np.array_equal(*(key[order] for key, order in zip(keys, orders, strict=True)))
    return (orders[0], orders[1]) if same else None


def _other_plan(a: Report, b: Report) -> str:
    """What differs between two plans, and what to do."""
    plans = [_plan(report) for report in (a, b)]
    if plans[0] == plans[1]:
        return f"These reports have the same plan, {plans[0]}, but other seeds. Score both again."
    return (
        f"These reports are not on the same plan: {plans[0]}, and {plans[1]}. "
        "Score both with the same --per-class and --seed."
    )


def _plan(report: Report) -> str:
    """ "100 per class from seed 0"; the classes are named where they are not all."""
    plan, names = report.plan, report.source.class_names
    count = "all" if plan["per_class"] is None else f"{plan['per_class']:,}"
    chosen = "" if len(plan["labels"]) == len(names) else f" of {', '.join(names[d] for d in plan['labels'])}"
    return f"{count} per class{chosen} from seed {plan['seed']}"
