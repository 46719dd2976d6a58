"""The judge that learned nothing: the training images nearest in pixels vote. Its card: `python -m eval.knn [DATA]`.

It shares neither architecture nor training with the networks, hence none of their blind spots.
"""

import json

import torch
from torch import Tensor

from eval.cards import measured
from eval.command import of_a_data_set
from eval.judge import JUDGES
from eval.neighbours import nearest, pixels
from eval.sources import RealSource

HELD_OUT = 5_000  # the last training images, on which the two numbers below were chosen, the others voting
K = 7  # neighbours that vote; most accurate of COUNTS there
SMOOTHING = 0.0005  # of the votes, given to every class; least log loss of SHARES there
COUNTS = range(1, 16)
SHARES = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01)


class KnnScorer:
    """k nearest neighbours among the training images: the class read, its probability, and all of them.

    A training image that is judged finds itself first, so its scores are no evidence.
    """

    name = "knn"
    asked = ("knn_confidence",)

    def __init__(self, dataset: str = "mnist"):
        source = RealSource("train", dataset)
        self.references, self.labels = source.data.images, source.data.labels
        self.classes = len(source.class_names)
        self.id = f"knn:pixels@{source.info.sha256[:12]}/k{K}"
        self.columns = ("knn_label", *self.asked, *(f"knn_p{d}" for d in range(self.classes)))

    def features(self, images: Tensor) -> Tensor:
        """uint8 [N, C, H, W] -> float32 [N, C*H*W]: pixels in [0, 1]."""
        return pixels(images)

    def probabilities(self, images: Tensor) -> Tensor:
        """uint8 [N, C, H, W] -> float32 [N, classes], each row sums to 1 and has one largest entry."""
        _, indices = nearest(images, self.references, K)
        return shares(votes(self.labels[indices], self.classes), SMOOTHING)

    def __call__(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        p = self.probabilities(images)
        own = p.gather(1, labels[:, None])[:, 0]
        each = {f"knn_p{d}": column for d, column in enumerate(p.unbind(1))}
        return {"knn_label": p.argmax(1), "knn_confidence": own} | each


def votes(neighbours: Tensor, classes: int) -> Tensor:
    """Labels of k neighbours, nearest first, int64 [N, k] -> votes int64 [N, classes].

    The i-th nearest has k + 1 - i votes, and (k + 1) times that many are counted. To these each class adds those
    of its nearest neighbour once: where two classes are even the nearer one wins, and no tie is left.
    """
    k = neighbours.shape[1]
    ranks = torch.arange(k, 0, -1)[:, None] * torch.nn.functional.one_hot(neighbours, classes)  # [N, k, classes]
    return (k + 1) * ranks.sum(1) + ranks.amax(1)


def shares(counts: Tensor, smoothing: float) -> Tensor:
    """Votes [N, classes] -> probabilities float32: shares of the votes, each with `smoothing` added, rescaled."""
    p = counts.double() / counts.sum(1, keepdim=True) + smoothing
    return (p / (1 + smoothing * counts.shape[1])).float()


# ---------------------------------------------------------------- the card


def log_loss(p: Tensor, labels: Tensor) -> float:
    """Mean of -ln p at the label; p [N, classes], labels [N]."""
    return -p.double().gather(1, labels[:, None]).log().mean().item()


def held_out(source: RealSource) -> dict[str, dict]:
    """Accuracy for every count of voters, and for K the log loss for every smoothing, on the images held out."""
    data, border = source.data, -min(HELD_OUT, len(source.data.labels) // 10)
    known, labels = data.labels[:border], data.labels[border:]
    _, indices = nearest(data.images[border:], data.images[:border], max(COUNTS))
    counted = {k: votes(known[indices[:, :k]], len(data.spec.class_names)) for k in COUNTS}
    return {
        "held_out_accuracy": {str(k): (v.argmax(1) == labels).double().mean().item() for k, v in counted.items()},
        "held_out_log_loss": {str(s): log_loss(shares(counted[K], s), labels) for s in SHARES},
    }


def main(dataset: str) -> None:
    """Write the card, and print what the judge reaches on the real test images."""
    scorer, source, test = KnnScorer(dataset), RealSource("train", dataset), RealSource("test", dataset).data
    card = {
        "name": "knn",
        "role": "reports beside the classifier; learned nothing",
        "architecture": "k nearest neighbours",
        "parameters": 0,
        "dataset": source.info.dataset,
        "class_names": list(source.class_names),
        "training": {
            "split": f"train, all {len(scorer.labels)} images; k and smoothing chosen on the last {HELD_OUT} of MNIST",
            "k": K,
            "weights": "by rank, k for the nearest to 1 for the farthest",
            "smoothing": SMOOTHING,
            **held_out(source),
            "command": "python -m eval.knn" + f" {dataset}" * (dataset != "mnist"),
        },
        "test": measured(scorer.probabilities(test.images), test.labels),
        "sha256": source.info.sha256,
    }
    folder = JUDGES / dataset / "knn"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "card.json").write_text(json.dumps(card, indent=1) + "\n")
    print(card["test"]["accuracy"])


if __name__ == "__main__":
    of_a_data_set(main, "eval.knn")
