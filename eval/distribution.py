"""How two sets of images differ as sets. Pure functions of features [N, d] and [M, d]; float64 inside.

All are biased at small N, each in its own way: show N, and hold them against real-versus-real. Intervals
cover the draw of the generated images; the real set is fixed.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn.functional import normalize

from eval.frechet import Moments
from eval.halves import FEWEST, estimate, jackknife, splits
from eval.kernels import Discrepancy, gaussian, polynomial
from eval.metrics import Estimate, Z, mean, proportion
from eval.neighbourhoods import Neighbourhoods
from eval.vendi import vendi

METRICS = ("fd", "kid", "precision", "recall", "density", "coverage", "vendi")
K = 5  # neighbours that a ball reaches to
POWER = 0.8416212335729143  # normal quantile of 80 %
NEIGHBOURHOODS = ("precision", "recall", "density", "coverage")


class Measured(NamedTuple):
    """`estimates`: one for each metric asked for; `reasons`: why an estimate has no value."""

    estimates: dict[str, Estimate]
    reasons: dict[str, str]


class Reference:
    """Real images [N, d] that others are held against; what depends on them alone is computed once."""

    def __init__(self, features: Tensor, neighbours: int = 10_000, seed: int = 0, known: dict | None = None):
        """The Frechet distance uses all rows; kernels and neighbourhoods at most `neighbours` random ones.

        `known`: what `known()` of an earlier reference of the same features and arguments returned.
        """
        self.features, self._known = _features(features), known or {}
        some = torch.randperm(len(features), generator=torch.Generator().manual_seed(seed))[:neighbours]
        self.some = self.features[some].double()

    def measure(self, fake: Tensor, metrics: Sequence[str] = METRICS) -> Measured:
        """Every metric of `metrics` for fake [M, d], with n = M; a reason where it cannot be had."""
        fake = torch.as_tensor(fake).detach().cpu().double()
        n, estimates, reasons = len(fake), {}, {}
        found = {}
        for metric in metrics:
            reason = self._refusal(metric, fake)
            if reason is None and metric in NEIGHBOURHOODS:
                found = found or self._neighbourhoods(fake)
                estimates[metric] = found[metric]
            elif reason is None:
                estimates[metric] = getattr(self, f"_{metric}")(fake)
            else:
                estimates[metric], reasons[metric] = Estimate(None, None, None, n), reason
        return Measured(estimates, reasons)

    def known(self, metrics: Sequence[str] = METRICS) -> dict:
        """What takes longest of `metrics` to find out of the real images alone, as JSON; they must be more than K."""
        found = {"reach": self.balls.reach.tolist()} if set(NEIGHBOURHOODS) & set(metrics) else {}
        for metric, kernel in (("kid", "polynomial"), ("cmmd", "gaussian")):
            if metric in metrics:
                found[kernel] = getattr(self, kernel).within
        return found

    def _refusal(self, metric: str, fake: Tensor) -> str | None:
        if not fake.isfinite().all():
            return "needs finite features, and some are not"
        needed = {**dict.fromkeys(NEIGHBOURHOODS, K + 1), "vendi": 1}.get(metric, 2)
        if len(fake) < needed:
            return f"needs at least {needed} images, and there are {len(fake)}"
        if len(self.features) < needed:
            return f"needs at least {needed} real images, and there are {len(self.features)}"
        return None

    @cached_property
    def moments(self) -> Moments:
        return Moments(self.features)

    @cached_property
    def balls(self) -> Neighbourhoods:
        reach = self._known.get("reach")
        return Neighbourhoods(self.some, K, reach and torch.tensor(reach, dtype=torch.float64))

    @cached_property
    def polynomial(self) -> Discrepancy:
        return Discrepancy(self.some, polynomial, self._known.get("polynomial"))

    @cached_property
    def gaussian(self) -> Discrepancy:
        return Discrepancy(normalize(self.some), gaussian, self._known.get("gaussian"))

    def _fd(self, fake: Tensor) -> Estimate:
        return _of_subsets(self.moments, fake, low=0.0)

    def _vendi(self, fake: Tensor) -> Estimate:
        return estimate(vendi(fake), len(fake), _each(fake, vendi), low=1.0)

    def _kid(self, fake: Tensor) -> Estimate:
        return _of_subsets(self.polynomial, fake)

    def _cmmd(self, fake: Tensor) -> Estimate:
        return _of_subsets(self.gaussian, normalize(fake))

    def _neighbourhoods(self, fake: Tensor) -> dict[str, Estimate]:
        n = len(fake)
        halves = splits(n) if n >= max(FEWEST, 4 * K) else torch.ones(0, n, dtype=torch.bool)
        found = self.balls.of(fake, torch.cat([torch.ones(1, n, dtype=torch.bool), halves]))
        whole = {
            "precision": proportion(found["precision"].bool().numpy()),
            "density": mean(found["density"].numpy(), low=0.0),
        }
        whole["coverage"] = jackknife(float(found["coverage"]), found["alone"], 0.0, 1.0)
        recall, rest = float(found["recall"][0]), found["recall"][1:]
        plain = Estimate(recall, None, None, n)
        whole["recall"] = estimate(recall, n, lambda _: rest, 0.0, 1.0, bend=0.5) if len(rest) else plain
        return whole


def detectable(a: Estimate, b: Estimate) -> float | None:
    """The true difference that a two-sided 5 % test of both numbers finds with 80 % power; None without intervals."""
    if None in (a.low, b.low):
        return None
    return float((Z + POWER) / Z * np.hypot((a.high - a.low) / 2, (b.high - b.low) / 2))


def frechet_distance(a: ArrayLike, b: ArrayLike) -> float:
    """Squared Frechet distance of two sets [N, d] and [M, d], see `frechet.Moments`; ValueError below 2 rows."""
    a, b = _pair(a, b, 2)
    return Moments(a).distance(b)


def precision_recall_density_coverage(real: ArrayLike, fake: ArrayLike, k: int = K) -> dict[str, float]:
    """The four of `neighbourhoods.Neighbourhoods.of`; ValueError unless both sets have more than k images."""
    real, fake = _pair(real, fake, k + 1)
    found = Neighbourhoods(real, k).of(fake, torch.ones(1, len(fake), dtype=torch.bool))
    return {metric: float(found[metric].mean()) for metric in NEIGHBOURHOODS}


def _of_subsets(of: Discrepancy | Moments, fake: Tensor, low: float = -torch.inf) -> Estimate:
    n = len(fake)
    members = torch.cat([torch.ones(1, n, dtype=torch.bool), splits(n)]) if n >= FEWEST else torch.ones(1, n).bool()
    value, *rest = of.of(fake, members).split([1, len(members) - 1])
    return estimate(float(value), n, lambda _: rest[0], low)


def _each(fake: Tensor, statistic: Callable[[Tensor], float]) -> Callable[[Tensor], Tensor]:
    return lambda members: torch.tensor([statistic(fake[member]) for member in members], dtype=torch.float64)


def _features(x: ArrayLike) -> Tensor:
    x = torch.as_tensor(x).detach().cpu()
    if x.ndim != 2 or not x.isfinite().all():
        raise ValueError(f"real features must be finite [N, d], not {list(x.shape)}")
    return x


def _pair(a: ArrayLike, b: ArrayLike, fewest: int) -> tuple[Tensor, Tensor]:
    """Both as float64, checked."""
    pair = tuple(torch.as_tensor(x).detach().to("cpu", torch.float64) for x in (a, b))
    if any(x.ndim != 2 for x in pair) or pair[0].shape[1] != pair[1].shape[1]:
        raise ValueError(f"features of shapes {[list(x.shape) for x in pair]} cannot be compared")
    if min(map(len, pair)) < fewest:
        raise ValueError(f"at least {fewest} images a set are needed, not {min(map(len, pair))}")
    if not all(x.isfinite().all() for x in pair):
        raise ValueError("a feature is not a finite number")
    return pair
