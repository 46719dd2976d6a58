"""A command that takes the name of a data set and nothing else."""

import argparse
import sys
from collections.abc import Callable

from eval.errors import UserError


def of_a_data_set(work: Callable[[str], object], module: str) -> None:
    """Run `work` for the data set that the command line names; a user's mistake is one line, and ends with code 2."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=work.__doc__)
    parser.add_argument("data", nargs="?", default="mnist", help="data set (default mnist)")
    try:
        work(parser.parse_args().data)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
