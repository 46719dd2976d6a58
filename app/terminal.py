"""What the command line shows to people: lines, tables, a progress bar."""

import sys
from argparse import Namespace

from tqdm import tqdm

from app import report_text

FLIPS = 8  # shown of a judge; all of them with --json


def say(arguments: Namespace, *lines: str) -> None:
    """Print for people, at once even into a pipe; with `--json`, nothing."""
    if not arguments.json:
        print("\n".join(lines), flush=True)


def describe_report(report) -> str:
    """A report in about 110 columns: faults first, then digit by digit, as sets, recognition, copies, gaps."""
    return "\n".join(report_text.lines(report))


def describe_comparison(comparison, pairs: dict) -> str:
    """Overall by metric, the main metric by digit with its p-values, the flips, and what differs in the making."""
    rows = [_row("", [comparison.a, comparison.b, "difference"])]
    for row in comparison.rows:
        if row.scope == "overall":
            rows.append(_row(row.metric, [_cell(row.a), _cell(row.b), _cell(row.difference) + " *" * row.significant]))
    metric = comparison.rows[0].metric if comparison.rows else ""
    rows += ["", _row(f"{metric} of", [comparison.a, comparison.b, "difference", "p (Holm)"])]
    for row in comparison.rows:
        if row.metric == metric and row.scope != "overall":
            p = "" if row.p is None else f"{row.p:.4f}"
            cells = [_cell(row.a), _cell(row.b), _cell(row.difference) + " *" * row.significant, p]
            rows.append(_row(comparison.class_names[int(row.scope)], cells))
    rows += ["", *_flips(comparison, pairs.get("flips", {})), *comparison.notes]
    rows += [f"{key}: {a} | {b}" for key, a, b in pairs["config"]]
    return "\n".join([*rows, ""])


def _flips(comparison, flips: dict) -> list[str]:
    """How many images changed sides, by judge, and the first of them."""
    lines = []
    for judge, sides in flips.items():
        for side, right in (("gained", comparison.b), ("lost", comparison.a)):
            some = ", ".join(f"{f['label']} (seed {f['seed']})" for f in sides[side][:FLIPS])
            more = ", ..." if len(sides[side]) > FLIPS else ""
            lines.append(f"{judge}: only {right} is right on {len(sides[side])}{': ' if some else ''}{some}{more}")
    return lines


def _row(head: str, cells: list[str]) -> str:
    return f"{head:16}" + "".join(f"{cell:>26}" for cell in cells)


def _cell(estimate) -> str:
    if estimate.value is None:
        return "no images"
    if estimate.low is None:
        return f"{estimate.value:.4f}"
    return f"{estimate.value:.4f} [{estimate.low:.4f}, {estimate.high:.4f}]"


class Bar:
    """A progress bar on stderr as a context; calling it with (done, total) moves it."""

    def __init__(self, arguments: Namespace, what: str, unit: str = "img"):
        self.bar = tqdm(desc=what, unit=unit, file=sys.stderr, disable=arguments.json)

    def __enter__(self) -> "Bar":
        return self

    def __call__(self, done: int, total: int) -> None:
        self.bar.total = total
        self.bar.update(done - self.bar.n)

    def __exit__(self, *_) -> None:
        self.bar.close()
