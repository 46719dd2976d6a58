"""A and B on the same labels and seeds: the pairs, the scores class by class, what made them. No gradio."""

from app import markup, words
from eval.compare import Comparison, Row
from eval.pairs import Ends, config_difference, flips, nearest_farthest, paired_rows
from eval.report import Report

ALL = "all"
ORDERS = {
    "differ": "Read differently first",
    "gained": "Only B is right",
    "lost": "Only A is right",
    "farthest": "Least alike",
    "nearest": "Most alike",
}


def pairs(a: Report, b: Report, label: str, order: str, judge: str) -> list[tuple[int, int]]:
    """(row of A, row of B) of the pairs of one class, or of all, as `order` asks; `judge` decides what is right."""
    if order in ("gained", "lost"):
        found = [(flip.row_a, flip.row_b) for flip in getattr(flips(a, b, judge), order)]
    elif order in Ends._fields:
        ends = nearest_farthest(a, b, len(a.table))
        found = [(pair.row_a, pair.row_b) for pair in getattr(ends, order)]
    else:
        found = _differing_first(a, b)
    labels = a.table["label"].to_numpy()
    return [pair for pair in found if label == ALL or labels[pair[0]] == int(label)]


def _differing_first(a: Report, b: Report) -> list[tuple[int, int]]:
    """A judge that is right about one only counts twice, one that reads two classes counts once."""
    rows_a, rows_b = paired_rows(a, b)
    asked, weight = a.table["label"].to_numpy()[rows_a], 0
    for judge in words.JUDGES:
        column = f"{judge}_label"
        if column in a.table and column in b.table:
            left, right = a.table[column].to_numpy()[rows_a], b.table[column].to_numpy()[rows_b]
            weight = weight + 2 * ((left == asked) != (right == asked)) + (left != right)
    order = sorted(range(len(rows_a)), key=lambda i: -weight[i])
    return [(int(rows_a[i]), int(rows_b[i])) for i in order]


def by_class(comparison: Comparison, metric: str) -> str:
    """One metric class by class: the difference and its p-value after Holm's correction."""
    unit, rows = words.METRICS[metric].unit, []
    for row in comparison.rows:
        if row.metric == metric and row.scope != "overall":
            a, b = (words.show(e.value, unit) for e in (row.a, row.b))
            rows.append((comparison.class_names[int(row.scope)], a, b, difference(row, unit), told_apart(row)))
    title = words.long_title(words.METRICS[metric])
    return markup.table(("class", "A", "B", "B − A", "better"), rows, f"{title}, class by class") if rows else ""


def difference(row: Row, unit: str) -> tuple[str, str]:
    """("+1.2 points", "+0.3 to +2.1")."""
    d = row.difference
    if d.value is None:
        return "–", ""
    scale, suffix, places = (100, " points", 1) if unit == "%" else (1, "", 3)
    interval = "" if d.low is None else f"{scale * d.low:+.{places}f} to {scale * d.high:+.{places}f}"
    return words.minus(f"{scale * d.value:+.{places}f}{suffix}"), words.minus(interval)


def told_apart(row: Row) -> tuple[str, str]:
    """Which side is better beyond chance ("higher" where no side is the better one), and the p-value."""
    if row.p is None:
        return "–", "too few images"
    chance = "p < 0.001" if row.p < 0.001 else f"p = {row.p:.3f}"
    if row.tuned:
        return "no evidence", "trained against it"
    if not row.significant:
        return "neither", chance
    if row.better is None:
        return f"{'B' if row.difference.value > 0 else 'A'} higher", chance
    return row.better.upper(), chance


def made_differently(a: Report, b: Report) -> str:
    """What is on record of how A and B were made, where it differs."""
    rows = [(key, _short(one), _short(other)) for key, one, other in config_difference(a, b)]
    if not rows:
        return ""
    table = markup.table(("", "A", "B"), rows, "Differences")
    return f"<details><summary>How A and B were made</summary>{table}</details>"


def _short(value: object) -> str:
    text = "–" if value in (None, [], "") else f"{value:,}" if isinstance(value, int) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
