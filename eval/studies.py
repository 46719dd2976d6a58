"""The studies there are. A new one is an entry here.

What is claimed is what a student's report on such a model said, which this project grew out of. Budget, network and
recipe are a small form of the shipped preset's, so that a run is about a minute of one core.
"""

import math
from dataclasses import replace

from diffusion_core.config import MAX_SIGMA, NetworkConfig
from diffusion_core.errors import UserError
from diffusion_core.presets import DRAWN, LEAN, MUON
from eval.study import Study, Variant
from eval.study_special import best_rate, late_digits
from eval.study_verdict import Contrast, contrasts

SMALL = replace(LEAN, channels=(32, 64))
ADAM = replace(MUON, optimizer="adam")  # where norms or rates are compared: Muon takes the size out of every update
NORMS = {"no": "none", "batch": "batch", "group": "group", "rms": "rms"}
RATES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
ONCE = replace(DRAWN, steps=1)
EVERYWHERE = replace(DRAWN, interval=(0.0, MAX_SIGMA))


def _network(**changes) -> Variant:
    return Variant(replace(SMALL, **changes), MUON)


def _trained(**changes) -> Variant:
    return Variant(SMALL, replace(MUON, **changes))


def _transformer(width: int, blocks: int) -> Variant:
    return Variant(NetworkConfig(kind="transformer", patch=4, channels=(width,), blocks=blocks), MUON)


def _rate(norm: str, rate: float) -> str:
    return f"{norm} norm, {rate:g}"


def _pairs(variant: str, against: str, **metrics: str) -> list[Contrast]:
    """metric="lower" or "higher": what `variant` is claimed to be."""
    return [Contrast(variant, against, metric, better) for metric, better in metrics.items()]


SKIP = Study(
    name="skip",
    title="Skip connections",
    question="Do skip connections keep fine detail, and which metric shows it?",
    claim="Skip connections between encoder and decoder keep fine detail.",
    variants={"with skips": _network(), "without skips": _network(skip=False)},
    metric="loss_q1",
    conclude=contrasts(
        *_pairs("with skips", "without skips", loss_q1="lower"),
        beside=_pairs("with skips", "without skips", loss_q4="lower", fd="lower", accuracy="higher"),
    ),
    seeds=5,
)
RESIDUAL = Study(
    name="residual",
    title="Residual blocks",
    question="What do residual blocks gain, and what do they cost?",
    claim="Residual blocks make training easier and the digits better.",
    variants={
        "residual, 1 block": _network(),
        "plain, 1 block": _network(residual=False),
        "residual, 3 blocks": _network(blocks=3),
        "plain, 3 blocks": _network(residual=False, blocks=3),
    },
    metric="loss",
    conclude=contrasts(
        *_pairs("residual, 1 block", "plain, 1 block", loss="lower"),
        *_pairs("residual, 3 blocks", "plain, 3 blocks", loss="lower"),
        beside=[
            *_pairs("residual, 3 blocks", "plain, 3 blocks", fd="lower", memory="lower", seconds="lower"),
            *_pairs("residual, 3 blocks", "plain, 3 blocks", parameters="lower"),
        ],
    ),
)
NORM = Study(
    name="norm",
    title="Normalisation",
    question="Which normalisation is stable, which leaves artefacts, and does batch norm draw as it trains?",
    claim="Batch normalisation stabilises training and improves the digits.",
    variants={f"{norm} norm": Variant(replace(SMALL, norm=kind), ADAM) for norm, kind in NORMS.items()},
    metric="fd",
    conclude=contrasts(
        *_pairs("batch norm", "no norm", loss="lower", fd="lower"),
        beside=[
            *_pairs("group norm", "no norm", loss="lower"),
            *_pairs("rms norm", "no norm", loss="lower"),
            *_pairs("batch norm", "group norm", fd="lower"),
        ],
    ),
    seeds=4,
)
RATE = Study(
    name="rate",
    title="Learning rate",
    question="Which learning rates train, by norm, and where does training diverge?",
    claim="A rate of 1e-3 trains best; much higher ones diverge, much lower ones hardly learn.",
    variants={
        _rate(norm, rate): Variant(replace(SMALL, norm=kind), replace(ADAM, lr=rate, warmup_images=ADAM.batch))
        for norm, kind in NORMS.items()
        for rate in RATES
    },
    metric="loss",
    conclude=best_rate(1e-3, RATES, tuple(NORMS), _rate),
    images=19_200,
    per_class=50,
    chart="map",
)
DEPTH = Study(
    name="depth",
    title="Depth and width",
    question="Is a deeper or a wider network better, and what does it take?",
    claim="Deeper layers make the digits better, for more memory and time.",
    variants={
        "32/64, 1 block": _network(),
        "32/64, 3 blocks": _network(blocks=3),
        "48/96, 1 block": _network(channels=(48, 96)),
        "16/32, 1 block": _network(channels=(16, 32)),
        "64, no second level": _network(channels=(64,)),
    },
    metric="loss",
    conclude=contrasts(
        *_pairs("32/64, 3 blocks", "32/64, 1 block", loss="lower"),
        beside=[
            *_pairs("32/64, 3 blocks", "48/96, 1 block", loss="lower", seconds="lower"),
            *_pairs("32/64, 3 blocks", "32/64, 1 block", memory="lower", seconds="lower", fd="lower"),
        ],
    ),
)
CONDITIONING = Study(
    name="conditioning",
    title="Conditioning",
    question="How should class and noise level enter the network, and how often should the class be left out?",
    claim="The network has to be told the noise level, and is told class and noise level best by scale and shift.",
    variants={
        "scale and shift": _network(),
        "added": _network(conditioning="add"),
        "concatenated": _network(conditioning="concat"),
        "no noise level": _network(time=False),
        "no label dropped": _trained(label_dropout=0.0),
        "30 % dropped": _trained(label_dropout=0.3),
    },
    metric="loss",
    conclude=contrasts(
        *_pairs("scale and shift", "no noise level", loss="lower"),
        *_pairs("scale and shift", "added", loss="lower"),
        *_pairs("scale and shift", "concatenated", loss="lower"),
        beside=[
            *_pairs("no label dropped", "scale and shift", fd="higher", plain_fd="lower"),
            *_pairs("30 % dropped", "scale and shift", fd="lower"),
        ],
    ),
)
ONESTEP = Study(
    name="onestep",
    title="All noise at once",
    question="Why is noise added, and taken away, gradually?",
    claim="Noise has to be taken away gradually: one step from pure noise gives no good digits.",
    variants={
        "gradually, 8 steps": _trained(),
        "gradually, 1 step": Variant(SMALL, MUON, ONCE),
        # The trainer with one noise level, where x0 cannot be seen: D regresses E[x0 | label], the mean of a class.
        "all at once": Variant(SMALL, replace(MUON, log_sigma_mean=math.log(DRAWN.sigma_max), log_sigma_std=0.0), ONCE),
    },
    metric="fd",
    conclude=contrasts(
        *_pairs("gradually, 8 steps", "all at once", fd="lower", recall="higher"),
        beside=[
            *_pairs("gradually, 1 step", "all at once", fd="lower"),
            *_pairs("gradually, 8 steps", "all at once", accuracy="higher"),
        ],
        why="All at once, the best answer to pure noise is the mean of all digits of the class, E[x0 | label]",
    ),
)
GUIDANCE = Study(
    name="guidance",
    title="Guidance, steps and sampler",
    question="What do guidance, steps and sampler do to accuracy and to diversity?",
    claim="Stronger guidance makes digits clearer and less varied.",
    variants={
        f"{sampler}, {steps} steps, guidance {guidance:g}": Variant(
            sample=replace(EVERYWHERE, sampler=sampler, steps=steps, guidance=guidance), checkpoint="mnist"
        )
        for sampler in ("unipc", "euler", "ancestral")  # Euler's is DDIM, ancestral is DDPM
        for steps in (8, 4, 16)
        for guidance in (1.0, 1.5, 2.5, 4.0)
    },
    metric="accuracy",
    conclude=contrasts(
        *_pairs("unipc, 8 steps, guidance 4", "unipc, 8 steps, guidance 1", accuracy="higher", recall="lower"),
        beside=[
            *_pairs("unipc, 8 steps, guidance 1.5", "unipc, 8 steps, guidance 1", accuracy="higher", recall="lower"),
            *_pairs("unipc, 4 steps, guidance 1.5", "euler, 4 steps, guidance 1.5", fd="lower"),
        ],
    ),
    per_class=50,
    chart="surface",
)
EMERGENCE = Study(
    name="emergence",
    title="When digits appear",
    question="When in training does each digit appear, and which come last?",
    claim="Simple digits such as 0 and 1 appear first, 8 and 9 last.",
    variants={"as it trains": _trained()},
    metric="accuracy",
    conclude=late_digits((0, 1), (8, 9)),
    seeds=5,
    looks=(1_280, 2_560, 5_120, 10_240, 12_800, 15_360, 20_480, 25_600, 30_720, 40_960),  # most digits appear late
    chart="curves",
)
TRANSFORMER = Study(
    name="transformer",
    title="A transformer instead",
    question="Does a transformer draw as well as a U-Net of the same cost?",
    claim="The U-Net is the right network for this task.",
    variants={
        "U-Net": _network(),
        "transformer, equal FLOPs": _transformer(96, 5),
        "transformer, equal time": _transformer(96, 2),
    },
    metric="fd",
    conclude=contrasts(
        *_pairs("U-Net", "transformer, equal FLOPs", loss="lower", fd="lower"),
        *_pairs("U-Net", "transformer, equal time", loss="lower", fd="lower"),
        beside=[
            *_pairs("U-Net", "transformer, equal FLOPs", flops="lower", seconds="lower"),
            *_pairs("U-Net", "transformer, equal time", seconds="lower", parameters="lower"),
        ],
    ),
)

STUDIES = {
    found.name: found
    for found in (SKIP, RESIDUAL, NORM, RATE, DEPTH, CONDITIONING, ONESTEP, GUIDANCE, EMERGENCE, TRANSFORMER)
}


def study(name: str) -> Study:
    """`UserError` with the known names if there is none called `name`."""
    if name not in STUDIES:
        raise UserError(f"There is no study '{name}'. Known: {', '.join(STUDIES)}.")
    return STUDIES[name]
