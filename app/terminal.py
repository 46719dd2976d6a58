"""What the command line shows to people: lines, tables, a progress bar."""

import sys
from argparse import Namespace

from tqdm import tqdm


def say(arguments: Namespace, *lines: str) -> None:
    """Print for people, at once even into a pipe; with `--json`, nothing."""
    if not arguments.json:
        print("\n".join(lines), flush=True)


def describe_report(report) -> str:
    """A table for the terminal: a row a digit, each value with its interval; the real ceiling below."""
    names = list(report.metrics["overall"])
    rows = [f"{report.source.name}: n = {report.plan['count']:,}, seed {report.plan['seed']}", _row("", names)]
    for label, metrics in report.metrics["per_class"].items():
        rows.append(_row(report.source.class_names[int(label)], [_cell(metrics[name]) for name in names]))
    rows.append(_row("all", [_cell(report.metrics["overall"][name]) for name in names]))
    rows.append(_row("real", [_cell(report.reference.metrics["overall"][name]) for name in names]))
    return "\n".join(rows)


def describe_comparison(comparison) -> str:
    """A row a metric, overall."""
    rows = [_row("", [comparison.a, comparison.b, "difference"])]
    for row in comparison.rows:
        if row.scope == "overall":
            mark = " *" if row.significant else ""
            rows.append(_row(row.metric, [_cell(row.a), _cell(row.b), _cell(row.difference) + mark]))
    return "\n".join(rows)


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

    def __init__(self, arguments: Namespace, what: str):
        self.bar = tqdm(desc=what, unit="img", file=sys.stderr, disable=arguments.json)

    def __enter__(self) -> "Bar":
        return self

    def __call__(self, done: int, total: int) -> None:
        self.bar.total = total
        self.bar.update(done - self.bar.n)

    def __exit__(self, *_) -> None:
        self.bar.close()
