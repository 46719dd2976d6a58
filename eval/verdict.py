"""One sentence about a comparison that can be trusted: size, certainty, classes, the other judges, variety.

It rests on the first accuracy of a judge that neither side was trained against, and says where others differ.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from eval.significance import LEVEL, holm
from eval.words import SPACES

if TYPE_CHECKING:
    from eval.compare import Comparison, Row


class Judge(NamedTuple):
    """An accuracy, whose it is, and how the sentence calls it."""

    metric: str
    who: str
    title: str


JUDGES = (
    Judge("accuracy", "the classifier", "accuracy"),
    Judge("second_accuracy", "the second classifier", "second-classifier accuracy"),
    Judge("knn_accuracy", "nearest neighbours", "nearest-neighbour accuracy"),
    Judge("clip_accuracy", "CLIP", "CLIP accuracy"),
)
VARIETY = ("recall", "coverage", "vendi")


def verdict(c: "Comparison") -> str:
    """b against a, in one sentence."""
    overall = {row.metric: row for row in c.rows if row.scope == "overall"}
    present = [judge for judge in JUDGES if judge.metric in overall]
    if not present:
        return f"{c.b} and {c.a} have no accuracy in common to compare."
    if overall[present[0].metric].difference.value is None:
        return f"{c.b} and {c.a} cannot be compared: there are no images."
    fair = [judge for judge in present if not overall[judge.metric].tuned]
    if not fair:
        size = _size(c, present[0], overall[present[0].metric])
        return (
            f"{c.b} and {c.a} cannot be compared: one of them was trained against {_list(j.who for j in present)}, "
            f"so {size} is no evidence."
        )
    main, *others = fair
    sign = _sign(overall[main.metric])
    head = "and {a} cannot be told apart" if sign == 0 else f"is {'better' if sign > 0 else 'worse'} than {{a}}"
    parts = [
        f"{c.b} {head.format(a=c.a)}: {_size(c, main, overall[main.metric])}",
        _classes(c, main),
        _variety(overall, sign),
        *_others(c, sign, [(judge, overall[judge.metric]) for judge in others]),
        _not_counted(judge for judge in present if judge not in fair),
    ]
    return "; ".join(filter(None, parts)) + "."


def _size(c: "Comparison", judge: Judge, row: "Row") -> str:
    """ "accuracy +32.9 points (95 % +30.8 to +34.9, n = 2,000 pairs)"."""
    d = row.difference
    n = f"{c.n:,} pairs" if c.paired else f"{row.b.n:,} and {row.a.n:,} images, independent groups"
    return f"{judge.title} {_points(d.value)} points (95 % {_points(d.low)} to {_points(d.high)}, n = {n})"


def _classes(c: "Comparison", judge: Judge) -> str:
    """The classes whose difference is beyond chance after Holm's correction."""
    rows = [row for row in c.rows if row.metric == judge.metric and row.scope != "overall"]

    def named(sign: int) -> str:
        found = [c.class_names[int(row.scope)] for row in rows if _sign(row) == sign]
        return "every class" if len(found) == len(c.class_names) else _list(found)

    return f"better on {named(1)}, worse on {named(-1)}"


def _variety(overall: dict[str, "Row"], sign: int) -> str:
    """Variety that moved against the verdict; three measures share one 5 % chance of a false alarm."""
    fair = [s for s in SPACES if s + VARIETY[0] in overall and not overall[s + VARIETY[0]].tuned]
    rows = [overall[fair[0] + m] for m in VARIETY if fair and fair[0] + m in overall]
    certain = [row for row, p in zip(rows, holm([row.p for row in rows]), strict=True) if p is not None and p < LEVEL]
    parts = []
    for direction, word in ((-1, "less"), (1, "more")):
        moved = [row for row in certain if row.difference.value * direction > 0]
        if moved and sign != direction:
            sizes = _list(f"{row.metric.replace('_', ' ')} {row.difference.value:+.2g}" for row in moved)
            parts.append(f"{'but ' if sign else ''}{word} varied: {sizes}")
    return "; ".join(parts)


def _others(c: "Comparison", sign: int, rows: list[tuple[Judge, "Row"]]) -> list[str]:
    """Which of the other judges agree about the sign and its certainty, and what the rest say."""
    agree = [judge.who for judge, row in rows if _sign(row) == sign]
    parts = []
    for judge, row in rows:
        if _sign(row) == sign:
            continue
        what = {0: "they cannot be told apart", 1: f"{c.b} is better", -1: f"{c.b} is worse"}[_sign(row)]
        parts.append(f"but by {judge.who} {what} ({_points(row.difference.value)} points)")
    if agree:
        verb = "agrees" if len(agree) == 1 and not agree[0].endswith("neighbours") else "agree"
        parts.insert(0, f"{_list(agree)} {verb}")
    return parts


def _not_counted(judges: Iterable[Judge]) -> str:
    names = [judge.who for judge in judges]
    return f"not counted, because one of them was trained against it: {_list(names)}" if names else ""


def _sign(row: "Row") -> int:
    """+1 where b's value is higher beyond chance, -1 where it is lower, else 0."""
    return 0 if not row.significant else 1 if row.difference.value > 0 else -1


def _points(share: float) -> str:
    """0.081 -> "+8.1" percentage points."""
    return f"{100 * share:+.1f}"


def _list(names: Iterable[str]) -> str:
    """("3", "8", "9") -> "3, 8 and 9"; nothing -> "none"."""
    *first, last = list(names) or ["none"]
    return f"{', '.join(first)} and {last}" if first else last
