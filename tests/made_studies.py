"""Rows of runs that never ran, with known answers."""

from diffusion_core.config import NetworkConfig, TrainConfig
from eval.study import Study, Variant, jobs
from eval.study_verdict import Contrast, contrasts

NETWORK, TRAIN = NetworkConfig(channels=(16, 32)), TrainConfig(batch=16, warmup_images=64)
LOSS = {"old": (0.50, 0.52, 0.54), "new": (0.40, 0.43, 0.43), "real test digits": (None,) * 3}


def made_study(**changes) -> Study:
    """Two variants and three seeds; the claim is that the new one is better."""
    values = {
        "name": "made",
        "title": "Made up",
        "question": "Is the new one better?",
        "claim": "The new one is better.",
        "variants": {"old": Variant(NETWORK, TRAIN), "new": Variant(NETWORK, TRAIN)},
        "metric": "loss",
        "conclude": contrasts(
            Contrast("new", "old", "loss", "lower"), beside=[Contrast("new", "old", "accuracy", "higher")]
        ),
    }
    return Study(**values | changes)


def made_rows(study: Study, loss: dict = LOSS, **columns) -> list[dict]:
    """A row a run; `loss`: {variant: a value a seed}."""
    return [
        {"variant": job.name, "seed": job.seed, "made": job.made, "revision": "0", "loss": loss[job.name][job.seed],
         "accuracy": 0.9 + 0.01 * job.seed, "images": 64, "diverged": None, **columns}
        for job in jobs(study)
    ]  # fmt: skip
