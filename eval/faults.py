"""What may be wrong with which class, and the tests that all kinds of fault share.

Six families of tests run, each after Holm's correction at `ALARM`, so at most 5 % of faultless reports are accused.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from eval.metrics import Estimate
from eval.significance import LEVEL, holm
from eval.summary import JUDGES, UNLABELLED

ALARM = LEVEL / 6  # wrong, confused, copied, disagreement, less varied, shapes
SHARED = 0.7  # a fault that this share of the classes has is one finding about all of them


class Scope(NamedTuple):
    """The images of a class (None: all, unlabelled), the real ones beside them, and the metrics of both."""

    label: int | None
    rows: NDArray  # bool [N]
    real: NDArray  # bool [M]
    own: Mapping[str, Estimate]
    floor: Mapping[str, Estimate]


class Fault(NamedTuple):
    """What is wrong with one class. `values`: by judge or measure, its own and that of real images."""

    spoiled: float  # number of images
    n: int
    values: dict[str, tuple[float, float]]
    judges: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


Faults = dict[int | None, Fault]  # by label


def scopes_of(table: Mapping, summary, reference, real_table: Mapping) -> list[Scope]:
    """One for each class that has images; one for all of them where they are unlabelled."""
    labels, real = np.asarray(table["label"]), np.asarray(real_table["label"])
    own, floor = summary.metrics, reference.metrics
    if UNLABELLED in labels:
        return [Scope(None, labels == labels, real == real, own["overall"], floor["overall"])]

    def metrics(m: dict, d: int) -> dict:
        return m["per_class"].get(str(d), {})

    return [Scope(d, labels == d, real == d, metrics(own, d), metrics(floor, d)) for d in np.unique(labels).tolist()]


def grouped(faults: Faults, scopes: int) -> Iterator[tuple[tuple[int, ...], Fault]]:
    """Labels and their fault: each class alone, or where most share it, all in one."""
    together = faults and len(faults) >= SHARED * scopes
    for group in [list(faults)] if together else [[label] for label in faults]:
        yield tuple(label for label in group if label is not None), pooled([faults[label] for label in group])


def pooled(faults: Sequence[Fault]) -> Fault:
    """Several classes' fault as one: counts are added, values averaged, and a judge of any of them is one of all."""
    keys = dict.fromkeys(key for f in faults for key in f.values)
    of = {key: [f for f in faults if key in f.values] for key in keys}
    values = {
        key: tuple(float(np.average([f.values[key][i] for f in some], weights=[f.n for f in some])) for i in (0, 1))
        for key, some in of.items()
    }
    judges = tuple(j for j in JUDGES if any(j in f.judges for f in faults))
    others = tuple(j for j in JUDGES if j not in judges and any(j in f.others for f in faults))
    return Fault(sum(f.spoiled for f in faults), sum(f.n for f in faults), values, judges, others)


def more_often(hits: NDArray, n: NDArray, real: NDArray, m: NDArray) -> NDArray:
    """One-sided p of Fisher's exact test: is hits / n above real / m? Any shapes that broadcast."""
    return stats.hypergeom.sf(hits - 1, n + m, hits + real, n)


def alarms(p: NDArray, measured: NDArray) -> NDArray:
    """Which of the p-values of one family, where `measured`, are significant after Holm's correction."""
    adjusted = holm([float(x) if known else None for x, known in zip(p.flat, measured.flat, strict=True)])
    return np.array([x is not None and x < ALARM for x in adjusted], dtype=bool).reshape(p.shape)
