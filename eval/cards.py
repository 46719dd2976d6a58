"""What a judge's card says of it, measured on images it has not seen, and how judge and card are saved."""

import hashlib
import json
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from eval.metrics import confusion, proportion


def calibration_error(confidence: Tensor, right: Tensor, bins: int = 15) -> float:
    """Expected calibration error (Guo et al. 2017): mean gap of confidence and hits [N] in equal bins."""
    bin_of = (confidence * bins).long().clamp(max=bins - 1)
    gaps = torch.zeros(bins, dtype=torch.float64).index_add_(0, bin_of, right.double() - confidence.double())
    return (gaps.abs().sum() / len(right)).item()


def measured(probabilities: Tensor, labels: Tensor) -> dict:
    """Accuracy overall and per class with 95 % Wilson intervals, calibration, confusion.

    `probabilities` [N, K], `labels` [N]. Rows of the confusion are the true class, columns the judged one.
    """
    confidence, judged = probabilities.max(1)
    right = judged == labels
    classes = probabilities.shape[1]
    return {
        "accuracy": proportion(right).to_dict(),
        "per_class": {str(c): proportion(right[labels == c]).to_dict() for c in range(classes)},
        "calibration_error": calibration_error(confidence, right),
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
    """Save a judge: weights as float32 safetensors, then the card with their sha256."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = save({key: value.contiguous() for key, value in net.state_dict().items()})
    (folder / filename).write_bytes(weights)
    card = card | {"sha256": hashlib.sha256(weights).hexdigest()}
    (folder / "card.json").write_text(json.dumps(card, indent=1) + "\n")
