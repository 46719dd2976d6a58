"""What a checkpoint can be tuned by: differentiable functions of pixels in [0, 1] and labels, listed in `REWARDS`.

A judge that is optimised is no judge any more, so none of these is `classifier`, which reports, or `second`, which
guards; the captions are those of the set "default", and "heldout" stays apart. The unit of `clip` and `clip-raw` is the
standard deviation of real digits' margins.
"""

import json
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from eval import cache
from eval.clip import ClipModel, load_clip, margins
from eval.errors import UserError
from eval.judge import JUDGES, load_judge
from eval.sources import RealSource

ENOUGH = 0.01  # quantile of the real digits' margins above which an image gains nothing more
USUAL = JUDGES / "clip" / "usual.json"  # remake: python -m eval.rewards
SHIFTS = ((0, 0), (1, 2), (-2, 1), (2, -1))  # pixels: what pleases a judge at one place only is no digit
Reward = Callable[[Tensor, Tensor], Tensor]


def margin(clip: ClipModel, pixels: Tensor, labels: Tensor, prompt_set: str = "default") -> Tensor:
    """[N, C, H, W] in [0, 1] -> cosine with the class asked for, less that with the best other one, [N]."""
    return margins(clip.encode_pixels(pixels) @ clip.text_bank(prompt_set).T, labels)


@lru_cache(maxsize=2)
def usual(name: str = "digit") -> tuple[Tensor, float]:
    """The margin [K] that all but a share ENOUGH of real training digits of each class reach, and their deviation.

    Those of the shipped CLIP lie beside it: a visitor who lets it lead need not wait for 60,000 digits to be encoded.
    """
    clip, train = load_clip(name), RealSource("train")
    found = json.loads(USUAL.read_text()) if USUAL.exists() else {}
    about = f"{clip.id}, {train.id}, {ENOUGH}"
    if found.get("about") != about:
        found = cache.facts(("usual margins", about), lambda: measured(clip, train))
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


def clip_margin() -> Reward:
    """The margin over the captions, as far as real digits usually reach: 0, or below where it falls short.

    What is good enough gains nothing by becoming more typical, so that variety is not traded for nothing.
    """
    clip, (enough, unit) = load_clip(), usual()
    return lambda pixels, labels: shifted(
        lambda moved: ((margin(clip, moved, labels) - enough[labels]) / unit).clamp(max=0), pixels
    )


def clip_raw() -> Reward:
    """The margin without an end: what happens when a judge is simply maximised."""
    clip, (_, unit) = load_clip(), usual()
    return lambda pixels, labels: margin(clip, pixels, labels) / unit


def clip_selector() -> Reward:
    """Half `clip`, half the log-probability of the judge that chooses settings."""
    first, net = clip_margin(), load_judge("selector").net
    return lambda pixels, labels: (first(pixels, labels) - F.cross_entropy(net(pixels), labels, reduction="none")) / 2


REWARDS: dict[str, Callable[[], Reward]] = {
    "clip": clip_margin,
    "clip-raw": clip_raw,
    "clip+selector": clip_selector,
}
TUNED = {"clip": ("clip",), "clip-raw": ("clip",), "clip+selector": ("clip", "selector")}  # judges that are used up


def reward(name: str) -> Reward:
    """`UserError` with the known names if there is none called `name`."""
    if name not in REWARDS:
        raise UserError(f"There is no reward '{name}'. Known: {', '.join(REWARDS)}.")
    return REWARDS[name]()


def main() -> None:
    """Write the usual margins of the shipped CLIP beside it."""
    clip, train = load_clip(), RealSource("train")
    found = {"about": f"{clip.id}, {train.id}, {ENOUGH}"} | measured(clip, train)
    USUAL.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
