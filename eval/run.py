"""evaluate(source, scorers, ...) -> Report: make the images, score each, attach the real reference."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version

from pandas import DataFrame
from torch import Tensor

from eval.errors import UserError
from eval.report import Report, load
from eval.scorers import Scorer, score
from eval.sources import CHECKPOINTS, ImageSource, RealSource, revision
from eval.summary import Summary, summarise

REFERENCES = CHECKPOINTS / "real" / "reports"  # real test images, scored once per set of scorers
PACKAGES = ("torch", "numpy", "pandas", "pyarrow", "scipy", "open_clip_torch")
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

    `progress(done, total)` counts every image twice, once made and once scored, and every real image
    that has to be scored for the reference. `references` is where those scores are kept.
    """
    labels, seeds = source.plan(per_class, seed)
    real = RealSource("test", source.info.dataset)
    folder = _reference_folder(real, scorers, references)
    reference = _kept(folder)
    n = len(labels)
    total = 2 * n + (0 if reference else len(real.plan(None)[0]))
    images = source.images(labels, seeds, _part(progress, 0, total))
    table = score(scorers, images, labels, seeds, _part(progress, n, total))
    reference = reference or _score_reference(real, folder, scorers, _part(progress, 2 * n, total))
    return _report(source, scorers, {"per_class": per_class, "seed": seed}, table, images, reference)


def real_reference(dataset: str, scorers: Sequence[Scorer], references: Path = REFERENCES) -> Summary:
    """All real test images of `dataset` under `scorers`: from `references`, else scored and kept there."""
    real = RealSource("test", dataset)
    folder = _reference_folder(real, scorers, references)
    return _kept(folder) or _score_reference(real, folder, scorers, None)


def _reference_folder(real: RealSource, scorers: Sequence[Scorer], references: Path) -> Path:
    """Another folder for other images, other weights or other prompts."""
    key = hashlib.sha256(repr((real.id, [scorer.id for scorer in scorers])).encode()).hexdigest()[:12]
    return references / f"{real.info.dataset}-test-{key}"


def _kept(folder: Path) -> Summary | None:
    try:
        return load(folder).summary
    except UserError:  # absent or damaged: it is scored again
        return None


def _score_reference(real: RealSource, folder: Path, scorers: Sequence[Scorer], progress: Progress | None) -> Summary:
    labels, seeds = real.plan(None)
    images = real.images(labels, seeds)
    table = score(scorers, images, labels, seeds, progress)
    summary = summarise(table, len(real.class_names))
    report = _report(real, scorers, {"per_class": None, "seed": 0}, table, images, summary)
    with suppress(OSError):  # a read-only installation: the numbers are the same, only slower to get
        report.save(folder)
    return summary


def _report(
    source: ImageSource, scorers: Sequence[Scorer], plan: dict, table: DataFrame, images: Tensor, reference: Summary
) -> Report:
    return Report(
        source=source.info,
        plan=plan | {"count": len(table), "labels": sorted(set(table["label"].tolist()))},
        scorers=tuple(scorer.id for scorer in scorers),
        revision=revision(),
        packages=_packages(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        summary=summarise(table, len(source.class_names)),
        reference=reference,
        table=table,
        images=images,
    )


def _part(progress: Progress | None, start: int, total: int) -> Progress | None:
    """The progress of one part of the work as progress of the whole."""
    return progress and (lambda done, _: progress(start + done, total))


def _packages() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    found = {"python": python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
