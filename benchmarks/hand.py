"""Is a style in the noise? Digits of one noise beside digits of ten, a real digit's style carried over, ways of mixing.

Thickness and slant are measured as reports measure them (eval/shape.py), minus what is usual for the digit, so that a 1
is not called slanted for being a 1. No judge chose anything here but the mixture of two classes.
"""

import torch
from torch import Tensor

from app.hand import STEPS, VARIATION
from app.judging import Judges
from diffusion_core import checkpoint as checkpoints
from diffusion_core import data
from diffusion_core.checkpoint import Checkpoint
from diffusion_core.data import ROOT
from diffusion_core.generate import from_noise, inverted
from diffusion_core.interpolate import Given, along, mixture, one_hand
from diffusion_core.noise import Noise
from eval.shape import measure as shape

SEED = 30_000_000
HANDS = 200
EXAMPLES = 10  # real test digits of each label
WALKS, FRAMES = 60, 16
MEASURES = ("thickness", "slant")
DIGITS = torch.arange(10)


def measure(machine: dict) -> dict:
    """{"hands": a row a variation, "examples": what a real digit hands on, "walks": a row a way of mixing}."""
    model = checkpoints.load(ROOT / "checkpoints" / "mnist")
    return {"hands": hands(model), "examples": examples(model), "walks": walks(model)}


def hands(model: Checkpoint) -> list[dict]:
    """The spread within ten digits: standard deviation of each measure, averaged over the hands."""
    rows = []
    for variation in (0.0, VARIATION, 1.0):
        drawn = [
            one_hand(model, DIGITS, Noise(torch.tensor([seed])).normal(*model.spec.shape), seed, variation)
            for seed in range(SEED, SEED + 100 * HANDS, 100)
        ]
        free = unusual(torch.cat(drawn), DIGITS.repeat(HANDS))
        spread = {name: float(values.view(HANDS, 10).std(1).mean()) for name, values in free.items()}
        rows.append({"variation": variation, "n": HANDS, **spread})
        print(rows[-1], flush=True)
    return rows


def examples(model: Checkpoint) -> dict:
    """Real test digits, their noises, and how their thickness and slant correlate with those of ten digits drawn."""
    test = data.load("mnist", "test")
    rows = torch.cat([(test.labels == d).nonzero()[:EXAMPLES, 0] for d in range(10)])
    images, labels = test.images[rows], test.labels[rows].long()
    noise = inverted(model, images, labels, SEED + rows, model.meta.sample, STEPS)
    drawn = torch.cat([one_hand(model, DIGITS, z[None], SEED, 0.0) for z in noise])
    again = from_noise(model, labels, Given(noise, SEED + rows), model.meta.sample)
    theirs, ours = unusual(images, labels), unusual(drawn, DIGITS.repeat(len(rows)))
    pairs = {name: torch.stack([theirs[name], ours[name].view(-1, 10).mean(1)]) for name in MEASURES}
    flat = noise.flatten(1)
    found = {
        "n": len(rows),
        **{f"correlation_{name}": float(torch.corrcoef(pair)[0, 1]) for name, pair in pairs.items()},
        "noise_deviation": float(flat.std(1).mean()),
        "noise_kurtosis": float(((flat - flat.mean()) ** 4).mean() / flat.var() ** 2),
        "grey_levels_off": float((again.float() - images.float()).abs().mean()),
    }
    print(found, flush=True)
    return found


def walks(model: Checkpoint) -> list[dict]:
    """From one random digit to another: how many of the inner half of the frames are read as either of them."""
    generator, read, rows = torch.Generator().manual_seed(SEED), Judges(str).read, []
    one = torch.randint(10, (WALKS,), generator=generator)
    other = (one + torch.randint(1, 10, (WALKS,), generator=generator)) % 10
    noise, t = SEED + torch.arange(WALKS).repeat_interleave(FRAMES), along(FRAMES)
    arcs = torch.cat([mixture(int(a), int(b), t, 10) for a, b in zip(one, other, strict=True)])
    angles = (2 / torch.pi) * arcs.clamp(0, 1).asin()  # sin of a quarter turn t -> t: the straight line
    ends = torch.stack([one, other]).repeat_interleave(FRAMES, 1)
    inner = torch.arange(FRAMES).repeat(WALKS).sub((FRAMES - 1) / 2).abs() < FRAMES / 4
    for way, weights in (("arc", arcs), ("line", angles)):
        images = from_noise(model, weights, Noise(noise), model.meta.sample)
        kept = (read(images).argmax(1) == ends).any(0)[inner].float()
        rows.append({"way": way, "n": len(kept), "read_as_an_end": float(kept.mean())})
        print(rows[-1], flush=True)
    return rows


def unusual(images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Thickness in pixels and slant in radians of each image, minus the mean of its label here: {measure: [N]}."""
    found = {}
    for name, values in shape(images).items():
        if name in MEASURES:
            usual = torch.stack([values[labels == d].mean() for d in range(10)])
            found[name] = values - usual[labels]
    return found
