"""Faults planted in real digits are found and named by the whole evaluation, and a faultless set is not accused."""

import numpy as np
import pytest
import torch
from scipy.ndimage import grey_dilation

from diffusion_core import checkpoint as checkpoints
from eval.npz import write_npz
from eval.run import evaluate
from eval.scorers import load_scorers
from eval.sources import CHECKPOINTS, CheckpointSource, RealSource, open_source

EACH = 60


@pytest.fixture(scope="module")
def scorers():
    return load_scorers()


@pytest.fixture(scope="module")
def digits():
    """Training digits, shuffled, as if a perfect model had drawn them; moved by a pixel, so that none is a copy."""
    real = RealSource("train")
    labels, seeds = real.plan(EACH, 3)
    return real.images(labels, seeds).roll(1, dims=3), labels


@pytest.fixture(scope="module")
def judged(scorers, tmp_path_factory):
    folder = tmp_path_factory.mktemp("planted")

    def run(name, images, labels):
        write_npz(folder / f"{name}.npz", images, labels, torch.arange(len(labels)))
        return evaluate(open_source(str(folder / f"{name}.npz")), scorers, None)

    return run


def kinds(report):
    return {finding["kind"] for finding in report.details["findings"]}


def told(report, kind):
    return next(finding for finding in report.details["findings"] if finding["kind"] == kind)


def test_a_checkpoint_that_swaps_5_and_6_is_found_and_named(scorers, tmp_path):
    """The shipped weights with the vectors of two labels exchanged: every image is good, and of the wrong digit."""
    good = checkpoints.load(CHECKPOINTS / "mnist")
    vectors = [p for p in good.denoiser.parameters() if p.shape[0] == good.meta.network.classes + 1]
    assert len(vectors) == 1  # one a label, and one for "no label"
    vectors[0][[5, 6]] = vectors[0][[6, 5]]
    checkpoints.save(tmp_path / "swapped", good.denoiser, good.meta)
    report = evaluate(CheckpointSource(tmp_path / "swapped"), scorers, 20)
    assert [(f["kind"], f["digits"]) for f in report.details["findings"]] == [("swapped", [5, 6])]
    assert report.details["findings"][0]["text"].startswith("5 and 6 are swapped: ")
    assert report.confusions["classifier"][5][6] >= 18 and report.confusions["clip"][6][5] >= 18
    seen = report.details["recognition"]
    known, blind = (part["overall"]["recognised"][0]["value"] for part in (seen, seen["blind"]))
    assert 0.65 < known <= 0.8  # in pure noise a model that knows the label draws it, mostly, 5 and 6 apart
    assert blind == pytest.approx(0.1, abs=0.05)  # and one that does not sees the same in all of them


def test_real_digits_are_not_accused(scorers):
    report = evaluate(RealSource("test"), scorers, EACH, seed=11)
    assert report.details["findings"] == [] and report.details["missing"] == []


def test_one_image_a_digit_over_and_over_is_named_while_accuracy_sees_nothing(judged, digits):
    images, labels = digits
    rows = torch.stack([(labels == d).nonzero()[:, 0][0] for d in range(10)])
    report = judged("collapsed", images[rows[labels]], labels)
    assert report.metrics["overall"]["accuracy"].value > 0.9
    assert "collapsed" in kinds(report)
    for metric, nothing in (("recall", 0), ("coverage", 0), ("vendi", 1)):  # what no variety at all scores
        for space in ("", "second_", "pixels_", "clip_"):
            three = [r.metrics["per_class"]["3"][space + metric].value for r in (report, report.reference)]
            assert three[0] - nothing < 0.5 * (three[1] - nothing), space + metric


def test_copies_of_training_digits_are_named(judged):
    real = RealSource("train")
    labels, seeds = real.plan(EACH, 4)
    noise = torch.randint(-6, 7, (len(labels), 1, 28, 28), generator=torch.Generator().manual_seed(0))
    report = judged("copied", (real.images(labels, seeds).int() + noise).clamp(0, 255).to(torch.uint8), labels)
    assert report.metrics["overall"]["memorised"].low > 0.9 and "copied" in kinds(report)
    assert {(pair["train_index"]) for pair in report.details["closest"]} <= set(seeds.tolist())


def test_strokes_that_are_too_thick_are_named(judged, digits):
    images, labels = digits
    thick = np.stack([grey_dilation(image[0].numpy(), size=(3, 3))[None] for image in images])
    report = judged("thick", torch.from_numpy(thick), labels)
    found = told(report, "thick")
    assert len(found["digits"]) == 10 and "thick" in found["text"]
    ours, real = (m["overall"]["thickness"] for m in (report.metrics, report.reference.metrics))
    assert ours.low > real.high + 1


def test_the_document_shows_the_shipped_numbers():
    from benchmarks.table import DOCUMENT, tables

    assert tables() in DOCUMENT.read_text()
