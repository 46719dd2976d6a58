"""Where synthetic digits help: what a small network reads right among the 10,000 real test digits after learning from
real digits alone, from drawn ones alone, and from both.

    python -m benchmarks synthetic                          every generator there is; what was measured is kept
    python -m benchmarks.synthetic --subset FOLDER          the 1,000 real digits as IDX files, to train a generator on

The network is that of eval/accuracy_score.py, trained for the same number of batches on whatever it is given, with
RUNS seeds; the intervals are over them: other first weights and batches, given these digits. Real digits are always of
one draw (seed 0), balanced, the smaller set in the larger one. `mnist` has seen all 60,000 training digits, so real
100 and digits of it is no result of 100 digits. The fair rows are those of SMALL, if that checkpoint is there, from
1,000 real digits on: it was trained on just these. To make checkpoints/mnist-1000, here SMALL:

    python -m benchmarks.synthetic --subset FOLDER
    MNIST_DIR=FOLDER/MNIST/raw python -m app train --preset mnist-fast --minutes 10 --look-every 0 --out SMALL

Every training is kept as soon as it is done (eval/cache.py), so that the same command goes on where it was stopped.
"""

import argparse
from collections.abc import Callable
from functools import cache as cached
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from diffusion_core.checkpoint import load
from diffusion_core.errors import UserError
from eval import cache
from eval.accuracy_score import real_images, student, train
from eval.judge import chunked
from eval.sources import CHECKPOINTS, CheckpointSource, RealSource
from eval.synthesis import Block, LeftOut, Request, Synthesis
from eval.writers import DataSet, idx_head, write_idx

FULL, SMALL = "mnist", "mnist-1000"
REAL = (100, 1000, 10_000)
DRAWN, SEED = 10_000, 30_000_000  # digits of each synthetic set; apart from the seeds that scores are made of
FILTERS = {"confidence": 0.9, "clip_margin": 0.2}
STEPS, RUNS = 800, 5
CLASSES = 10
Draw = Callable[[], tuple[Tensor, Tensor]]  # images uint8 [N, 1, 28, 28], labels int64 [N]


def measure(machine: dict) -> list[dict]:
    """A row a generator and mixture; the rows without a generator are of real digits alone."""
    rows = [row(None, count, "", partial(real, count), "") for count in REAL]
    for name in (FULL, SMALL):
        if (CHECKPOINTS / name / "checkpoint.json").is_file():
            rows += generated(name)
    return rows


def generated(name: str) -> list[dict]:
    """Digits of one generator alone, filtered and not, and beside real ones."""
    source = CheckpointSource(load(CHECKPOINTS / name))
    plain, filtered = (cached(partial(draw, source, filters)) for filters in ({}, FILTERS))
    said = ", ".join(f"{key} {value:g}" for key, value in FILTERS.items())
    alone = [row(name, 0, "", plain, source.id), row(name, 0, said, filtered, source.id)]
    return alone + [row(name, count, "", partial(both, count, plain), source.id) for count in REAL]


def row(name: str | None, count: int, filters: str, data: Draw, source: str) -> dict:
    """Accuracy over the runs: `count` real digits, and DRAWN ones of the generator `name` if there is one."""
    drawn = DRAWN if name else 0
    right = []
    for seed in range(RUNS):
        about = ("synthetic", RealSource("train").id, source, filters, count, drawn, SEED, STEPS, seed)
        right.append(cache.facts(about, partial(learned, data, seed))["right"])
    n = len(RealSource("test").data.labels)
    accuracy = student([hits / n for hits in right], 0.0, 1.0).to_dict()
    found = {"generator": name, "real": count, "drawn": drawn, "filters": filters, "accuracy": accuracy, "n": n}
    print(found, flush=True)
    return found


def learned(data: Draw, seed: int) -> dict:
    """Train once; real test digits that are read right."""
    test = RealSource("test").data
    read = chunked(train(*data(), CLASSES, seed, STEPS), test.images).argmax(1)
    return {"right": int((read == test.labels).sum())}


def real(count: int) -> tuple[Tensor, Tensor]:
    return real_images([count // CLASSES] * CLASSES, 0, "mnist")


def both(count: int, drawn: Draw) -> tuple[Tensor, Tensor]:
    """`count` real digits and the drawn ones."""
    return tuple(map(torch.cat, zip(real(count), drawn(), strict=True)))


def draw(source: CheckpointSource, filters: dict) -> tuple[Tensor, Tensor]:
    """DRAWN digits, as many of each."""
    request = Request(DRAWN, (1.0,) * CLASSES, SEED, filters)
    blocks = [found.block for found in Synthesis(source, request).blocks(1000, 1000) if found.block]
    return torch.cat([block.images for block in blocks]), torch.cat([block.labels for block in blocks])


def write_subset(folder: Path, count: int = 1000) -> None:
    """The real digits as IDX files that MNIST_DIR can point to, FOLDER/MNIST/raw; the test split is the real one."""
    images, labels = real(count)
    test, nothing = RealSource("test").data, torch.empty(0, dtype=torch.int64)
    block = Block(images, labels, torch.arange(count), {}, LeftOut(*[nothing] * 4))
    if folder.exists() and any(folder.iterdir()):
        raise UserError(f"{folder} is not empty. Give another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    write_idx(folder, DataSet(count, test.spec, (), lambda: iter([block])))
    raw, size = folder / "MNIST" / "raw", test.images.shape[2:]
    for kind, values, head in (("images-idx3", test.images, size), ("labels-idx1", test.labels.byte(), ())):
        (raw / f"t10k-{kind}-ubyte").write_bytes(idx_head(len(values), *head) + values.numpy().tobytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subset", type=Path, required=True, metavar="FOLDER", help="a new folder for the digits")
    folder = parser.parse_args().subset
    try:
        write_subset(folder)
    except UserError as error:
        parser.error(str(error))
    print(folder / "MNIST" / "raw")


if __name__ == "__main__":
    main()
