"""What more training would give, by the looks that judges had at a run so far. No gradio.

What is left to gain, e.g. a Frechet distance less that of as many real images, falls about as a power of the images
seen (Hestness et al. 2017). So a line is fitted through the logarithms of the later half of the looks, and goes on.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

FACTORS = (2, 4)  # times as many images
FEWEST = 6  # looks that a line is laid through
GAPS = {  # metric -> what of it is left to gain: (value, that of real images)
    "accuracy": lambda value, real: 1 - value,
    "fd": lambda value, real: value - real,
}


class Guess(NamedTuple):
    """A metric at so many images, with the 95 % interval of one more look there."""

    images: int
    value: float
    low: float
    high: float


class Outlook(NamedTuple):
    """`guesses` beyond the last look, where `seen` was seen; `tried` is what the looks at half of its images would have
    said of it, None where these are too few."""

    guesses: tuple[Guess, ...]
    tried: Guess | None
    seen: float


def outlook(looks: Sequence[dict], metric: str) -> Outlook | None:
    """What the looks at a run say of its future; None where they are too few, or nothing is left to gain."""
    points = [(look["images"], look[metric]) for look in looks if look["images"] and look.get(metric) is not None]
    if not points:
        return None
    real = looks[0].get("real", {}).get(metric, 0.0)
    images, values = np.array(points, dtype=float).T
    last, seen = int(images[-1]), float(values[-1])
    ahead = _guesses(images, values, real, metric, [factor * last for factor in FACTORS])
    half = images <= last / 2
    tried = _guesses(images[half], values[half], real, metric, [last])
    return Outlook(ahead, tried[0] if tried else None, seen) if ahead else None


def _guesses(images, values, real: float, metric: str, at: list[int]) -> tuple[Guess, ...]:
    """The line through the later half of the looks (at least `FEWEST`), gone on to each of `at`."""
    many = max(FEWEST, len(images) // 2)
    gap = GAPS[metric](values, real)[-many:]
    if len(gap) < FEWEST or (gap <= 0).any():
        return ()
    x, y, n = np.log(images[-many:]), np.log(gap), len(gap)
    middle = x.mean()
    spread = ((x - middle) ** 2).sum()
    slope = ((x - middle) * y).sum() / spread
    error = np.sqrt(((y - y.mean() - slope * (x - middle)) ** 2).sum() / (n - 2))
    found = []
    for place in at:
        away = np.log(place) - middle
        reach = stdtrit(n - 2, 0.975) * error * np.sqrt(1 + 1 / n + away**2 / spread)
        gaps = np.exp(y.mean() + slope * away + np.array([0.0, -reach, reach]))
        back = 1 - gaps if metric == "accuracy" else real + gaps
        found.append(Guess(place, float(back[0]), *sorted(map(float, back[1:]))))
    return tuple(found)


def sentences(found: Outlook, name: str, scale: float, form: str) -> str:
    """The guesses in words; `form` such as ".1f" for `scale` times a value."""

    def said(guess: Guess) -> str:
        value, low, high = (f"{scale * v:{form}}" for v in (guess.value, guess.low, guess.high))
        return f"{value} [{low}, {high}]"

    ahead = ", ".join(f"{said(guess)} after {guess.images:,} images" for guess in found.guesses)
    text = f"{name} {scale * found.seen:{form}} now; if it goes on as in the later half of these looks, {ahead}."
    if found.tried:
        inside = "as it came" if found.tried.low <= found.seen <= found.tried.high else "but it came otherwise"
        text += f" Half of the images would have said {said(found.tried)} for now, {inside}."
    return text
