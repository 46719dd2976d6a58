"""Numbers as people read them: values and intervals with their unit, and no more decimals than they deserve."""

import math
import re
from collections.abc import Iterable

from eval.metrics import Estimate

NOTHING = "–"
SCALE = {"%": 100.0, "°": 180 / math.pi}  # from what is stored to what is shown
PLACES = {"%": 1, "°": 1, "px": 2}  # decimals where nothing says how many are worth showing
MOST = {"%": 2, "°": 2, "px": 3}  # decimals at most; a share of 10,000 images has no more
FINEST = 5


def show(value: float | None, unit: str = "%", places: int | None = None) -> str:
    """A value of a metric as text: "97.5 %", "0.213", "2.41 px", or an en dash where there is none."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return _number(value, unit, places) + _after(unit)


def show_interval(entry: Estimate, unit: str = "%", places: int | None = None) -> str:
    """An estimate's 95 % interval as text: "96.1 to 98.3 %", or an en dash where there is none."""
    if entry.low is None:
        return NOTHING
    return f"{_number(entry.low, unit, places)} to {_number(entry.high, unit, places)}{_after(unit)}"


def show_estimate(entry: Estimate | None, unit: str = "%", places: int | None = None) -> str:
    """Value and interval: "99.35 % [98.89, 99.62]", as exact as the interval is narrow."""
    if entry is None or entry.value is None:
        return NOTHING
    places = decimals([entry], unit) if places is None else places
    return f"{show(entry.value, unit, places)} {show_brackets(entry, unit, places)}".rstrip()


def show_points(entry: Estimate) -> str:
    """A difference of two shares: "−2.47 points [−2.66, −2.29]"."""
    return show_estimate(entry).replace(" %", " points", 1)


def show_brackets(entry: Estimate, unit: str = "%", places: int | None = None) -> str:
    """An estimate's 95 % interval without its unit, to stand beside the value: "[98.89, 99.62]", or nothing."""
    if entry.low is None:
        return ""
    return f"[{_number(entry.low, unit, places)}, {_number(entry.high, unit, places)}]"


def decimals(entries: Iterable[Estimate], unit: str) -> int:
    """How many decimals these estimates deserve: two digits of the typical (median) width of their intervals.

    Three digits of the typical value where no interval has a width.
    """
    scale, found = SCALE.get(unit, 1.0), [e for e in entries if e.value is not None]
    widths = sorted(w for e in found if e.low is not None and (w := scale * (e.high - e.low)) > 0)
    sizes, digits = (widths, 1) if widths else (sorted(scale * abs(e.value) for e in found if e.value), 2)
    if not sizes:
        return PLACES.get(unit, 3)
    return min(max(digits - math.floor(math.log10(sizes[len(sizes) // 2])), 0), MOST.get(unit, FINEST))


def minus(text: str) -> str:
    """Minus signs for the hyphens that stand before numbers; those within names stay."""
    return re.sub(r"(?<!\w)-(?=\d)", "−", text)


def probability(p: float) -> str:
    """A probability of one judge for one image, never rounded up to certainty: "99 %", ">99 %", "<1 %"."""
    if p > 0.995:
        return ">99 %"
    if p < 0.005:
        return "<1 %"
    return f"{100 * p:.0f} %"


def plural(n: int, noun: str) -> str:
    """ "1 image", "2 images", "1,000 images"."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def recognised(section: dict) -> list[str]:
    """A report's section "recognition" in a sentence, or in two: with the label, and from the picture alone."""
    steps, blind = len(section["sigmas"]), section.get("blind")
    told = half_recognised(section["overall"]["t50"], steps)
    if not blind:
        return [told]
    alone = half_recognised(blind["overall"]["t50"], steps)
    return [f"With the label, {told[0].lower()}{told[1:]}", f"From the picture alone, {alone[0].lower()}{alone[1:]}"]


def half_recognised(t50: dict, steps: int) -> str:
    """ "Half of the images are recognised for good by step 4 of 10, σ = 1.3 [1.3, 2.4] (n = 2,000)."

    `t50` is that of `eval.recognition`: a step k of K was reached after k steps; K is the finished image.
    """
    if t50["step"] is None:
        return f"Half of the images are never recognised for good: {t50.get('reason') or 'no step was found'}."
    where = f"by step {t50['step']} of {steps}, {noise_level(t50)}"
    return f"Half of the images are recognised for good {where} (n = {t50['n']:,})."


def learned_from(section: dict) -> str:
    """What a network learned from the images alone: the section "accuracy_score" of a report in a sentence."""
    synthetic, real, less = (Estimate(**section[key]["overall"]) for key in ("synthetic", "real", "difference"))
    return (
        f"A network that learned from these {section['n']:,} images alone reads {show_estimate(synthetic)} of the real "
        f"test images rightly; one that learned from as many real images {show_estimate(real)}; difference "
        f"{show_points(less)} ({section['seeds']} runs of each)."
    )


def noise_level(t50: dict) -> str:
    """The noise level of `t50`'s step, 0 in the finished image, with its interval: "σ = 1.3 [1.3, 2.4]"."""
    ends = [t50["low_sigma"], t50["high_sigma"]]
    return f"σ = {t50['sigma']:.2g}" + ("" if None in ends else f" [{ends[0]:.2g}, {ends[1]:.2g}]")


def _number(value: float, unit: str, places: int | None) -> str:
    places = PLACES.get(unit, 3) if places is None else places
    # + 0.0: what rounds to nothing has no sign.
    return minus(f"{round(value * SCALE.get(unit, 1.0), places) + 0.0:.{places}f}")


def _after(unit: str) -> str:
    return unit if unit in ("", "°") else f" {unit}"
