"""The files of a restoration: every candidate, their mean and spread, and what was found, as JSON."""

import json
from collections import Counter
from pathlib import Path

import torch
from torch import Tensor

from app.restoration import Case, picture
from app.sprites import arrays, png, sheet
from diffusion_core.checkpoint import Checkpoint, write_synced
from eval.fidelity import WIDEST, mean_image, psnr, spread, ssim
from eval.judge import load_judge
from eval.npz import write_npz


def write(folder: Path, checkpoint: Checkpoint, case: Case, images: Tensor, likely: Tensor | None) -> dict:
    """Write them into `folder`; returns what `result.json` holds."""
    recorded, mean = picture(case, checkpoint.spec), mean_image(images)
    wide = (spread(images) / WIDEST * 255).round().clip(0, 255).astype("uint8")
    files = {f"candidate-{i}.png": png(pixels) for i, pixels in enumerate(arrays(images))}
    files |= {"recorded.png": png(arrays(recorded)[0]), "mean.png": png(arrays(mean)[0]), "spread.png": png(wide)}
    files["sheet.png"] = png(sheet(torch.cat([recorded, mean, images]), len(images) + 2))
    found = summary(case, checkpoint.meta.dataset, images, likely, recorded, mean)
    files["result.json"] = (json.dumps(found, indent=1, allow_nan=False) + "\n").encode()
    for name, content in files.items():
        write_synced(folder / name, content)
    write_npz(folder / "restored.npz", images, case.labels(-1), case.seeds)
    return found


def summary(case: Case, dataset: str, images: Tensor, likely: Tensor | None, recorded: Tensor, mean: Tensor) -> dict:
    """What the classifier reads before and after, what the model takes it for, how near it came to the original."""
    read = load_judge("classifier", dataset).logits(torch.cat([recorded, images])).argmax(1).tolist()
    found = {
        "label": case.label,
        "seed": case.seed,
        "noise": round(case.damage.noise, 4),
        "read": {str(label): count / len(images) for label, count in Counter(read[1:]).most_common()},
        "likely": None if likely is None else [round(float(p), 4) for p in likely],
        "recorded": {"read": read[0]},
    }
    if case.original is not None:
        for name, seen in (("recorded", recorded), ("candidate", images), ("mean", mean)):
            original = case.original.expand(len(seen), -1, -1, -1)
            scores = {"psnr": float(psnr(seen, original).mean()), "ssim": float(ssim(seen, original).mean())}
            found[name] = found.get(name, {}) | scores
    return found
