"""Reports whose every mistake is chosen, built without drawing or judging anything."""

import numpy as np
import pandas as pd
import torch

from eval.metrics import Estimate
from eval.report import Report
from eval.sources import SourceInfo
from eval.summary import summarise

CLASS_NAMES = tuple("0123456789")
JUDGES = ("classifier", "second", "knn", "clip")
CLIP = ("clip_margin", "clip_cosine", "clip_probability")


def made_report(
    name: str = "made",
    errors: dict[int, float] | None = None,
    per_class: int = 40,
    seed: int = 0,
    judges: dict[str, dict[int, float]] | tuple = JUDGES,
    labels: tuple[int, ...] | None = None,
    sets: dict[str, tuple[float, float]] | None = None,
    class_names: tuple[str, ...] = CLASS_NAMES,
    shape: tuple[int, int, int] = (1, 28, 28),
    **info,
) -> Report:
    """`errors`: label -> share of its images that every judge reads as the next class; `labels` None: all there are.

    `judges`: names, or {name: errors that this judge sees instead}. Whether an image is wrong depends on its
    (label, seed) alone: a better report's mistakes are among a worse one's. `sets`: metric -> (value, half
    width of its interval), overall and for each class.
    """
    classes = len(class_names)
    labels = tuple(range(classes)) if labels is None else labels
    asked = np.tile(labels, per_class)
    seeds = seed + classes * np.repeat(np.arange(per_class), len(labels)) + asked
    draws = np.array([np.random.default_rng([d, s]).random(2) for d, s in zip(asked, seeds, strict=True)])
    table = pd.DataFrame({"label": asked, "seed": seeds})
    for judge in judges:
        rates = (judges[judge] if isinstance(judges, dict) else None) or errors or {}
        wrong = draws[:, 0] < np.array([rates.get(d, 0.0) for d in asked.tolist()])
        table[f"{judge}_label"] = np.where(wrong, (asked + 1) % classes, asked)
        score = np.where(wrong, 0.2, 1.0) - 0.2 * draws[:, 1]
        columns = CLIP if judge == "clip" else (f"{judge}_confidence",)
        table = table.assign(**dict.fromkeys(columns, score.astype(np.float32)))
    kept = {"kind": "checkpoint", "dataset": "mnist", "class_names": class_names, "settings": "made1-g1"}
    summary = summarise(table, classes).joined(_sets(sets or {}, len(table), per_class, classes))
    return Report(
        source=SourceInfo(id=f"{name}@0", name=name, **(kept | info)),
        plan={"per_class": per_class, "seed": seed, "count": len(table), "labels": sorted(labels)},
        scorers=tuple(f"{judge}@made" for judge in judges),
        revision="0",
        packages={"torch": "0"},
        created="2000-01-01T00:00:00+00:00",
        summary=summary,
        reference=summary,
        table=table,
        images=torch.from_numpy(_bands(asked, draws[:, 0], errors or {}, shape, classes)),
    )


def _sets(sets: dict[str, tuple[float, float]], n: int, per_class: int, classes: int) -> dict[str, dict]:
    def row(count: int) -> dict[str, Estimate]:
        return {metric: Estimate(v, v - half, v + half, count) for metric, (v, half) in sets.items()}

    return {"overall": row(n), "per_class": {str(d): row(per_class) for d in range(classes)}}


def _bands(
    asked: np.ndarray, draws: np.ndarray, errors: dict[int, float], shape: tuple[int, int, int], classes: int
) -> np.ndarray:
    """uint8 [N, C, H, W]: a bright row at the class that is shown, over a grey that only the pair shares."""
    wrong = draws < np.array([errors.get(d, 0.0) for d in asked.tolist()])
    images = np.broadcast_to((100 * draws).astype(np.uint8)[:, None, None, None], (len(asked), *shape)).copy()
    images[np.arange(len(asked)), :, (asked + wrong) % classes] = 255
    return images
