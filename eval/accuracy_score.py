"""Classification accuracy score (Ravuri & Vinyals 2019): what a network learns from synthetic images alone.

The same small network is trained from scratch on N synthetic and on N real training images and tested on the real
test images. Where the images of a class are wrong, or too much alike, the network trained on them misses real ones.

The two halves, `synthetic_hits` and `real_hits`, are lists that JSON can hold: the real one depends only on the
data set and the counts per class, so one may keep it. `score` makes the numbers.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit
from torch import Tensor, nn
from torch.nn import functional as F

from eval.errors import UserError
from eval.forms import form
from eval.judge import chunked
from eval.metrics import Estimate
from eval.optimise import one_cycle, set_lr
from eval.sources import RealSource

NETWORK = "two 5x5 convolutions of stride 2 (32, 64 channels) and a dense layer, {:,} parameters, no augmentation"
SEEDS, STEPS, BATCH, PEAK_LR = 5, 300, 100, 5e-3  # 15 passes over 2,000 images
FEWEST = 10  # images of a class

Hits = list[list[int]]  # [seeds][class]: real test images that were recognised
Progress = Callable[[int, int], None]  # (runs done, runs in all)


def accuracy_score(
    images: Tensor, labels: Tensor, dataset: str, seeds: int = SEEDS, progress: Progress | None = None
) -> dict:
    """The score of uint8 [N, C, H, W] images with int64 [N] labels, as `score` puts it; about a minute for MNIST.

    `UserError` unless every class of `dataset` has at least 10 images and no more than the training split.
    """
    counts = class_counts(labels, dataset)
    first = progress and (lambda done, _: progress(done, 2 * seeds))
    then = progress and (lambda done, _: progress(seeds + done, 2 * seeds))
    synthetic = synthetic_hits(images, labels, dataset, seeds, first)
    return score(synthetic, real_hits(counts, dataset, seeds, then), len(labels), dataset)


# ---------------------------------------------------------------- the two halves


def class_counts(labels: Tensor, dataset: str) -> list[int]:
    """Images of each class, [K]; `UserError` that names the class where there are too few."""
    names = form(dataset).class_names
    if len(labels) and int(labels.min()) < 0:
        raise UserError("These images have no labels: the accuracy score needs them. Give a source with labels.")
    counts = torch.bincount(labels, minlength=len(names)).tolist()
    if len(counts) > len(names):
        raise UserError(f"Label {len(counts) - 1} is no class of '{dataset}': they are 0 to {len(names) - 1}.")
    if min(counts) < FEWEST:
        fewest = counts.index(min(counts))
        raise UserError(
            f"Class '{names[fewest]}' has {counts[fewest]} images: the accuracy score needs {FEWEST} of every class."
        )
    return counts


def synthetic_hits(
    images: Tensor, labels: Tensor, dataset: str, seeds: int = SEEDS, progress: Progress | None = None
) -> Hits:
    """Train on these images once per seed 0, 1, ...; uint8 [N, C, H, W], int64 [N]."""
    class_counts(labels, dataset)
    order = labels.argsort(stable=True)  # as `real_images`: row i of both has the same label
    return _hits(lambda seed: (images[order], labels[order]), dataset, seeds, progress)


def real_hits(counts: Sequence[int], dataset: str, seeds: int = SEEDS, progress: Progress | None = None) -> Hits:
    """The same on real training images, `counts` of each class, drawn anew for every seed."""
    return _hits(lambda seed: real_images(counts, seed, dataset), dataset, seeds, progress)


def real_images(counts: Sequence[int], seed: int, dataset: str) -> tuple[Tensor, Tensor]:
    """A draw without return from the training split, sorted by label; `UserError` where it has too few."""
    data = RealSource("train", dataset).data
    shuffled = torch.randperm(len(data.labels), generator=torch.Generator().manual_seed(seed))
    by_class = [shuffled[data.labels[shuffled] == label] for label in range(len(counts))]
    for name, rows, count in zip(data.spec.class_names, by_class, counts, strict=True):
        if count > len(rows):
            raise UserError(f"There are {len(rows)} real training images of '{name}', not {count}: give fewer.")
    rows = torch.cat([rows[:count] for rows, count in zip(by_class, counts, strict=True)])
    return data.images[rows], data.labels[rows]


def _hits(draw: Callable[[int], tuple[Tensor, Tensor]], dataset: str, seeds: int, progress: Progress | None) -> Hits:
    """Train on `draw(seed)` for every seed and count the test images that are recognised."""
    test, result = RealSource("test", dataset).data, []
    classes = len(test.spec.class_names)
    for seed in range(seeds):
        judged = chunked(train(*draw(seed), classes, seed), test.images).argmax(1)
        result.append(torch.bincount(test.labels[judged == test.labels], minlength=classes).tolist())
        if progress:
            progress(seed + 1, seeds)
    return result


# ---------------------------------------------------------------- one run


def train(images: Tensor, labels: Tensor, classes: int, seed: int, steps: int | None = None) -> nn.Module:
    """The network after `steps` batches of uint8 [N, C, H, W] images; pixels in [0, 1] -> logits [N, classes].

    `steps` None: `STEPS`. First weights and batches depend on `seed` and N alone. float32, so that a run repeats on the
    same machine with as many threads.
    """
    steps = steps or STEPS
    rng = torch.Generator().manual_seed(seed)
    passes = math.ceil(steps * BATCH / len(labels))
    rows = torch.cat([torch.randperm(len(labels), generator=rng) for _ in range(passes)])[: steps * BATCH]
    x = images.float() / 255
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(seed)  # first weights, dropout
        net = network(tuple(images.shape[1:]), classes).to(memory_format=torch.channels_last)
        optimizer = torch.optim.AdamW(net.parameters(), lr=PEAK_LR, weight_decay=0.05)
        for done, batch in enumerate(rows.split(BATCH)):
            set_lr(optimizer, PEAK_LR * one_cycle(done / steps))
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(net(x[batch]), labels[batch]).backward()
            optimizer.step()
    return net.eval()


def network(shape: tuple[int, int, int], classes: int) -> nn.Module:
    """For images of `shape`: channels, height, width."""
    channels, height, width = shape
    return nn.Sequential(
        nn.Conv2d(channels, 32, 5, stride=2, padding=2),  # [N, 32, H / 2, W / 2], rounded up
        nn.ReLU(),
        nn.Conv2d(32, 64, 5, stride=2, padding=2),  # [N, 64, H / 4, W / 4], rounded up
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(64 * -(-height // 4) * -(-width // 4), classes),
    )


# ---------------------------------------------------------------- the numbers


def score(synthetic: Hits, real: Hits, n: int, dataset: str) -> dict:
    """Accuracies of both halves and their differences (synthetic - real), overall and by class; JSON-ready.

    `n` images per run. Every estimate is a mean over the runs with Student's t interval (n = runs; df = runs - 1), of
    pairs with one seed for the difference. The interval speaks of other first weights, batches and draws of real
    training images, given these synthetic images and these test images: other synthetic images are not in it.
    """
    if len(synthetic) != len(real):
        raise ValueError(f"{len(synthetic)} and {len(real)} runs are not pairs")
    test = RealSource("test", dataset).data
    counts = torch.bincount(test.labels, minlength=len(test.spec.class_names)).numpy()
    with torch.device("meta"):  # counted, not drawn
        parameters = sum(p.numel() for p in network(test.spec.shape, len(counts)).parameters())
    a, b = _accuracies(synthetic, counts), _accuracies(real, counts)
    return {
        "n": n,
        "seeds": len(synthetic),
        "network": NETWORK.format(parameters),
        "steps": STEPS,
        "synthetic": _summary(a, 0.0) | {"runs": a[:, 0].tolist()},
        "real": _summary(b, 0.0) | {"runs": b[:, 0].tolist()},
        "difference": _summary(a - b, -1.0),
    }


def _accuracies(hits: Hits, counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Of `counts` test images of each class, [K] -> [seeds, 1 + K]: overall, then each class; NaN where it has none."""
    hits = np.array(hits)
    by_class = np.divide(hits, counts, out=np.full(hits.shape, np.nan), where=counts > 0)
    return np.concatenate([hits.sum(1, keepdims=True) / counts.sum(), by_class], axis=1)


def _summary(values: NDArray, low: float) -> dict:
    """Columns [seeds, 1 + K] -> {"overall": estimate, "per_class": {"0": estimate, ...}}, cut to [low, 1]."""
    first, *rest = (student(column, low, 1.0).to_dict() for column in values.T)
    return {"overall": first, "per_class": {str(label): estimate for label, estimate in enumerate(rest)}}


def student(values: ArrayLike, low: float, high: float) -> Estimate:
    """Mean of [N] -+ t(0.975, N - 1) s / sqrt(N), cut to [low, high]; no interval for N = 1, no value for NaN.

    A handful of runs are too few for the skewness that `metrics.mean` corrects for.
    """
    x = np.asarray(values, dtype=np.float64)
    centre = float(x.mean())
    if math.isnan(centre):
        return Estimate(None, None, None, 0)
    if x.size == 1:
        return Estimate(centre, None, None, 1)
    half = float(stdtrit(x.size - 1, 0.975) * x.std(ddof=1) / math.sqrt(x.size))
    return Estimate(centre, max(centre - half, low), min(centre + half, high), x.size)
