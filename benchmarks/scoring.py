"""What judging 10,000 images costs: the classifier, the digit CLIP, and the metrics of sets in both their spaces.

    python -m benchmarks scoring

The images are training digits moved by a pixel. Twice: with nothing kept, when the features of the training and
test digits are computed too; and for other images after that.
"""

import resource
import tempfile
import time
from pathlib import Path

import torch

from eval import cache
from eval.scorers import load_scorers, score
from eval.sources import RealSource
from eval.spaces import distances

COUNT = 10_000


def measure(machine: dict) -> dict:
    """Seconds for both, and the peak of memory in GB of this process so far."""
    train = RealSource("train").data
    scorers, rows = load_scorers(["classifier", "clip"]), []
    kept = cache.CACHE
    with tempfile.TemporaryDirectory() as folder:
        cache.CACHE = Path(folder)
        try:
            for title, first in (("nothing kept", 0), ("real digits kept", COUNT)):
                images, labels = (
                    train.images[first : first + COUNT].roll(1, dims=3),
                    train.labels[first : first + COUNT],
                )
                start = time.monotonic()
                score(scorers, images, labels, torch.arange(COUNT))
                judged = time.monotonic()
                distances(scorers, images, labels, "mnist")
                seconds = time.monotonic() - start
                rows.append({"what": title, "n": COUNT, "seconds": seconds, "image_by_image": judged - start})
                print(rows[-1], flush=True)
        finally:
            cache.CACHE = kept
    return {"rows": rows, "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6}
