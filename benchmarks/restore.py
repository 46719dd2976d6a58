"""How well damaged test digits are restored, by kind and severity, and whether they are still the same digit.

    python -m benchmarks.restore            measure what is not measured yet
    python -m benchmarks.restore --table    write the tables of docs/restoration.md again
    python -m benchmarks.restore --time     how long a digit takes; nothing else may run

Each setting is a line of checkpoints/mnist/restoration.jsonl; a run that was stopped goes on where it was. The first
1,000 test digits; masks are drawn anew for every hundred. A digit is *kept* if the classifier reads in the restored
image what it read in the original. Needs requirements-bench.txt.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from app.restoration import Case, candidates, hurt, picture, which
from app.restored_work import CHANGED, METRICS, RESTORATIONS, Restored, cells, changes, read
from benchmarks.machine import seconds
from benchmarks.wiener import Wiener
from diffusion_core import checkpoint as checkpoints
from diffusion_core import data
from diffusion_core.checkpoint import Checkpoint, revision
from diffusion_core.damage import KINDS, Damage, damage
from diffusion_core.data import ROOT, Dataset
from diffusion_core.denoiser import Denoiser
from diffusion_core.restore import RestoreConfig, damaged, measurement, restore
from eval.fidelity import mean_image, psnr, ssim
from eval.judge import load_judge
from eval.metrics import mean, wilson

NAME = "mnist"
RESULTS = ROOT / "checkpoints" / NAME / RESTORATIONS
DOCUMENT = ROOT / "docs" / "restoration.md"
MARKS = "<!-- tables: python -m benchmarks.restore --table -->", "<!-- end of tables -->"
COUNT, GROUP = 1000, 100
FEWER, CANDIDATES = 200, 8  # digits of the dearer methods, and candidates of a mean
MIDDLE = ("told", "ddnm", "mean")  # methods that are measured at the middle severity alone
DEARER = ("ddnm", "mean")


class Blank(nn.Module):
    """What the U-Net is before any training, whose last layer starts at zero: F = 0, so that D = c_skip x, the estimate
    for white Gaussian data. The same numbers in a hundredth of the time."""

    def __init__(self):
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor, c_noise: Tensor, label: Tensor) -> Tensor:
        return self.nothing * x


def untrained(model: Checkpoint) -> Checkpoint:
    """The same checkpoint before any training."""
    return replace(model, denoiser=Denoiser(model.meta.network, Blank()).requires_grad_(False))


class Digits:
    """A hundred test digits and their damage."""

    def __init__(self, test: Dataset, kind: str, severity: float, group: int, count: int):
        rows = torch.arange(group * GROUP, min((group + 1) * GROUP, count))
        self.kind, self.severity, self.seeds = kind, severity, rows
        self.original, self.labels, self.spec = test.images[rows], test.labels[rows], test.spec
        self.damage: Damage = damage(kind, severity, test.spec.shape[1:], group)
        self.recorded = damaged(self.original, self.damage, rows)

    def pictures(self) -> Tensor:
        """What is left, uint8 [N, C, H, W]."""
        cases = (Case(y[None], self.damage, None, None, 1, 0, RestoreConfig()) for y in self.recorded)
        return torch.cat([picture(case, self.spec) for case in cases])

    def restored(self, model: Checkpoint, config: RestoreConfig, told: bool = False, candidates: int = 1) -> Tensor:
        """By the model; of several candidates the mean."""
        m = measurement(self.recorded, self.damage, self.spec)
        rows = torch.arange(len(self.seeds)).repeat_interleave(candidates)
        labels = self.labels if told else torch.full_like(self.labels, model.meta.network.classes)
        seeds = self.seeds.repeat_interleave(candidates) + COUNT * torch.arange(candidates).repeat(len(self.seeds))
        drawn = restore(model, m.rows(rows), labels[rows], seeds, config)
        return torch.cat([mean_image(part) for part in drawn.split(candidates)])


def methods(model: Checkpoint) -> dict[str, Callable[[Digits], Tensor]]:
    """Everything that is held beside each other, by name."""
    from benchmarks.classical import classical, median  # OpenCV is there for benchmarks alone

    blank, wiener, own = untrained(model), Wiener(data.load(NAME, "train")), RestoreConfig()
    return {
        "damaged": lambda d: d.pictures(),
        "median": lambda d: median(d.pictures()),
        "classical": lambda d: classical(d.kind, d.severity, d.damage, d.recorded, d.pictures()),
        "wiener": lambda d: wiener(d.damage, d.recorded),
        "untrained": lambda d: d.restored(blank, own),
        "model": lambda d: d.restored(model, own),
        "told": lambda d: d.restored(model, own, told=True),
        "ddnm": lambda d: d.restored(model, replace(own, method="ddnm", travel=4, sigma_max=10.0)),
        "mean": lambda d: d.restored(model, own, candidates=CANDIDATES),
    }


def settings() -> Iterator[tuple[str, float, str, int]]:
    """(kind, severity, method, digits), the middle severities first."""
    names = ("damaged", "median", "classical", "wiener", "untrained", "model", "told", "ddnm", "mean")
    for middle in (True, False):
        for kind, found in KINDS.items():
            for severity in found.severities:
                if (severity == found.middle) == middle:
                    for name in names:
                        if middle or name not in MIDDLE:
                            yield kind, severity, name, FEWER if name in DEARER else COUNT


def measure(test: Dataset, restored: Callable[[Digits], Tensor], kind: str, severity: float, count: int) -> dict:
    """A line of the results."""
    judge, groups = load_judge("classifier"), []
    for group in range(-(-count // GROUP)):
        digits = Digits(test, kind, severity, group, count)
        groups.append((digits.original, restored(digits)))
    original, images = (torch.cat(parts) for parts in zip(*groups, strict=True))
    before, after = (judge.logits(x).argmax(1) for x in (original, images))
    confusion = torch.bincount(10 * before + after, minlength=100).view(10, 10)
    return {
        "n": count,
        "kept": wilson(int((before == after).sum()), count).to_dict(),
        "psnr": mean(psnr(images, original).numpy()).to_dict(),
        "ssim": mean(ssim(images, original).numpy(), -1, 1).to_dict(),
        "confusion": confusion.tolist(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", action="store_true", help="only write the tables of what was measured")
    parser.add_argument("--time", action="store_true", help="only time one digit, and many")
    arguments = parser.parse_args()
    if arguments.time:
        time_it()
        return
    if not arguments.table:
        run()
    write()


def time_it() -> None:
    """Print the medians: candidates of one digit, which digit it is, and each of 64 digits."""
    model, test = checkpoints.load(ROOT / "checkpoints" / NAME), data.load(NAME, "test")
    found, original, own = damage("box", None, test.spec.shape[1:]), test.images[8:9], RestoreConfig()
    case = Case(hurt(original, found, 0), found, original, None, CANDIDATES, 0, own)
    images = list(candidates(model, case))[-1]
    took = seconds(lambda: list(candidates(model, case)))
    print(f"{CANDIDATES} candidates of a digit: {took:.2f} s")
    print(f"which digit it is: {seconds(lambda: which(model, images, 0)):.2f} s")
    digits = Digits(test, "box", KINDS["box"].middle, 0, 64)
    print(f"each of 64 digits: {seconds(lambda: digits.restored(model, own)) / 64:.3f} s")


def write() -> None:
    """Put the tables into the document, between its marks."""
    text, lines = DOCUMENT.read_text(), read(RESULTS.parent)
    before, _, rest = text.partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    tables = "\n".join(
        f"### {METRICS[metric][0].upper()}{METRICS[metric][1:]}\n\n{markdown(lines, metric)}" for metric in METRICS
    )
    became = _table(CHANGED, changes(lines, data.spec("mnist").class_names))
    text = f"{tables}\n### What became of the digits, restored by this model\n\n{became}"
    DOCUMENT.write_text(f"{before}{MARKS[0]}\n\n{text}\n{MARKS[1]}{after}")


def markdown(lines: tuple[Restored, ...], metric: str) -> str:
    """A table: a row for each kind and severity, a column a method."""
    head, rows = cells(lines, metric)
    return _table(head, [[row[0], *map(_plain, row[1:])] for row in rows])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in [head, ["---"] * len(head), *rows])


def _plain(cell) -> str:
    return cell if isinstance(cell, str) else f"{cell[0]} [{cell[1].replace(' to ', ', ')}]"


def run() -> None:
    """Measure every setting that has no line yet."""
    model, test = checkpoints.load(ROOT / "checkpoints" / NAME), data.load(NAME, "test")
    done = [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.exists() else []
    known, known_methods = {(r["kind"], r["severity"], r["method"]) for r in done}, methods(model)
    code = revision()
    for kind, severity, name, count in settings():
        if (kind, severity, name) in known:
            continue
        found = {"kind": kind, "severity": severity, "method": name, "revision": code}
        found |= measure(test, known_methods[name], kind, severity, count)
        with RESULTS.open("a") as file:
            file.write(json.dumps(found, allow_nan=False) + "\n")
        shown = " ".join(f"{key} {found[key]['value']:.3f}" for key in ("kept", "psnr", "ssim"))
        print(f"{kind} {severity:g} {name}: {shown}", flush=True)


if __name__ == "__main__":
    main()
