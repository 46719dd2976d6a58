"""Is a judge as sure as it is right? Its confidence held against its hits, in bins."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eval.metrics import proportion


def reliability(confidence: ArrayLike, right: ArrayLike, bins: int = 10) -> list[dict]:
    """The reliability diagram (DeGroot & Fienberg 1983) as numbers: one entry per bin of equal width.

    `confidence` [N] in [0, 1], `right` bool [N]. An entry holds the bin's edges `low` and `high` (`low` belongs to
    the bin, and 1 to the last), `n`, the mean `confidence` and `accuracy`, an `Estimate` with the Wilson interval. Of
    an empty bin both are null. ValueError where the two lengths differ or a confidence is outside [0, 1].
    """
    confidence, right, bin_of = _binned(confidence, right, bins)
    entries = []
    for i in range(bins):
        here = bin_of == i
        entries.append(
            {
                "low": i / bins,
                "high": (i + 1) / bins,
                "n": int(here.sum()),
                "confidence": float(confidence[here].mean()) if here.any() else None,
                "accuracy": proportion(right[here]).to_dict(),
            }
        )
    return entries


def calibration_error(confidence: ArrayLike, right: ArrayLike, bins: int = 15) -> float | None:
    """Expected calibration error (Guo et al. 2017, eq. 3): sum over bins of n/N |accuracy - mean confidence|.

    15 bins are theirs. It is biased upwards: a well calibrated judge gets more than 0 from few images. None for N = 0.
    """
    confidence, right, bin_of = _binned(confidence, right, bins)
    if not confidence.size:
        return None
    gaps = np.bincount(bin_of, weights=right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / confidence.size)


def _binned(confidence: ArrayLike, right: ArrayLike, bins: int) -> tuple[NDArray, NDArray, NDArray]:
    """Confidence float64 [N], right bool [N], and the bin of each [N]."""
    confidence, right = np.asarray(confidence, dtype=np.float64), np.asarray(right, dtype=bool)
    if confidence.shape != right.shape:
        raise ValueError(f"{confidence.shape} and {right.shape} do not match")
    if confidence.size and not (confidence.min() >= 0 and confidence.max() <= 1 + 1e-6):  # float32 sums overshoot
        raise ValueError("a confidence is outside 0..1")
    return confidence, right, (confidence * bins).astype(np.int64).clip(max=bins - 1)
