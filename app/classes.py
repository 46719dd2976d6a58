"""What a data set's images and classes are called on the page. No gradio."""

from collections.abc import Sequence

from diffusion_core.data import absent, spec
from diffusion_core.errors import UserError
from eval.forms import at_hand

# The two classes that are taken for one another, of data sets where everybody asks for the same two.
PAIRS = {"mnist": (5, 6), "fashion": (0, 6), "cifar10": (3, 5)}


def noun(dataset: str) -> str:
    """What one image of a data set shows: "digit"; "image" of one that is not known on this machine."""
    try:
        return spec(dataset).noun
    except UserError:  # its reports open nevertheless
        return "image"


def drawn(dataset: str) -> str:
    """What models of a data set draw: "handwritten digits", but "garments"."""
    try:
        hand = "handwritten " * spec(dataset).strokes
    except UserError:
        hand = ""
    return f"{hand}{noun(dataset)}s"


def called(name: str, dataset: str) -> str:
    """A class where its name stands alone: "digit 5", but "ankle boot"."""
    return f"{noun(dataset)} {name}" if name.isdecimal() else name


def away(dataset: str) -> str:
    """Why no real image of a data set can be shown, and what to do; "" where they are on this machine."""
    try:
        return "" if at_hand(dataset) else absent(spec(dataset))
    except UserError as error:  # nobody here knows what it is
        return str(error)


def names(dataset: str, count: int) -> tuple[str, ...]:
    """Of `count` classes; their numbers where the data set is not known here, or has other classes."""
    try:
        found = spec(dataset).class_names
    except UserError:
        found = ()
    return found if len(found) == count else tuple(map(str, range(count)))


def numbered(class_names: Sequence[str]) -> list[tuple[str, str]]:
    """What a picker of a class offers: its name, and as the value, which stands in links, its number."""
    return [(name, str(label)) for label, name in enumerate(class_names)]


def pair(dataset: str, counts: Sequence[Sequence[int]]) -> tuple[int, int]:
    """The two classes to show first: those of `PAIRS`, else those of the commonest mistake in `counts` [K][K]."""
    known = PAIRS.get(dataset)
    if known and max(known) < len(counts):
        return known
    apart = [(n, r, c) for r, row in enumerate(counts) for c, n in enumerate(row) if r != c]
    _, r, c = max(apart, key=lambda entry: entry[0])
    return r, c
