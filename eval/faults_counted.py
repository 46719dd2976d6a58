"""Faults of single images, counted: copies of training images, disagreement of the judges, empty images."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from eval.faults import Fault, Faults, Scope, alarms, more_often
from eval.metrics import Estimate, wilson


def find_copied(table: Mapping, real_table: Mapping, scopes: Sequence[Scope]) -> Faults:
    return _more(table, real_table, scopes, "memorised", _many)


def find_disagreement(table: Mapping, real_table: Mapping, scopes: Sequence[Scope]) -> Faults:
    return _more(table, real_table, scopes, "disagreement", _far_more)


def _more(table, real_table, scopes, column: str, enough: Callable[[Estimate, Estimate], bool]) -> Faults:
    """Classes more of whose images have a `column` above 0 than real ones have, and by `enough`."""
    if column not in table or column not in real_table:
        return {}
    hit, usual = np.asarray(table[column]) > 0, np.asarray(real_table[column]) > 0
    counts = np.array([[hit[s.rows].sum(), s.rows.sum(), usual[s.real].sum(), s.real.sum()] for s in scopes])
    k, n, r, m = counts.reshape(-1, 4).T
    found = {}
    for i in np.flatnonzero(alarms(more_often(k, n, r, m), m > 0)):
        own, real = wilson(int(k[i]), int(n[i])), wilson(int(r[i]), int(m[i]))
        if enough(own, real):
            found[scopes[i].label] = Fault(int(k[i]), own.n, {column: (own.value, real.value)})
    return found


def _many(own: Estimate, real: Estimate) -> bool:
    """Above what new images by the makers of the training set score: up to .117 on MNIST (eval/memorisation.py)."""
    return own.low > 0.12


def _far_more(own: Estimate, real: Estimate) -> bool:
    return own.value > 2 * real.value and own.value > real.value + 0.05


def flat_images(table: Mapping, images) -> tuple[NDArray, NDArray]:
    """Which images are blank, and which are one grey all over (blank or not): bool [N]. By their ink without images."""
    n = len(np.asarray(table["label"]))
    if images is None:
        blank = np.asarray(table["ink"]) <= 0 if "ink" in table else np.zeros(n, dtype=bool)
        return blank, blank
    pixels = np.asarray(images).reshape(n, -1)
    return ~pixels.any(1), (pixels == pixels[:, :1]).all(1)


def counted(scopes: Sequence[Scope], hit: NDArray) -> Faults:
    """Every class with such images; one is enough, since no real image is like that."""
    counts = {s.label: (int(hit[s.rows].sum()), int(s.rows.sum())) for s in scopes}
    return {label: Fault(k, n, {}) for label, (k, n) in counts.items() if k}
