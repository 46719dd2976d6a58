"""What a judge's card says of it, measured on images it has not seen, and how judge and card are saved."""

import hashlib
import json
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from eval.atomic import atomic_file
from eval.calibration import calibration_error, reliability
from eval.metrics import confusion, proportion


def measured(probabilities: Tensor, labels: Tensor) -> dict:
    """Accuracy overall and per class with 95 % Wilson intervals, calibration with its diagram, confusion.

    `probabilities` [N, K], `labels` [N]. Rows of the confusion are the true class, columns the judged one.
    """
    confidence, judged = probabilities.max(1)
    right = judged == labels
    classes = probabilities.shape[1]
    return {
        "accuracy": proportion(right).to_dict(),
        "per_class": {str(c): proportion(right[labels == c]).to_dict() for c in range(classes)},
        "calibration_error": calibration_error(confidence, right),
        "reliability": reliability(confidence, right),
        "mean_confidence": confidence.mean().item(),
        "confusion": confusion(labels, judged, classes).tolist(),
    }


def auc(high: Tensor, low: Tensor) -> float:
    """Probability that a value of `high` [N] exceeds one of `low` [M], ties counted half."""
    ranked = torch.cat([high, low]).double()
    order = torch.searchsorted(ranked.sort().values, high.double(), right=False)
    ties = torch.searchsorted(ranked.sort().values, high.double(), right=True)
    ranks = (order + ties + 1).double() / 2
    n, m = len(high), len(low)
    return ((ranks.sum() - n * (n + 1) / 2) / (n * m)).item()


def write(folder: Path, filename: str, net: nn.Module, card: dict) -> None:
    """Save a judge: weights as safetensors, then the card with their sha256."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = save({key: value.contiguous() for key, value in net.state_dict().items()})
    (folder / filename).write_bytes(weights)
    write_card(folder, card | {"sha256": hashlib.sha256(weights).hexdigest()})


def write_card(folder: Path, card: dict) -> None:
    """Save a card alone, in place of an older one."""
    with atomic_file(folder / "card.json") as path:
        path.write_text(json.dumps(card, indent=1, allow_nan=False) + "\n", encoding="utf-8")
