"""The classes of a checkpoint's data set, as its pickers offer them. No gradio."""

from app.classes import numbered
from app.store import Store
from diffusion_core.data import spec


def known_classes(store: Store, key) -> list[tuple[str, str]]:
    """(name, number) of each class that a checkpoint knows, for a picker; none where there is no checkpoint."""
    return numbered(spec(store.meta(key).dataset).class_names) if key else []


def writes(store: Store, key) -> bool:
    """Whether a checkpoint draws digits, of which a number can be written."""
    return bool(key) and spec(store.meta(key).dataset).strokes


def still_known(known: list[tuple[str, str]], wanted, place: int) -> str | None:
    """`wanted` where it is one of these classes, else the one at `place`; None where there are too few."""
    numbers = [number for _, number in known]
    return wanted if wanted in numbers else numbers[place] if place < len(numbers) else None
