"""A comparison as lines of text for the terminal, about 110 columns wide."""

from textwrap import wrap

from app import words
from eval.compare import Comparison, Row
from eval.formats import NOTHING, decimals, minus, show_estimate

WIDTH = 110
MAIN = (
    "accuracy", "second_accuracy", "knn_accuracy", "clip_accuracy", "clip_margin", "disagreement",
    "fd", "recall", "coverage", "vendi", "memorised",
)  # fmt: skip
FLIPS = 8  # shown of a judge; all of them with --json


def lines(comparison: Comparison, pairs: dict) -> list[str]:
    """The main metrics, the first of them class by class, the flips, what differs in the making, the verdict."""
    overall = {row.metric: row for row in comparison.rows if row.scope == "overall"}
    shown = [overall[metric] for metric in MAIN if metric in overall]
    rest = len(overall) - len(shown)
    out = [f"A: {comparison.a}", f"B: {comparison.b}", "", _line("", "A", "B", "B − A", "p")]
    out += [_row(words.METRICS[row.metric].title, row) for row in shown]
    out += [f"({rest} more metrics: --json or --out)"] if rest else []
    out += _classes(comparison, shown[0].metric) if shown else []
    out += ["", *_flips(comparison, pairs.get("flips", {}))]
    out += [line for note in comparison.notes for line in _wrapped(note)]
    made = [f"{key}: {a} | {b}" for key, a, b in pairs["config"]]
    return [*out, *(["Made differently (A | B):", *made] if made else []), "", *_wrapped(comparison.verdict)]


def _classes(comparison: Comparison, metric: str) -> list[str]:
    rows = [row for row in comparison.rows if row.metric == metric and row.scope != "overall"]
    title = words.METRICS[metric].title
    head = ["", f"{title}, class by class; p after Holm's correction over the classes:"]
    return [*head, *(_row(comparison.class_names[int(row.scope)], row) for row in rows)]


def _row(title: str, row: Row) -> str:
    unit, d = words.METRICS[row.metric].unit, row.difference
    places = max(decimals([row.a, row.b, d], unit), 1 if unit == "%" else 0)
    sign = "+" if d.value is not None and d.value > 0 else ""
    change = sign + show_estimate(d, unit, places).replace(" %", " points", 1)
    p = NOTHING if row.p is None else "<0.001" if row.p < 0.001 else f"{row.p:.3f}"
    return _line(title, *(show_estimate(e, unit, places) for e in (row.a, row.b)), change, p)


def _line(title: str, a: str, b: str, change: str, p: str) -> str:
    return f"{title:28}{a:24}{b:24}{change:28}{p:>8}".rstrip()


def _flips(comparison: Comparison, flips: dict) -> list[str]:
    """How many images changed sides, by judge, and the first of them."""
    found = []
    for judge, sides in flips.items():
        for side, right in (("gained", "B"), ("lost", "A")):
            some = ", ".join(f"{comparison.class_names[f['label']]} (seed {f['seed']})" for f in sides[side][:FLIPS])
            more = ", ..." if len(sides[side]) > FLIPS else ""
            what = f"{words.JUDGES[judge]}: only {right} is right on {len(sides[side])}"
            found += _wrapped(f"{what}: {some}{more}" if some else what)
    return [*found, ""] if found else []


def _wrapped(text: str) -> list[str]:
    return wrap(minus(text), WIDTH, subsequent_indent="  ")
