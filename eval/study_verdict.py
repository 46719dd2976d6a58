"""From the rows of a study to a verdict and two sentences. Pure functions.

A claim held if the whole 95 % interval lies on its side, did not hold if the whole interval lies on the other, and is
not decided in between: that many runs cannot tell.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from eval.formats import minus
from eval.metrics import Estimate
from eval.study_table import METRICS, by_seed, over_seeds, paired

HELD, NOT, OPEN = "held", "did not hold", "not decided"


class Conclusion(NamedTuple):
    """`verdict`: HELD, NOT or OPEN; two sentences."""

    verdict: str
    sentences: tuple[str, str]


Conclude = Callable[[Sequence[dict]], Conclusion]


class Contrast(NamedTuple):
    """ "`variant` is better than `against` by `metric`"; `better` "lower" or "higher"."""

    variant: str
    against: str
    metric: str
    better: str


def verdict_of(difference: Estimate, better: str) -> str:
    """What a difference, variant minus the other, says of "the variant is better"."""
    if difference.low is None:
        return OPEN
    low, high = (difference.low, difference.high) if better == "higher" else (-difference.high, -difference.low)
    return HELD if low > 0 else NOT if high < 0 else OPEN


def together(verdicts: Sequence[str]) -> str:
    """A claim of several parts: held if all did, lost with any that did not."""
    return NOT if NOT in verdicts else OPEN if OPEN in verdicts else HELD


def contrasts(*deciding: Contrast, beside: Sequence[Contrast] = (), why: str = "") -> Conclude:
    """A conclusion from pairs of variants: `deciding` make the verdict and the first sentence, `beside` the second,
    which begins with `why` where a reason is known."""

    def conclude(rows: Sequence[dict]) -> Conclusion:
        verdicts = [verdict_of(paired(rows, c.variant, c.against, c.metric), c.better) for c in deciding]
        first, second = ("; ".join(said(rows, c) for c in group) + "." for group in (deciding, beside))
        return Conclusion(together(verdicts), (_sentence(first), _sentence(f"{why}; {second}" if why else second)))

    return conclude


def said(rows: Sequence[dict], contrast: Contrast) -> str:
    """One contrast: "loss: 0.42 (new) against 0.52 (old), −0.1000 [−0.1248, −0.0752] or −19 % over 3 seeds"."""
    variant, against, metric, _ = contrast
    apart = paired(rows, variant, against, metric)
    if apart.value is None:
        return f"{METRICS[metric].words}: {variant} beside {against} was not measured"
    ours, theirs = (over_seeds(list(by_seed(rows, name, metric).values())).value for name in (variant, against))
    share = f" or {100 * apart.value / abs(theirs):+.0f} %" if METRICS[metric].unit != "%" and theirs else ""
    pair = f"{shown(ours, metric)} ({variant}) against {shown(theirs, metric)} ({against})"
    seeds = f"{apart.n} seeds" if apart.n > 1 else "one seed"
    return minus(f"{METRICS[metric].words}: {pair}, {difference(apart, metric)}{share} over {seeds}")


def difference(apart: Estimate, metric: str) -> str:
    """ "-0.0021 [-0.0025, -0.0017]"."""
    value = shown(apart.value, metric, True)
    if apart.low is None:
        return value
    low, high = (shown(end, metric, True).removesuffix(" points") for end in apart[1:3])
    return f"{value} [{low}, {high}]"


def shown(value: float, metric: str, sign: bool = False) -> str:
    """A number as people read it."""
    unit, plus = METRICS[metric].unit, "+" if sign else ""
    if unit == "%":
        return f"{100 * value:{plus}.2f} {'points' if sign else '%'}"
    if metric in ("parameters", "flops", "diverged"):
        return f"{value:{plus},.0f}"
    text = f"{value:{plus}.1f}" if unit else f"{value:{plus}.4f}" if abs(value) < 1 else f"{value:{plus}.2f}"
    return f"{text} {unit}".strip()


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
