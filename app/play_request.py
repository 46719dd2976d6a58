"""What the Play tab was asked for: what a browser sends becomes plain values here, or a `UserError`. No gradio."""

from typing import NamedTuple

from app.request import CLASSES, MAX_SEED, amount, whole
from diffusion_core.errors import UserError

SECTIONS = {"walk": "Walk", "hand": "One hand", "poster": "Poster"}
READ = "read"  # which digit the example is: as the classifier reads it
ALONG = "guidance"  # a walk along guidance, instead of to another class
ORDERED = "columns"  # a poster with a column a class, instead of a big digit
SIZES = {"20x10": (20, 10), "30x20": (30, 20), "40x25": (40, 25)}


class Settings(NamedTuple):
    """The values of the page's controls, as they are sent and, by `checked`, as they are meant."""

    section: str
    key: str
    seed: int
    one: int
    other: int | None  # class; None = along guidance
    other_seed: int
    text: str
    variation: float
    example: str  # "" or a PNG data URI
    label: int | None  # digit of the example; None = as it is read
    number: int | None  # of a poster; None = a column a class
    size: tuple[int, int]


def checked(classes: int, *sent) -> Settings:
    """The settings of the page, of a checkpoint that knows so many classes; `UserError` for a value that is none.

    The text is checked where it is written.
    """
    raw = Settings(*sent)
    if not isinstance(raw.section, str) or raw.section not in SECTIONS:
        raise UserError("Choose what to play.")
    if not isinstance(raw.size, str) or raw.size not in SIZES:
        raise UserError("Choose one of the sizes on offer.")
    return raw._replace(
        seed=whole(raw.seed, "The seed", 0, MAX_SEED),
        one=whole(raw.one, "The first class", 0, classes - 1, text=True),
        other=None if raw.other == ALONG else whole(raw.other, "The other class", 0, classes - 1, text=True),
        other_seed=whole(raw.other_seed, "The other seed", 0, MAX_SEED),
        variation=amount(raw.variation, "The variation", 0, 1),
        example="" if raw.example is None else raw.example,
        label=None if raw.label == READ else digit(raw.label, "The digit of the example"),
        number=None if raw.number == ORDERED else digit(raw.number, "The big digit"),
        size=SIZES[raw.size],
    )


def digit(value, name: str) -> int:
    return whole(value, name, 0, CLASSES - 1, text=True)
