"""The classes of a checkpoint's data set, as the page offers them. No gradio."""

from app.store import Store
from diffusion_core.data import spec


def known_classes(store: Store, key) -> list[tuple[str, str]]:
    """(name, number) of each class of a checkpoint's data set, for a picker; none where there is no checkpoint."""
    names = spec(store.meta(key).dataset).class_names if key else ()
    return [(name, str(label)) for label, name in enumerate(names)]


def writes(store: Store, key) -> bool:
    """Whether a checkpoint draws digits, of which a number can be written."""
    return bool(key) and spec(store.meta(key).dataset).strokes
