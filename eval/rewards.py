"""What a checkpoint can be tuned by: differentiable functions of pixels in [0, 1] and labels, listed in `REWARDS`.

A judge that is optimised is no judge any more, so none of these is `classifier`, which reports, or `second`, which
guards; the captions are those of the set "default", and "heldout" stays apart. The unit of `clip` and `clip-raw` is the
standard deviation of real images' margins.
"""

import json
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from eval import cache
from eval.clip import ClipModel, load_clip, margins
from eval.command import of_a_data_set
from eval.errors import UserError
from eval.judge import JUDGES, load_judge
from eval.sources import RealSource

ENOUGH = 0.01  # quantile of the real images' margins above which an image gains nothing more
USUAL = "usual.json"  # beside the shipped CLIP; remake: python -m eval.rewards [DATA]
SHIFTS = ((0, 0), (1, 2), (-2, 1), (2, -1))  # pixels: what pleases a judge at one place only is no likeness
Reward = Callable[[Tensor, Tensor], Tensor]


def margin(clip: ClipModel, pixels: Tensor, labels: Tensor, prompt_set: str = "default") -> Tensor:
    """[N, C, H, W] in [0, 1] -> cosine with the class asked for, less that with the best other one, [N]."""
    return margins(clip.encode_pixels(pixels) @ clip.text_bank(prompt_set).T, labels)


@lru_cache(maxsize=4)
def usual(dataset: str = "mnist") -> tuple[Tensor, float]:
    """The margin [K] that all but a share ENOUGH of real training images of each class reach, and their deviation.

    They lie beside the shipped CLIP: a visitor who lets it lead need neither have all training images nor wait until
    they are encoded.
    """
    clip, kept = load_clip(dataset=dataset), JUDGES / dataset / "clip" / USUAL
    found = json.loads(kept.read_text()) if kept.exists() else {}
    if not found.get("about", "").startswith(f"{clip.id}, ") or not found["about"].endswith(f", {ENOUGH}"):
        train = RealSource("train", dataset)
        found = cache.facts(("usual margins", clip.id, train.id, ENOUGH), lambda: measured(clip, train))
    return torch.tensor(found["enough"]), found["deviation"]


def measured(clip: ClipModel, train: RealSource) -> dict:
    """What `usual` says of them, as a JSON object."""
    features = cache.features(clip.id, train.data.images, clip.encode_images)
    labels = train.data.labels
    found = margins(features @ clip.text_bank().T, labels)
    reached = [float(found[labels == d].quantile(ENOUGH)) for d in range(len(train.class_names))]
    return {"enough": reached, "deviation": float(found.std())}


def shifted(value: Callable[[Tensor], Tensor], pixels: Tensor) -> Tensor:
    """The mean of `value` [N] over images moved by each of SHIFTS."""
    return sum(value(pixels.roll(shift, (2, 3))) for shift in SHIFTS) / len(SHIFTS)


def clip_margin(dataset: str) -> Reward:
    """The margin over the captions, as far as real images usually reach: 0, or below where it falls short.

    What is good enough gains nothing by becoming more typical, so that variety is not traded for nothing.
    """
    clip, (enough, unit) = load_clip(dataset=dataset), usual(dataset)
    return lambda pixels, labels: shifted(
        lambda moved: ((margin(clip, moved, labels) - enough[labels]) / unit).clamp(max=0), pixels
    )


def clip_raw(dataset: str) -> Reward:
    """The margin without an end: what happens when a judge is simply maximised."""
    clip, (_, unit) = load_clip(dataset=dataset), usual(dataset)
    return lambda pixels, labels: margin(clip, pixels, labels) / unit


def clip_selector(dataset: str) -> Reward:
    """Half `clip`, half the log-probability of the judge that chooses settings."""
    first, net = clip_margin(dataset), load_judge("selector", dataset).net
    return lambda pixels, labels: (first(pixels, labels) - F.cross_entropy(net(pixels), labels, reduction="none")) / 2


REWARDS: dict[str, Callable[[str], Reward]] = {
    "clip": clip_margin,
    "clip-raw": clip_raw,
    "clip+selector": clip_selector,
}
TUNED = {"clip": ("clip",), "clip-raw": ("clip",), "clip+selector": ("clip", "selector")}  # judges that are used up


def reward(name: str, dataset: str = "mnist") -> Reward:
    """For images of a data set. `UserError` with the known names if there is none called `name`."""
    if name not in REWARDS:
        raise UserError(f"There is no reward '{name}'. Known: {', '.join(REWARDS)}.")
    return REWARDS[name](dataset)


def main(dataset: str) -> None:
    """Write the usual margins of the shipped CLIP beside it."""
    clip, train = load_clip(dataset=dataset), RealSource("train", dataset)
    found = {"about": f"{clip.id}, {train.id}, {ENOUGH}"} | measured(clip, train)
    (JUDGES / dataset / "clip" / USUAL).write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    of_a_data_set(main, "eval.rewards")
