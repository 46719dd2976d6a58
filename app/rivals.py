"""Which reports may stand beside which: those of one data set; and what the pickers of Compare offer then."""

from collections.abc import Iterable

import gradio as gr

from app import classes, several, words
from app.entries import REAL, Entry, alike, usable
from app.paired import ALL
from app.store import Store
from app.widgets import among, choices
from diffusion_core.errors import UserError


def offered(store: Store, beside: str | None = None) -> list[Entry]:
    """What may be chosen as A; `beside` a report as B and for the table, which must be of the same data set."""
    entries = store.reports()
    dataset = next((entry.dataset for entry in entries if entry.key == beside), None)
    return entries if dataset is None else alike(entries, dataset)


def rival(store: Store, key: str | None) -> str | None:
    """What to compare `key` with unless told: a report of another checkpoint of its data set, else any other of it."""
    others = [e.key for e in usable(offered(store, key)) if e.key != key]
    name = (key or "").split("/")[0]
    return next((k for k in others if k.split("/")[0] not in (name, REAL)), others[0] if others else None)


def of_one_data_set(store: Store, key_a: str, key_b) -> bool:
    """Whether B, as it is chosen now, may stand beside A. A's own key has to be one."""
    dataset = store.report(key_a).source.dataset
    try:
        return store.report(key_b).source.dataset == dataset
    except UserError:  # there is none, or a visitor's own is gone
        return False


def offers(store: Store, key_a: str, key_b: str | None, metric: str, keys: Iterable[str]) -> list[dict]:
    """What the pickers of B, score, class and table offer beside A; `key_b`, `metric` and `keys` where they may be."""
    entries, report = offered(store, key_a), store.report(key_a)
    known = [entry.key for entry in usable(entries)]
    table = [key for key in keys if key in known][: several.MOST] or several.default(entries)
    return [
        among(choices(entries), key_b if key_b in known else rival(store, key_a)),
        among(words.titled(words.available(report)), metric),
        among([("All", ALL), *classes.numbered(report.source.class_names)], ALL),
        gr.update(choices=choices(entries), value=table),
    ]
