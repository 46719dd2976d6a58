"""Rows of runs -> a tidy table: a mean over seeds with a 95 % t interval, and the paired difference from the baseline.

The same seed means the same training digits in the same order and the same noise in every variant, so a difference
taken seed by seed is sharper than two means beside each other. Pure functions; rows are what `study_run.py` prints.
"""

import csv
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from eval.metrics import Estimate


class Metric(NamedTuple):
    """`unit`: "%" of a share, else what stands behind the number; `better`: "lower", "higher", or "" where neither."""

    words: str
    better: str = "lower"
    unit: str = ""


METRICS = {
    "loss": Metric("loss on test digits"),
    "loss_q1": Metric("loss at the least noise"),
    "loss_q2": Metric("loss at little noise"),
    "loss_q3": Metric("loss at much noise"),
    "loss_q4": Metric("loss at the most noise"),
    "gap": Metric("loss by running averages over that by the batch's own", ""),
    "accuracy": Metric("read right by the classifier", "higher", "%"),
    "second_accuracy": Metric("read right by the second classifier", "higher", "%"),
    "clip_accuracy": Metric("read right by CLIP", "higher", "%"),
    "clip_margin": Metric("CLIP's margin", "higher"),
    "fd": Metric("Frechet distance, classifier's features"),
    "second_fd": Metric("Frechet distance, second classifier's features"),
    "pixels_fd": Metric("Frechet distance, pixels"),
    "precision": Metric("precision", "higher"),
    "recall": Metric("recall", "higher"),
    "density": Metric("density", "higher"),
    "coverage": Metric("coverage", "higher"),
    "plain_accuracy": Metric("read right, drawn without guidance", "higher", "%"),
    "plain_second_accuracy": Metric("read right by the second, without guidance", "higher", "%"),
    "plain_clip_accuracy": Metric("read right by CLIP, without guidance", "higher", "%"),
    "plain_fd": Metric("Frechet distance, without guidance"),
    "plain_recall": Metric("recall, without guidance", "higher"),
    "diverged": Metric("step at which it diverged", ""),
    "parameters": Metric("parameters", ""),
    "flops": Metric("FLOPs for a training image", ""),
    "seconds": Metric("processor seconds of training", "", "s"),
    "memory": Metric("memory for training", "", "MB"),
}


class Line(NamedTuple):
    """One metric of one variant: its mean, and its difference from the baseline's, seed by seed."""

    variant: str
    metric: str
    mean: Estimate
    difference: Estimate


def table(rows: Sequence[dict], variants: Sequence[str]) -> list[Line]:
    """A line for each variant and metric that has a value; the first variant is the baseline."""
    baseline = variants[0]
    return [
        Line(variant, metric, found, paired(rows, variant, baseline, metric))
        for variant in variants
        for metric in METRICS
        if (found := over_seeds(list(by_seed(rows, variant, metric).values()))).value is not None
    ]


def by_seed(rows: Sequence[dict], variant: str, metric: str) -> dict[int, float]:
    """{seed: value} of the runs that have one."""
    mine = sorted((row for row in rows if row["variant"] == variant), key=lambda row: row["seed"])
    return {row["seed"]: row[metric] for row in mine if row.get(metric) is not None}


def over_seeds(values: Sequence[float]) -> Estimate:
    """Mean with Student's t interval; no interval of one value, no value of none."""
    if not values:
        return Estimate(None, None, None, 0)
    x = np.asarray(values, dtype=np.float64)
    mean = float(x.mean())
    if len(x) == 1:
        return Estimate(mean, None, None, 1)
    half = float(stdtrit(len(x) - 1, 0.975) * x.std(ddof=1) / np.sqrt(len(x)))
    return Estimate(mean, mean - half, mean + half, len(x))


def paired(rows: Sequence[dict], variant: str, against: str, metric: str) -> Estimate:
    """`variant` minus `against` over the seeds that both have."""
    a, b = by_seed(rows, against, metric), by_seed(rows, variant, metric)
    return over_seeds([b[seed] - a[seed] for seed in b if seed in a]) if variant != against else over_seeds([])


COLUMNS = ("variant", "metric", "n", "mean", "low", "high", "difference", "difference_low", "difference_high")


def to_csv(lines: Sequence[Line]) -> str:
    """The table as it is committed; six significant digits."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in lines:
        numbers = (*line.mean[:3], *line.difference[:3])
        writer.writerow([line.variant, line.metric, line.mean.n, *("" if v is None else f"{v:.6g}" for v in numbers)])
    return file.getvalue()
