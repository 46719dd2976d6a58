"""What each way to fewer misread digits costs in variety: tuning, guidance by CLIP, classifier-free guidance.

    python -m benchmarks.frontier checkpoints/mnist-clip

Every setting draws the same labels and seeds; the judge of accuracy is `classifier`, which was neither reward nor
guard, and recall, coverage and Frechet distance are measured in its features and in the second classifier's.
Writes frontier.json beside the tuned weights; what is there already is not measured again.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from app.frontier import CLIP, FRONTIER, GUIDED, REAL, TUNED
from app.sampling import lead_of
from diffusion_core import checkpoint as checkpoints
from diffusion_core.checkpoint import Checkpoint, write_synced
from diffusion_core.generate import generate
from diffusion_core.lead import Lead
from diffusion_core.noise import plan
from eval.judge import load_judge
from eval.metrics import wilson
from eval.probe import Probe
from eval.scorers import load_scorers
from eval.sources import RealSource, checkpoint_folder
from eval.spaces import PREFIX

SEED = 0  # that of reports
PAIRS = ((5, 6), (3, 5), (9, 7), (8, 3))  # that are taken for one another
METRICS = ("fd", "recall", "coverage")
GUIDANCE = (1.0, 1.1, 1.2, 1.35, 1.5)
SCALES = (1.0, 3.0, 10.0)  # of guidance by CLIP


def main() -> None:
    """Measure every setting that is not in the file yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tuned", type=Path, help="folder of a tuned checkpoint; its parent is found by name")
    parser.add_argument("--per-class", type=int, default=1000)
    arguments = parser.parse_args()
    tuned = checkpoints.load(arguments.tuned)
    parent = checkpoints.load(checkpoint_folder(tuned.meta.parent.split("@")[0], arguments.tuned.parent))
    path, ruler = arguments.tuned / FRONTIER, Ruler()
    rows = json.loads(path.read_text()) if path.exists() else []
    known = {(row["way"], row["setting"], row["n"], row["weights"]) for row in rows}
    labels, seeds = plan(arguments.per_class, SEED, tuned.meta.network.classes)
    test = RealSource("test").data
    if not rows:
        rows = [{"way": REAL, "setting": 0.0, "weights": "", **ruler.measure(test.images, test.labels)}]
    for way, setting, model, guidance, led in settings(parent, tuned):
        weights = model.meta.sha256[:12]
        if (way, setting, len(labels), weights) in known:
            continue
        start = time.monotonic()
        images = generate(model, labels, seeds, replace(model.meta.sample, guidance=guidance), lead=led)
        seconds = round(time.monotonic() - start, 1)
        row = {"way": way, "setting": setting, "weights": weights, "seconds": seconds}
        rows.append(row | ruler.measure(images, labels))
        print(rows[-1], flush=True)
        write_synced(path, (json.dumps(rows, indent=1, allow_nan=False) + "\n").encode())


def settings(parent: Checkpoint, tuned: Checkpoint) -> Iterator[tuple[str, float, Checkpoint, float, Lead | None]]:
    """(way, setting, model, guidance, lead)."""
    for guidance in GUIDANCE:
        yield GUIDED, guidance, parent, guidance, None
    for guidance in GUIDANCE:
        yield TUNED, guidance, tuned, guidance, None
    for scale in SCALES:
        yield CLIP, scale, parent, 1.0, lead_of(scale)


class Ruler:
    """Accuracy by the classifier, and distances to the training digits in its features and the second one's."""

    def __init__(self):
        self.spaces = Probe(scorers=load_scorers(("classifier", "second"))).references
        self.judge = load_judge("classifier")

    def measure(self, images, labels) -> dict:
        """uint8 [N, C, H, W], int [N] -> a JSON object of n, accuracy, misread pairs and what is in METRICS."""
        read = self.judge.logits(images).argmax(1)
        found = {"n": len(labels), "accuracy": wilson(int((read == labels).sum()), len(labels)).to_dict()}
        pairs = {(a, b): ((labels == a) & (read == b)) | ((labels == b) & (read == a)) for a, b in PAIRS}
        found["pairs"] = {f"{a}{b}": int(wrong.sum()) for (a, b), wrong in pairs.items()}
        for name, (scorer, real) in self.spaces.items():
            measured = real.measure(scorer.features(images), METRICS).estimates
            found |= {f"{PREFIX[name]}{metric}": e.to_dict() for metric, e in measured.items()}
        return found


if __name__ == "__main__":
    main()
