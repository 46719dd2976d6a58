"""A study: a small grid of runs under one budget, made to hold one claim against what is measured.

A study is data. `jobs` spells out its runs, one for each variant and seed; `study_run.py` does one, `app/studying.py`
does them all, `study_table.py` and `study_verdict.py` say what came out. The studies there are: `studies.py`.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

from diffusion_core.config import NetworkConfig, SampleConfig, TrainConfig, to_dict
from diffusion_core.presets import DRAWN
from eval.study_verdict import Conclusion

REAL = "real test digits"  # the variant that shows how far a metric can go
SEED = 3_000_000  # of the first image that is drawn, apart from the seeds that reports are made of


@dataclass(frozen=True)
class Variant:
    """What a line of a study trains and how it is drawn. With `checkpoint` it only draws; with neither: real digits."""

    network: NetworkConfig | None = None
    train: TrainConfig | None = None
    sample: SampleConfig = DRAWN
    checkpoint: str | None = None


@dataclass(frozen=True)
class Job:
    """One run: everything that `study_run.py` needs to know, JSON types by `to_dict`."""

    name: str  # of the variant
    seed: int
    variant: Variant
    images: int  # to train on
    looks: tuple[int, ...]  # images seen at which it is judged on the way
    per_class: int  # digits to judge

    @property
    def made(self) -> str:
        """What tells its row from one that was made by other settings: another value wherever any of them differs."""
        parts = {f.name: getattr(self.variant, f.name) for f in fields(Variant)}
        settings = {name: _differences(part) if hasattr(part, "__dict__") else part for name, part in parts.items()}
        text = json.dumps([settings, self.images, self.looks, self.per_class], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Study:
    """`variants`: label -> what it is, the baseline first. `chart`: one of `app/study_charts.py`'s forms."""

    name: str
    title: str
    question: str
    claim: str  # what the report says
    variants: dict[str, Variant]
    metric: str  # that is shown first
    conclude: Callable[[Sequence[dict]], Conclusion]
    seeds: int = 3
    images: int = 51_200
    looks: tuple[int, ...] = ()
    per_class: int = 100
    chart: str = "bars"

    @property
    def baseline(self) -> str:
        return next(iter(self.variants))


def jobs(study: Study) -> list[Job]:
    """Every run of a study: all variants of the first seed, then of the next one; real digits with each."""
    every = study.variants | {REAL: Variant()}
    return [
        Job(name, seed, _seeded(variant, seed), study.images, study.looks, study.per_class)
        for seed in range(study.seeds)
        for name, variant in every.items()
    ]


def _seeded(variant: Variant, seed: int) -> Variant:
    """The same seed means the same order of the training digits and the same noise, in every variant."""
    return replace(variant, train=replace(variant.train, seed=seed)) if variant.train else variant


def _differences(config) -> dict:
    """The fields of a config that are not at their defaults: a field that is added later changes no older study."""
    known = to_dict(config)
    return {f.name: known[f.name] for f in fields(config) if getattr(config, f.name) != f.default}
