"""Ready-made settings of a checkpoint: what each costs and does. No gradio."""

from dataclasses import replace
from typing import NamedTuple

from diffusion_core.config import SampleConfig
from diffusion_core.schedules import noise_levels

RECOMMENDED = "recommended"
BOLD = 3.0  # guidance


class Quality(NamedTuple):
    """Steps and guidance under a name; `says` what they do to the images."""

    key: str
    title: str
    steps: int
    guidance: float
    says: str


def qualities(sample: SampleConfig, student: bool) -> list[Quality]:
    """For a checkpoint that recommends `sample`; a student has no guidance to choose, but a number of calls."""
    own, steps, guidance = "As recommended", sample.steps, sample.guidance
    if student:
        others = [n for n in (1, 2, 4) if n != steps]
        return [
            Quality(RECOMMENDED, own, steps, guidance, "measured as the best compromise"),
            *(Quality(f"calls{n}", _calls(n), n, guidance, _student(n, steps)) for n in others),
        ]
    return [
        Quality(RECOMMENDED, own, steps, guidance, "measured as the best compromise"),
        Quality("quick", "Quick", max(1, steps // 2), guidance, "rougher strokes"),
        Quality("plain", "No guidance", steps, 1.0, "most varied, more misread"),
        Quality("bold", "Bold", steps, BOLD, "most typical, little variety"),
    ]


def _calls(n: int) -> str:
    return "One call" if n == 1 else f"{n} calls"


def _student(n: int, steps: int) -> str:
    return "fastest, less varied" if n < steps else "a little truer"


def work(sample: SampleConfig) -> int:
    """Rows of a batch that the network sees for one image: two at a noise level with guidance, else one."""
    low, high = sample.interval
    guided = sample.guidance not in (0, 1)
    return sum(1 + (guided and low < sigma <= high) for sigma in noise_levels(sample)[:-1].tolist())


def choices(sample: SampleConfig, student: bool) -> list[tuple[str, str]]:
    """(shown, key) for a picker: "Quick: 5 steps, 0.5 times the work; rougher strokes"."""
    found = []
    for quality in qualities(sample, student):
        cost = work(replace(sample, steps=quality.steps, guidance=quality.guidance)) / work(sample)
        steps = f"{quality.steps} step{'' if quality.steps == 1 else 's'}"
        price = "" if quality.key == RECOMMENDED else f", {cost:.2g} times the work"
        found.append((f"{quality.title}: {steps}{price}; {quality.says}", quality.key))
    return found
