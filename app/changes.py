"""What changed from A to B, cell by cell of the confusion matrix, and the pairs behind a cell. No gradio."""

from html import escape

import numpy as np

from app import classes, markup, matrix, words
from eval.pairs import are_pairs, matrix_difference, paired_rows
from eval.report import Report

Cell = tuple[int, int]  # the class asked for, the class read


def comparable(a: Report, b: Report, judge: str) -> bool:
    """Whether there are cells to hold against each other: pairs that one judge has read on both sides."""
    return are_pairs(a, b) and judge in a.confusions and judge in b.confusions


def default_cell(a: Report, b: Report, judge: str) -> Cell:
    """The mistake that changed most; the commonest of B where none did."""
    changed = np.abs(matrix_difference(a, b, judge))
    np.fill_diagonal(changed, 0)
    if not changed.any():
        return matrix.default_cell(b.confusions[judge], classes.pair(b.source.dataset, b.confusions[judge]))
    r, c = np.unravel_index(changed.argmax(), changed.shape)
    return int(r), int(c)


def grid(a: Report, b: Report, judge: str, cell: Cell) -> str:
    """B's matrix minus A's; a cell opens its pairs."""
    names = b.source.class_names
    return matrix.change(a.confusions[judge], b.confusions[judge], names, cell, words.the(judge))


def pairs_of(a: Report, b: Report, judge: str, cell: Cell) -> list[tuple[int, int]]:
    """(row of A, row of B) of the pairs that A or B has in the cell, those that only one has first."""
    rows_a, rows_b = paired_rows(a, b)
    asked = a.table["label"].to_numpy()[rows_a] == cell[0]
    in_a = asked & (a.table[f"{judge}_label"].to_numpy()[rows_a] == cell[1])
    in_b = asked & (b.table[f"{judge}_label"].to_numpy()[rows_b] == cell[1])
    one, both = np.flatnonzero(in_a ^ in_b), np.flatnonzero(in_a & in_b)
    return [(int(rows_a[i]), int(rows_b[i])) for i in (*one, *both)]


def about(a: Report, b: Report, judge: str, cell: Cell) -> str:
    """ "Asked for 5, read as 6 by the classifier: 3 in A, 1 in B, 0 in both." """
    (r, c), names = cell, a.source.class_names
    before, after = a.confusions[judge][r][c], b.confusions[judge][r][c]
    both = before + after - len(pairs_of(a, b, judge, cell))
    return (
        f"Asked for {names[r]}, read as {names[c]} by {words.the(judge)}: {before:,} in A, {after:,} in B, "
        f"{both:,} of them the same label and seed."
    )


def heading(a: Report, b: Report, judge: str, cell: Cell, link: str) -> str:
    """`about` as the heading of a cell's pairs, with the button that copies its address."""
    return f"<h3>{escape(about(a, b, judge, cell))}</h3>" + (markup.link_button(link) if link else "")
