"""Calibration: by hand, against a judge whose calibration is known, and against scikit-learn."""

import json

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from eval.calibration import calibration_error, reliability
from eval.metrics import wilson


def test_calibration_error_by_hand():
    confidence, right = np.array([0.95, 0.95, 0.55, 0.55]), np.array([True, True, True, False])
    assert calibration_error(confidence, right, bins=10) == pytest.approx((2 * 0.05 + 2 * 0.05) / 4)
    assert calibration_error([], []) is None


def test_reliability_by_hand():
    found = reliability([0.95, 1.0, 0.55, 0.5], [True, True, True, False], bins=2)
    assert [part["n"] for part in found] == [0, 4]  # 0.5 belongs to the upper bin, and 1.0 to the last
    assert found[0] == {
        "low": 0.0,
        "high": 0.5,
        "n": 0,
        "confidence": None,
        "accuracy": {"value": None, "low": None, "high": None, "n": 0},
    }
    assert found[1]["confidence"] == pytest.approx(0.75)
    assert found[1]["accuracy"] == wilson(3, 4).to_dict()
    json.dumps(found, allow_nan=False)


def drawn(n: int, honest: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A judge's confidence and hits: it is right with probability `honest` x confidence."""
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.1, 1, n)
    return confidence, rng.random(n) < honest * confidence


def test_against_scikit_learn():
    confidence, right = drawn(5_000, 0.9)
    parts = [part for part in reliability(confidence, right) if part["n"]]
    hits, means = calibration_curve(right, confidence, n_bins=10)
    np.testing.assert_allclose([part["accuracy"]["value"] for part in parts], hits)
    np.testing.assert_allclose([part["confidence"] for part in parts], means)


def test_an_honest_judge_and_a_boaster():
    """The boaster's error is known: E[0.4 c] = 0.22 for c uniform in [0.1, 1]."""
    assert calibration_error(*drawn(100_000, 1.0)) < 0.01
    assert calibration_error(*drawn(100_000, 0.6)) == pytest.approx(0.22, abs=0.01)


def test_the_diagram_gives_the_error():
    confidence, right = drawn(3_000, 0.8)
    gaps = [
        part["n"] * abs(part["accuracy"]["value"] - part["confidence"])
        for part in reliability(confidence, right, 15)
        if part["n"]
    ]
    assert sum(gaps) / 3_000 == pytest.approx(calibration_error(confidence, right))


@pytest.mark.parametrize(
    ("confidence", "right"), [([0.5], [True, False]), ([1.5], [True]), ([-0.1], [True]), ([float("nan")], [True])]
)
def test_wrong_input_is_refused(confidence, right):
    for function in (reliability, calibration_error):
        with pytest.raises(ValueError, match=r"match|outside"):
            function(confidence, right)
