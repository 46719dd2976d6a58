"""What a report says beyond its metrics: named faults, recognition step by step, missing shapes, closest pairs.

That of real images says how far its judges can be trusted.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import isfinite

import torch
from pandas import DataFrame

from eval import accuracy_score as cas
from eval import memorisation, missing
from eval.cards import measured
from eval.findings import findings
from eval.recognition import recognition
from eval.report import Report
from eval.summary import JUDGES, METRICS, UNLABELLED

NO_LABEL = "needs to know what each image should show, and these images carry no labels"
NO_IMAGE = "there is no image of this class"


def added(report: Report, real: DataFrame, sigmas: Sequence[float]) -> Report:
    """The report with its `details` and `reasons` filled in. `real`: the table of all real test images.

    `sigmas`: the noise levels of the `step<k>_label` columns, empty where there are none.
    """
    names, table = report.source.class_names, report.table
    found = dict(report.details)
    if sigmas and (steps := recognition(table, sigmas, len(names))):
        found["recognition"] = steps
    if "thickness" in table and "thickness" in real:
        regions = missing.missing(table, real)
        found["missing"] = [_region(region, names) for region in regions]
    if report.source.kind == "real":
        found["calibration"] = _calibration(table, len(names))
    if "train_distance" in table:
        found["closest"] = memorisation.closest(table)
    extras = {"images": report.images, "class_names": names}
    named = findings(table, report.summary, report.reference, real, extras)
    found["findings"] = [
        {"kind": f.kind, "digits": list(f.labels), "text": f.text, "evidence": f.evidence} for f in named
    ]
    return replace(report, details=found, reasons=_reasons(report))


def _calibration(table: DataFrame, classes: int) -> dict:
    """What a card says of each judge, of these real images: any judge's, a pretrained CLIP's too."""
    labels = torch.tensor(table["label"].to_numpy())
    columns = {judge: [f"{judge}_p{d}" for d in range(classes)] for judge in JUDGES}
    return {j: measured(torch.tensor(table[c].to_numpy()), labels) for j, c in columns.items() if set(c) <= set(table)}


def _region(region: missing.Region, names: Sequence[str]) -> dict:
    """Plain JSON; an open end is null. Labels are called "digit" in files, here as in the findings ("digits")."""

    def ends(span) -> dict:
        return {"low": span.low if isfinite(span.low) else None, "high": span.high if isfinite(span.high) else None}

    also = region.also and {"measure": region.also.measure} | ends(region.also)
    plain = {"digit": region.label, "measure": region.measure, "expected": region.expected, "also": also}
    return plain | ends(region) | {"share": region.share.to_dict(), "text": missing.describe(region, names)}


def with_accuracy_score(report: Report, progress: Callable[[int, int], None] | None = None) -> Report:
    """The report with its classification accuracy score: minutes of training. `UserError` without labels."""
    labels = torch.tensor(report.table["label"].to_numpy())
    found = cas.accuracy_score(report.images, labels, report.source.dataset, progress=progress)
    return replace(report, details=report.details | {"accuracy_score": found})


def _reasons(report: Report) -> dict[str, dict]:
    """Why values are missing: what the sets' metrics said already, and what follows from the labels."""
    overall = dict(report.reasons["overall"])
    if UNLABELLED in report.table["label"].to_numpy():
        ran = {scorer.split("@")[0].split(":")[0] for scorer in report.scorers}
        gone = METRICS.keys() - report.metrics["overall"].keys()
        overall |= {m: NO_LABEL for m in METRICS if m in gone and METRICS[m].scorer in ran}
    per_class = {}
    for label, row in report.metrics["per_class"].items():
        empty = {m: NO_IMAGE for m, e in row.items() if e.value is None and e.n == 0}
        per_class[label] = empty | report.reasons["per_class"].get(label, {})
    return {"overall": overall, "per_class": per_class}
