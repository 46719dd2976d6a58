"""One colour a checkpoint, the same in every table and figure of the page. No gradio."""

from collections.abc import Iterable

from app.entries import FAVOURITE, REAL, Entry
from app.figures import REAL as REAL_COLOUR
from app.store import Store

# Three to one and more against light and dark paper, and told apart by every common kind of colour vision, from the
# green of real images too (tests/test_app_compare_more.py).
PALETTE = ("#3377cc", "#ee6622", "#556655", "#aa4499", "#cc0000", "#9988bb", "#8800ff", "#cc55ff")

OTHER = "#808080"  # a visitor's own samples; the second of two reports of one checkpoint


def coloured(names: Iterable[str]) -> dict[str, str]:
    """A colour a name, by its place among all names in order, over again after eight; real images are green."""
    places = enumerate(sorted(set(names) - {REAL}))
    return {name: PALETTE[place % len(PALETTE)] for place, name in places} | {REAL: REAL_COLOUR}


def colours(store: Store) -> dict[str, str]:
    """A colour for each folder with a checkpoint, a training log or a report, damaged ones included."""
    entries = (*store.checkpoints(), *store.runs(), *store.reports())
    groups: dict[str, set[str]] = {}  # what is never shown together may have the same colour
    for name, dataset in _data_sets(entries).items():
        groups.setdefault(dataset, set()).add(name)
    return {name: colour for names in groups.values() for name, colour in coloured(names).items()}


def _data_sets(entries: Iterable[Entry]) -> dict[str, str]:
    """Whose images each name draws; one that does not say so counts to the first data set."""
    found: dict[str, str] = {}
    for entry in entries:
        name = entry.key.split("/")[0]
        found[name] = found.get(name) or entry.dataset
    return {name: dataset or FAVOURITE for name, dataset in found.items()}


def colour_of(store: Store, key: str) -> str:
    """The colour of the checkpoint that a report is of."""
    return colours(store).get(key.split("/")[0], OTHER)


def pair_colours(store: Store, key_a: str, key_b: str) -> tuple[str, str]:
    """Of A and B, never the same."""
    a, b = colour_of(store, key_a), colour_of(store, key_b)
    return a, OTHER if a == b else b
