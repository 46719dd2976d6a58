"""A store of two data sets for the tests of the page: that of tests/pages.py, and one of three classes in colour."""

from dataclasses import replace
from pathlib import Path

import torch

from diffusion_core import checkpoint as checkpoints
from diffusion_core.checkpoint import CheckpointMeta
from diffusion_core.config import NetworkConfig
from diffusion_core.data import DataSpec
from eval.report import Report
from tests.conftest import TINY_PRESET, random_denoiser
from tests.made_data import MADE, draw
from tests.made_reports import made_report
from tests.pages import make_root

JUDGES = ("classifier", "second", "clip")  # what needs no training images
ERRORS = {"shapes": {1: 0.2}, "shapes-early": {1: 0.6, 2: 0.3}}  # checkpoint: what is read as the next class
PER_CLASS = 24


def made_root(root: Path, spec: DataSpec = MADE) -> Path:
    """The checkpoints and reports of two data sets; those of the second say themselves what it is."""
    make_root(root)
    network = NetworkConfig(image=spec.shape, classes=len(spec.class_names), channels=(16, 32))
    for seed, (name, errors) in enumerate(ERRORS.items()):
        train = replace(TINY_PRESET.train, dataset=spec.name)
        meta = CheckpointMeta(spec.name, network, train, TINY_PRESET.sample, 160, 1.0, data=spec)
        checkpoints.save(root / name, random_denoiser(network, seed), meta)
        report = seen_report(spec, name, errors)
        report.save(root / name / "reports" / "made")
    return root


def seen_report(spec: DataSpec = MADE, name: str = "shapes", errors: dict[int, float] | None = None, **info) -> Report:
    """A report with the images that its judges say they see, and their probability of every class."""
    k = len(spec.class_names)
    kept = {"class_names": spec.class_names, "shape": spec.shape, "dataset": spec.name, "judges": JUDGES}
    report = made_report(name, errors, PER_CLASS, **(kept | info))
    table = report.table.copy()
    for judge in JUDGES:
        sure = table["clip_probability" if judge == "clip" else f"{judge}_confidence"]
        for label in range(k):
            read = table[f"{judge}_label"] == label
            table[f"{judge}_p{label}"] = (0.6 + sure / 1e3).where(read, 0.4 / (k - 1) - sure / 1e3 / (k - 1))
    labels, seeds = (torch.tensor(table[column].to_numpy()) for column in ("classifier_label", "seed"))
    return replace(report, table=table, images=draw(labels, seeds))
