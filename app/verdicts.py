"""What each judge said of one image, from the score columns of a table or of a scorer. No gradio."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from app.words import JUDGES
from eval.report import Report


class Verdict(NamedTuple):
    """One judge, one image: the class it read, the probability it gave to that, and to the class asked for."""

    judge: str  # a key of JUDGES
    asked: int
    judged: int
    p_judged: float
    p_asked: float
    read: str  # what the class judged is called

    @property
    def right(self) -> bool:
        return self.asked == self.judged


def readers(report: Report) -> list[tuple[str, str]]:
    """(name, key) of the judges that read the images of a report."""
    return [(name, judge) for judge, name in JUDGES.items() if judge in report.confusions]


def judged(table: Mapping, judge: str) -> np.ndarray | None:
    """The classes that `judge` read, int [N]; None if it did not score this table."""
    column = f"{judge}_label"
    return np.asarray(table[column]).astype(int) if column in table else None


def probabilities(table: Mapping, judge: str) -> np.ndarray:
    """The probabilities `judge` gave to every class, float [N, K]."""
    columns = []
    while f"{judge}_p{len(columns)}" in table:
        columns.append(np.asarray(table[f"{judge}_p{len(columns)}"]))
    return np.stack(columns, 1)


def verdicts(table: Mapping, asked: np.ndarray, names: Sequence[str] | None = None) -> list[list[Verdict]]:
    """For each of the N rows, the verdict of every judge that scored it. `asked` is int [N].

    `names`: what the classes are called; None: by their numbers.
    """
    rows: list[list[Verdict]] = [[] for _ in range(len(asked))]
    for judge in JUDGES:
        read = judged(table, judge)
        if read is None:
            continue
        p = probabilities(table, judge)
        for i, row in enumerate(rows):
            said = names[read[i]] if names else str(read[i])
            row.append(Verdict(judge, int(asked[i]), int(read[i]), float(p[i, read[i]]), float(p[i, asked[i]]), said))
    return rows


def worst_first(table: Mapping, rows: np.ndarray, judge: str) -> np.ndarray:
    """`rows` (int [M], indices into the table), least probable class asked for first; ties in table order."""
    p = probabilities(table, judge)
    asked = np.asarray(table["label"]).astype(int)
    return rows[np.argsort(p[rows, asked[rows]], kind="stable")]
