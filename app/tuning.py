"""A checkpoint tuned by a reward: what is followed, what guards it, and what changed. No gradio."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from app.looks import read
from app.tuned import CHANGED, SUMMARY
from app.watch import BEST, TUNING_EVERY, TUNING_PER_CLASS, Looks, ended
from diffusion_core import checkpoint as checkpoints
from diffusion_core.checkpoint import Checkpoint, write_synced
from diffusion_core.config import TuneConfig, to_dict
from diffusion_core.errors import UserError
from diffusion_core.fit import fit
from diffusion_core.generate import generate
from diffusion_core.noise import plan
from diffusion_core.presets import tuned
from diffusion_core.reward import METHODS, Aim
from eval import guard
from eval.judge import load_judge
from eval.rewards import TUNED, reward

SEED, PER_CLASS, KEPT = 9_000_000, 100, 60  # of the pairs before and after, and how many of those are kept


class Request(NamedTuple):
    """What to tune, how, where, and until when."""

    parent: Checkpoint
    how: TuneConfig
    out: Path
    minutes: float | None
    images: int | None
    must_resume: bool
    guarded: bool
    independent: str | None


def tune(request: Request) -> dict:
    """Tune, keep the best that the guard allows, write down why and what changed. `UserError` for a bad request."""
    parent, how, out = request.parent, request.how, request.out
    _check(how)
    chosen = tuned(parent.meta, how)
    minutes, images = request.minutes, request.images
    if minutes is None and images is None:
        minutes = chosen.minutes
    decide = guard.decisions if request.guarded else None
    looks = Looks(out, TUNING_PER_CLASS, TUNING_EVERY, decide, independent=request.independent)
    if not (request.guarded and out.is_dir() and ended(out)):
        aim = Aim(reward(how.reward, parent.meta.dataset), TUNED[how.reward])
        fit(out, chosen, minutes, images, request.must_resume, parent, aim, looks)
    rows = read(out)
    kept = guard.best(rows) if request.guarded else len(rows) - 1
    if request.guarded:
        best = checkpoints.load(out / BEST)
        checkpoints.save(out, best.denoiser, best.meta)
    decided = guard.decisions(rows)
    stop = decided[-1].stop or ("the time was up" if minutes is not None else "the images were seen")
    if not request.guarded:
        stop = "it was not guarded"
    summary = {
        "parent": parent.name, "parent_sha256": parent.meta.sha256, "tune": to_dict(how), "guarded": request.guarded,
        "stopped": stop, "kept": rows[kept]["images"], "looks": len(rows),
        "would_stop_at": rows[len(decided) - 1]["images"] if decided[-1].stop else None,
        "best_at": rows[guard.best(rows)]["images"],
    }  # fmt: skip
    write_synced(out / SUMMARY, (json.dumps(summary, indent=1, allow_nan=False) + "\n").encode())
    keep_changed(parent, checkpoints.load(out), out)
    return {"out": str(out), **summary, "said": _said(rows, kept, stop)}


def _check(how: TuneConfig) -> None:
    if how.method not in METHODS:
        raise UserError(f"There is no way of tuning '{how.method}'. Known: {', '.join(METHODS)}.")
    if how.last < 1 or not 0 <= how.distance < float("inf") or not 0 <= how.focus <= 1:
        raise UserError("--last must be at least 1, --distance 0 or more, --focus from 0 to 1.")


def _said(rows: list[dict], kept: int, stop: str) -> list[str]:
    """The parent and what was kept, in the numbers of the looks."""
    names = {
        "accuracy": "classifier", "second_accuracy": "second", "heldout_margin": "held-out margin",
        "second_recall": "recall", "second_coverage": "coverage", "second_fd": "FD",
    }  # fmt: skip
    lines = [f"{title:16s} {rows[0][key]:.4f} -> {rows[kept][key]:.4f}" for key, title in names.items()]
    return [f"Stopped after {rows[-1]['images']:,} images: {stop}. Kept: {rows[kept]['images']:,}.", *lines]


def keep_changed(parent: Checkpoint, child: Checkpoint, out: Path) -> None:
    """`changed.npz`: the pairs of the same label and seed that differ most, and what the classifier reads in them.

    The parent's are drawn as the child is: without guidance.
    """
    labels, seeds = plan(PER_CLASS, SEED, child.meta.network.classes)
    before, after = (generate(model, labels, seeds, child.meta.sample) for model in (parent, child))
    apart = (before.int() - after.int()).square().flatten(1).sum(1)
    most = apart.argsort(descending=True, stable=True)[:KEPT]
    read = load_judge("classifier", child.meta.dataset).logits
    arrays = {
        "labels": labels[most], "seeds": seeds[most], "before": before[most], "after": after[most],
        "read_before": read(before[most]).argmax(1), "read_after": read(after[most]).argmax(1),
    }  # fmt: skip
    with open(out / f"{CHANGED}.tmp", "wb") as file:
        np.savez_compressed(file, **{key: torch.as_tensor(value).numpy() for key, value in arrays.items()})
    (out / f"{CHANGED}.tmp").replace(out / CHANGED)
