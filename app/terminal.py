"""What the command line shows to people: lines, tables, a progress bar."""

import sys
from argparse import Namespace

from tqdm import tqdm

from app import comparison_text, report_text


def say(arguments: Namespace, *lines: str) -> None:
    """Print for people, at once even into a pipe; with `--json`, nothing."""
    if not arguments.json:
        print("\n".join(lines), flush=True)


def describe_report(report) -> str:
    """A report in about 110 columns: faults first, then class by class, as sets, recognition, copies, gaps."""
    return "\n".join(report_text.lines(report))


def describe_comparison(comparison, pairs: dict) -> str:
    """The main metrics, class by class, the flips, what differs in the making; the verdict last."""
    return "\n".join(comparison_text.lines(comparison, pairs))


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
