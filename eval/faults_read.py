"""What the judges read in the images: classes in each other's place, read as another, or often wrong."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from eval.faults import Fault, Faults, Scope, alarms, more_often
from eval.metrics import confusion
from eval.significance import LEVEL
from eval.summary import JUDGES, UNLABELLED


class Readings:
    """How often each of J judges reads each of K classes as which, among the images and among real ones."""

    def __init__(self, table: Mapping, real: Mapping, classes: int):
        labelled = UNLABELLED not in np.asarray(table["label"])
        self.judges = [j for j in JUDGES if labelled and f"{j}_label" in table and f"{j}_label" in real]
        counts = np.zeros((2, len(self.judges), classes, classes), dtype=np.int64)
        for i, judge in enumerate(self.judges):
            counts[:, i] = [confusion(t["label"], t[f"{judge}_label"], classes) for t in (table, real)]
        self.own, self.real = counts  # [J, K, K]: judge, asked for, read
        self.n, self.m = counts.sum(3)  # [J, K]

    def swapped(self) -> dict[tuple[int, int], tuple[Fault, Fault]]:
        """Pairs of classes each of which at least two judges mostly read as the other: there and back."""
        most = stats.binom.sf(self.own - 1, self.n[..., None], 0.5) < LEVEL / 2  # more than half of them
        both = most & most.swapaxes(1, 2)
        pairs = np.argwhere(np.triu(both.sum(0) >= 2, 1)).tolist()
        return {(a, b): (self._fault(both[:, a, b], a, b), self._fault(both[:, a, b], b, a)) for a, b in pairs}

    def confused(self, swaps: Mapping) -> dict[tuple[int, int], Fault]:
        """Pairs (asked for, read) more frequent than among real images, without what the swaps explain."""
        n, m = self.n[..., None], self.m[..., None]
        more = alarms(more_often(self.own, n, self.real, m), (n > 0) & (m > 0) & ~np.eye(self.n.shape[1], dtype=bool))
        pairs = np.argwhere(more.any(0)).tolist()
        return {(a, b): self._fault(more[:, a, b], a, b) for a, b in pairs if (min(a, b), max(a, b)) not in swaps}

    def wrong(self, scopes: Sequence[Scope]) -> Faults:
        """Classes that are read as what they should be less often than real ones."""
        own, real = (x.diagonal(axis1=1, axis2=2) for x in (self.own, self.real))  # [J, K]
        more = alarms(more_often(self.n - own, self.n, self.m - real, self.m), (self.n > 0) & (self.m > 0))
        return {s.label: self._fault(more[:, s.label], s.label, s.label) for s in scopes if more[:, s.label].any()}

    def _fault(self, accusing: NDArray, a: int, b: int) -> Fault:
        """a read as b; `accusing` bool [J]."""
        share, usual = self.own[:, a, b] / self.n[:, a], self.real[:, a, b] / np.maximum(self.m[:, a], 1)
        values = {j: (float(share[i]), float(usual[i])) for i, j in enumerate(self.judges)}
        says = tuple(j for i, j in enumerate(self.judges) if accusing[i])
        n = int(self.n[0, a])
        spoiled = n * abs(values[says[0]][0] - values[says[0]][1])
        return Fault(spoiled, n, values, says, tuple(j for j in self.judges if j not in says))
