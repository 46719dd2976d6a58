"""A folder of checkpoints and reports for the tests of the page: small, and with mistakes that are known."""

from pathlib import Path

import torch

from eval.run import evaluate
from eval.sources import CheckpointSource
from tests.conftest import save_tiny
from tests.fakes import FakeScorer, FakeSource

PER_CLASS = 20


class Reader(FakeScorer):
    """Reads the bands of fake digits, and knows what real ones are: those have an empty first row."""

    def __call__(self, images, labels):
        drawn = torch.zeros_like(images)
        drawn[torch.arange(len(labels)), 0, 4 + 2 * labels] = 150
        drawn[torch.arange(len(labels)), 0, 5 + 2 * labels] = 150
        real = images[:, 0, 0].sum(1) == 0
        return super().__call__(torch.where(real[:, None, None, None], drawn, images), labels)


def make_root(root: Path) -> Path:
    """Checkpoints "mnist" and "early", a report of each in which only 5s are misread, as 6s; and real digits.

    "mnist" has a second, smaller report, of digits that its checkpoint really drew.
    """
    scorers, references = (Reader("classifier"), Reader("clip")), root / "real" / "reports"
    for seed, (name, errors) in enumerate({"mnist": {5: 0.2}, "early": {5: 0.6}}.items()):
        save_tiny(root / name, seed=seed)
        report = evaluate(FakeSource(name, errors), scorers, PER_CLASS, references=references)
        report.save(root / name / "reports" / report.id)
    drawn = evaluate(CheckpointSource(root / "mnist"), scorers, 2, references=references)
    drawn.save(root / "mnist" / "reports" / drawn.id)
    return root
