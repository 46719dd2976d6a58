"""What the page can offer: checkpoints, reports and runs as entries of lists, in their order. No gradio."""

from typing import NamedTuple

from diffusion_core.errors import UserError

REAL = "real"  # the folder whose reports judge real test images
FAVOURITE = "mnist"  # the checkpoint, and the data set, that are shown first where they exist


class Entry(NamedTuple):
    """Something the page can offer. `problem` is None, or one line that says why it cannot be used.

    `dataset`: whose images it draws or is about; "" where nothing says so.
    """

    key: str
    title: str
    problem: str | None = None
    dataset: str = ""


def usable(entries: list[Entry]) -> list[Entry]:
    """Those without a problem."""
    return [entry for entry in entries if entry.problem is None]


def alike(entries: list[Entry], dataset: str) -> list[Entry]:
    """Those of one data set, and those of which nothing says whose images they draw."""
    return [entry for entry in entries if entry.dataset in (dataset, "")]


def of_data_sets(entries: list[Entry]) -> list[Entry]:
    """The entries; where they are of several data sets, each says in its title which, unless its name does."""
    if len({entry.dataset for entry in entries if entry.dataset}) < 2:
        return entries
    return [entry if _says(entry) else entry._replace(title=_with_data_set(entry)) for entry in entries]


def _says(entry: Entry) -> bool:
    return f"{entry.key.split('/')[0]}-".startswith(f"{entry.dataset}-")


def _with_data_set(entry: Entry) -> str:
    """ "shoes · 100 garments" -> "shoes · fashion, 100 garments"."""
    return entry.title.replace(" · ", f" · {entry.dataset}, " if entry.dataset else " · ", 1)


def known(key: str, entries: list[Entry], noun: str) -> str:
    """`key` if it is on offer and whole; `UserError` otherwise. The key itself is never shown at length."""
    for entry in entries:
        if entry.key == key:
            if entry.problem:
                raise UserError(f"'{entry.key}' is unavailable: {entry.problem}")
            return entry.key
    if not usable(entries):
        raise UserError(f"There is no {noun} yet.")
    raise UserError(f"There is no {noun} '{str(key)[:40]}'. Choose one from the list.")


def rank(entry: Entry) -> tuple:
    """Damaged ones and real images last, the favourite first, then its data set's, then one data set after another."""
    name = entry.key.split("/")[0]
    others = entry.dataset != FAVOURITE, entry.dataset
    return entry.problem is not None, name == REAL, name != FAVOURITE, *others, name
