"""Stand-ins that are quick and exact: a source whose mistakes are chosen, and scorers that see them.

A fake digit d is a bright band at rows 4 + 2d and 5 + 2d over faint noise. The scorers read the bands.
"""

import torch

from eval.sources import Source, SourceInfo

CLASS_NAMES = tuple("0123456789")


class FakeSource(Source):
    """Acts as a checkpoint. `errors`: label -> share of its images that show the next digit instead.

    Whether an image is wrong depends on its seed alone: where two sources err at different rates, the
    better one's mistakes are among the worse one's, as with checkpoints that share their noise.
    """

    def __init__(self, name: str = "fake", errors: dict[int, float] | None = None, **info):
        self.errors = errors or {}
        kept = {"kind": "checkpoint", "dataset": "mnist", "class_names": CLASS_NAMES, "settings": "fake1-g1"}
        super().__init__(SourceInfo(id=f"{name}@0", name=name, **(kept | info)))

    def plan(self, per_class, seed=0):
        labels = torch.arange(10).repeat(per_class or 10)
        return labels, seed + torch.arange(len(labels))

    def images(self, labels, seeds, progress=None):
        made = [self._draw(int(d), int(seed)) for d, seed in zip(labels, seeds, strict=True)]
        if progress:
            progress(len(made), len(made))
        return torch.stack(made)

    def _draw(self, label: int, seed: int) -> torch.Tensor:
        rng = torch.Generator().manual_seed(seed)
        wrong = torch.rand((), generator=rng) < self.errors.get(label, 0.0)
        image = torch.randint(0, 60, (1, 28, 28), generator=rng, dtype=torch.uint8)
        row = 4 + 2 * ((label + int(wrong)) % 10)
        image[:, row : row + 2] += torch.randint(40, 190, (), generator=rng, dtype=torch.uint8)
        return image


class FakeScorer:
    """Reads the bands. `name` "classifier" or "clip" decides the columns, as those of the true scorers."""

    def __init__(self, name: str = "classifier", version: str = "0"):
        self.name = name
        self.id = f"{'clip:digit' if name == 'clip' else name}@fake{version}"
        extra = ("confidence",) if name == "classifier" else ("probability", "margin", "cosine")
        self.asked = tuple(f"{name}_{c}" for c in extra)
        self.columns = tuple(f"{name}_{c}" for c in ("label", *extra, *(f"p{d}" for d in range(10))))

    def __call__(self, images, labels):
        cosine = images[:, 0, 4:24].float().reshape(len(images), 10, -1).mean(2) / 255
        p = torch.softmax(20 * cosine, dim=1)
        asked = labels[:, None]
        right, own = p.gather(1, asked)[:, 0], cosine.gather(1, asked)[:, 0]
        other = cosine.scatter(1, asked, -1.0).amax(1)
        scores = {"label": p.argmax(1), "confidence": right, "probability": right}
        scores |= {"margin": own - other, "cosine": own}
        scores |= {f"p{d}": p[:, d] for d in range(10)}
        return {column: scores[column.split("_", 1)[1]] for column in self.columns}


def fake_scorers() -> tuple[FakeScorer, FakeScorer]:
    """One of either kind, in the standard order."""
    return FakeScorer("classifier"), FakeScorer("clip")
