"""evaluate(source, scorers, ...) -> Report: make the images, score each, compare them with real ones."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version

import torch
from pandas import DataFrame
from torch import Tensor

from eval import details, memorisation
from eval.errors import UserError
from eval.report import Report, load
from eval.scorers import Scorer, score
from eval.sources import CHECKPOINTS, CheckpointSource, ImageSource, RealSource, revision
from eval.spaces import detectables, distances
from eval.summary import UNLABELLED, summarise

REFERENCES = CHECKPOINTS / "real" / "reports"  # real test images, scored once per set of scorers
PACKAGES = ("torch", "numpy", "pandas", "pyarrow", "scipy", "scikit-image", "open_clip_torch")
Progress = Callable[[int, int], None]


def evaluate(
    source: ImageSource,
    scorers: Sequence[Scorer],
    per_class: int | None,
    seed: int = 0,
    progress: Progress | None = None,
    references: Path = REFERENCES,
) -> Report:
    """Score `per_class` images of each class (None: all there are). `UserError` for a bad request.

    `progress(done, total)` counts every image three times: made, scored, compared as a set; and every real
    image that has to be scored for the reference. `references` is where those scores are kept.
    """
    real = RealSource("test", source.info.dataset)
    if source.id == real.id and per_class is None:
        return real_report(source.info.dataset, scorers, references, progress)
    labels, seeds = source.plan(per_class, seed)
    n, missing = len(labels), len(real.data.labels)
    missing = 0 if _kept(reference_folder(real, _ids(scorers), references)) else missing
    total = 3 * n + missing
    images, readings = _made(source, scorers, labels, seeds, _part(progress, 0, n, total))
    table = score(scorers, images, labels, seeds, _part(progress, n, n, total))
    reference = real_report(source.info.dataset, scorers, references, _part(progress, 2 * n, missing, total))
    table = with_neighbours(table.assign(**readings), reference.table)
    sigmas = source.sigmas if readings else ()
    report = assemble(source, scorers, {"per_class": per_class, "seed": seed}, table, images, reference)
    report = with_sets(report, scorers, _part(progress, 2 * n + missing, n, total))
    return details.added(report, reference.table, sigmas)


def real_report(
    dataset: str, scorers: Sequence[Scorer], references: Path = REFERENCES, progress: Progress | None = None
) -> Report:
    """All real test images of `dataset` under `scorers`: from `references`, else scored and kept there."""
    real = RealSource("test", dataset)
    folder = reference_folder(real, _ids(scorers), references)
    return _kept(folder) or _score_reference(real, folder, scorers, progress)


def reference_folder(real: RealSource, scorers: Sequence[str], references: Path = REFERENCES) -> Path:
    """Another folder for other images, other weights or other prompts; `scorers` are their ids."""
    key = hashlib.sha256(repr((real.id, list(scorers))).encode()).hexdigest()[:12]
    return references / f"{real.info.dataset}-test-{key}"


def with_sets(report: Report, scorers: Sequence[Scorer], progress: Progress | None = None) -> Report:
    """The report with its images compared with real ones as sets, and the floor of that in its reference."""
    labels = torch.tensor(report.table["label"].to_numpy())
    found = distances(scorers, report.images, labels, report.source.dataset, progress)
    summary = report.summary.joined(found.metrics)
    reference = report.reference.joined(found.floor)
    return replace(
        report,
        summary=summary,
        reference=reference,
        reasons=found.reasons,
        detectable=detectables(summary.metrics, reference.metrics),
        details=report.details | {"floor_n": found.floor_n},
    )


def _made(
    source: ImageSource, scorers: Sequence[Scorer], labels: Tensor, seeds: Tensor, progress: Progress | None
) -> tuple[Tensor, dict[str, Tensor]]:
    """The images; and of a checkpoint's what the classifier reads in the estimates at each denoising step.

    `step<k>_label`: in that of the sampler, which knows the label; `blind<k>_label`: in that of the same noisy image
    by the denoiser without the label.
    """
    judge = next((scorer for scorer in scorers if scorer.name == "classifier"), None)
    if not isinstance(source, CheckpointSource) or judge is None:
        return source.images(labels, seeds, progress), {}
    read = torch.full((2, len(source.sigmas), len(labels)), UNLABELLED, dtype=torch.int16)

    def watch(step: int, rows: slice, *estimates: Tensor) -> None:
        for i, images in enumerate(estimates):
            read[i, step, rows] = judge(images, labels[rows])["classifier_label"].to(torch.int16)

    images = source.images(labels, seeds, progress, watch)
    names = [f"{kind}{k}_label" for kind in ("step", "blind") for k in range(len(source.sigmas))]
    return images, dict(zip(names, read.flatten(0, 1).numpy(), strict=True))


def _ids(scorers: Sequence[Scorer]) -> list[str]:
    return [scorer.id for scorer in scorers]


def _kept(folder: Path) -> Report | None:
    try:
        return load(folder)
    except UserError:  # absent or damaged: it is scored again
        return None


def _score_reference(real: RealSource, folder: Path, scorers: Sequence[Scorer], progress: Progress | None) -> Report:
    labels, seeds = real.plan(None)
    n, images = len(labels), real.images(labels, seeds)
    table = score(scorers, images, labels, seeds, _part(progress, 0, n, 2 * n))
    table = with_neighbours(table, table)
    report = assemble(real, scorers, {"per_class": None, "seed": 0}, table, images, None)
    report = details.added(with_sets(report, scorers, _part(progress, n, n, 2 * n)), table, ())
    with suppress(OSError):  # a read-only installation: the numbers are the same, only slower to get
        report.save(folder)
    return report


def with_neighbours(table: DataFrame, real: DataFrame) -> DataFrame:
    """The table with what the distances to training and test images mean beside those of real ones."""
    if "train_distance" not in table or "train_distance" not in real:
        return table
    return table.assign(memorised=memorisation.memorised(table, real), nearer=memorisation.nearer(table, real))


def assemble(
    source: ImageSource, scorers: Sequence[Scorer], plan: dict, table: DataFrame, images: Tensor, real: Report | None
) -> Report:
    """The report of a table and its images beside `real` ones, before sets are compared; None: these are the real."""
    summary = summarise(table, len(source.class_names))
    return Report(
        source=replace(source.info, origin=real.source.origin) if real else source.info,
        plan=plan | {"count": len(table), "labels": sorted(set(table["label"].tolist()) - {UNLABELLED})},
        scorers=tuple(_ids(scorers)),
        revision=revision(),
        packages=_packages(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        summary=summary,
        reference=real.summary if real else summary,
        table=table,
        images=images,
    )


def _part(progress: Progress | None, start: int, size: int, total: int) -> Progress | None:
    """The progress of one part of the work, `size` of `total` from `start` on, as progress of the whole."""
    return progress and (lambda done, of: progress(start + size * done // max(of, 1), total))


def _packages() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    found = {"python": python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
