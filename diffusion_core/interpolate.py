"""Noise between seeds, classes between classes, and noise that was given: what walks and a handwriting are made of.

Every draw is interpolated, the first one and those that a sampler asks for later. So the ends of a walk are what
`generate` draws, to the byte, for every sampler, those that add fresh noise included.
"""

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, one_hot

from diffusion_core.checkpoint import Checkpoint
from diffusion_core.errors import UserError
from diffusion_core.generate import from_noise
from diffusion_core.noise import MAX_SEED, Draws, Noise


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Spherical interpolation (Shoemake 1985; between noises White 2016): a, b [N, ...] at t [N] in 0..1.

    The angle grows evenly with t. Between independent standard normal draws the norm stays what theirs is, where a
    straight line would lose up to 30 % of it. Opposite ends have no shortest arc: there it is a straight line. The
    ends are exactly a and b.
    """
    shape = (-1, *[1] * (a.ndim - 1))
    x, y, t = a.flatten(1).double(), b.flatten(1).double(), t.double()
    cosine = cosine_similarity(x, y, dim=1).clamp(-1, 1)
    angle = cosine.acos()
    sine = angle.sin()
    flat = sine < 1e-6
    divisor = torch.where(flat, 1.0, sine)
    left = torch.where(flat, 1 - t, ((1 - t) * angle).sin() / divisor)
    right = torch.where(flat, t, (t * angle).sin() / divisor)
    between = (left.view(shape) * a.double() + right.view(shape) * b.double()).to(a.dtype)
    t = t.view(shape)
    return torch.where(t == 0, a, torch.where(t == 1, b, between))


class Between:
    """Draws between those of two sources, a way `t` [N] in 0..1 from the one to the other."""

    def __init__(self, one: Draws, other: Draws, t: Tensor):
        self.one, self.other, self.t = one, other, t

    def normal(self, *shape: int) -> Tensor:
        return slerp(self.one.normal(*shape), self.other.normal(*shape), self.t)


class Given:
    """`first` [N, ...] as the first draw; later ones are those of `seeds` int [N], as `Noise` has them."""

    def __init__(self, first: Tensor, seeds: Tensor):
        self.first, self.later = first, Noise(seeds)

    def normal(self, *shape: int) -> Tensor:
        drawn, first = self.later.normal(*shape), self.first
        self.first = None
        return drawn if first is None else first


def mixture(one: int, other: int, t: Tensor, classes: int) -> Tensor:
    """float32 [N, classes + 1]: weights of two classes' vectors, a way `t` [N] in 0..1 from the one to the other.

    Along an arc, (cos, sin) of a quarter turn: learned vectors are all but orthogonal and of one length, so a mixture
    keeps the length that the network knows. On a straight line fewer images of the way are read as either end
    (docs/play.md).
    """
    ends = one_hot(torch.tensor([one, other]), classes + 1).float()
    if one == other:
        return ends[:1].expand(len(t), -1)
    return slerp(ends[:1].expand(len(t), -1), ends[1:].expand(len(t), -1), t)


def along(frames: int) -> Tensor:
    """float32 [frames]: evenly from 0 to 1. `UserError` for fewer than two."""
    if frames < 2:
        raise UserError(f"A walk has at least 2 frames, not {frames}.")
    return torch.linspace(0, 1, frames)


def repeated(seed: int, count: int) -> Noise:
    """`count` times the same draws."""
    if not 0 <= seed <= MAX_SEED:
        raise UserError(f"The seed must be from 0 to {MAX_SEED}, not {seed}.")
    return Noise(torch.full((count,), seed))


# ---------------------------------------------------------------------------
# Walks. Images uint8 [frames, C, H, W], drawn as the checkpoint recommends.


def walk(checkpoint: Checkpoint, one: tuple[int, int], other: tuple[int, int], frames: int) -> Tensor:
    """From one (label, seed) to another: the class along an arc, the noise along another. `UserError` for odd ones."""
    classes = checkpoint.meta.network.classes
    if not 0 <= min(one[0], other[0]) <= max(one[0], other[0]) < classes:
        raise UserError(f"Labels must be from 0 to {classes - 1}.")
    t = along(frames)
    noise = Between(repeated(one[1], frames), repeated(other[1], frames), t)
    return from_noise(checkpoint, mixture(one[0], other[0], t, classes), noise, checkpoint.meta.sample)


def guidance_walk(checkpoint: Checkpoint, label: int, seed: int, scales: Tensor) -> Tensor:
    """One label and seed at each of the scales [frames] of guidance, 0 or more."""
    labels, config = torch.full((len(scales),), label), checkpoint.meta.sample
    return from_noise(checkpoint, labels, repeated(seed, len(scales)), config, guidance=scales)


# ---------------------------------------------------------------------------
# One hand: images from one noise. What the label leaves open (of a digit its thickness and slant) is in the noise.


def one_hand(checkpoint: Checkpoint, labels: Tensor, style: Tensor, seed: int, variation: float = 0.0) -> Tensor:
    """uint8 [N, C, H, W]: an image for each of labels int [N], all from the noise `style` [1, C, H, W].

    `variation` in 0..1 leads each image so far to a noise of its own (seeds `seed + 1`, `seed + 2`, ...): 0 makes two
    images of one label the same, 1 leaves nothing of the style.
    """
    if not 0 <= variation <= 1:
        raise UserError(f"The variation must be from 0 to 1, not {variation}.")
    n = len(labels)
    if not 0 <= seed <= MAX_SEED - n:
        raise UserError(f"The seed must be from 0 to {MAX_SEED - n}, not {seed}.")
    shared = Given(style.expand(n, *style.shape[1:]), torch.full((n,), seed))
    noise = Between(shared, Noise(seed + 1 + torch.arange(n)), torch.full((n,), variation))
    return from_noise(checkpoint, labels, noise, checkpoint.meta.sample)
