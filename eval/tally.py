"""What the judges that report make of a set of images, counted block by block: right answers by label."""

import torch

from eval.judge import load_judge
from eval.metrics import wilson
from eval.synthesis import Block

JUDGES = ("classifier", "second")  # no filter asks them
MOST = 10_000  # images of a set that are judged


class Tally:
    """Right answers and images by judge and label; the first `MOST` images that it is given count."""

    def __init__(self, classes: int, dataset: str):
        self.judges = {name: load_judge(name, dataset) for name in JUDGES}
        self.right = {name: torch.zeros(classes, dtype=torch.int64) for name in JUDGES}
        self.count = torch.zeros(classes, dtype=torch.int64)

    @property
    def full(self) -> bool:
        return int(self.count.sum()) >= MOST

    def add(self, block: Block) -> None:
        """Judge a block, as far as there is room for it."""
        rows = slice(MOST - int(self.count.sum()))
        images, labels = block.images[rows], block.labels[rows]
        self.count += torch.bincount(labels, minlength=len(self.count))
        for name, right in self.right.items():
            read = self.judges[name].logits(images).argmax(1)
            right += torch.bincount(labels[read == labels], minlength=len(right))

    def scores(self) -> dict:
        """{judge: {"overall": estimate, "per_class": [estimate], "real": estimate}}, JSON-ready; Wilson intervals.
        `real` is the same of the real test images, from the judge's card."""
        count = self.count.tolist()
        return {
            name: {
                "overall": wilson(int(right.sum()), sum(count)).to_dict(),
                "per_class": [wilson(*pair).to_dict() for pair in zip(right.tolist(), count, strict=True)],
                "real": self.judges[name].card["test"]["accuracy"],
            }
            for name, right in self.right.items()
        }
