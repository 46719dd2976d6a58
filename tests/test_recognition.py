"""When digits become recognisable: tables by hand, the median's interval by simulation."""

import json

import numpy as np
import pytest
from scipy import stats

from eval.metrics import wilson
from eval.recognition import flips, half_recognised, lock_in, median_interval, readings, recognition

# Digit asked for; what is read at noise levels 10, 3 and 1 and in the finished image; lock-in; flips
BY_HAND = [
    (5, (5, 5, 5, 5), 0, 0),
    (5, (6, 5, 5, 5), 1, 1),
    (5, (5, 6, 5, 5), 2, 2),  # right early, but not for good
    (5, (8, 6, 3, 5), 3, 3),  # only in the end
    (7, (7, 7, 7, 1), 4, 1),  # lost at the end: never
    (7, (1, 1, 1, 1), 4, 0),
]
SIGMAS = [10.0, 3.0, 1.0]


def table_of(labels, read):
    read = np.asarray(read).reshape(len(labels), -1)
    steps = {f"step{k}_label": read[:, k] for k in range(read.shape[1] - 1)}
    return {"label": np.asarray(labels), "classifier_label": read[:, -1], **steps}


@pytest.fixture
def table():
    return table_of([row[0] for row in BY_HAND], [row[1] for row in BY_HAND])


def test_lock_in_and_flips_by_hand(table):
    read = readings(table)
    assert read.tolist() == [list(row[1]) for row in BY_HAND]
    assert lock_in(read, table["label"]).tolist() == [row[2] for row in BY_HAND]
    assert flips(read).tolist() == [row[3] for row in BY_HAND]


def test_curves_by_hand(table):
    found = recognition(table, SIGMAS, 10)
    assert found["sigmas"] == SIGMAS and list(found["per_class"]) == [str(d) for d in range(10)]
    overall, five = found["overall"], found["per_class"]["5"]
    assert overall["recognised"] == [wilson(k, 6).to_dict() for k in (3, 3, 4)]
    assert overall["for_good"] == [wilson(k, 6).to_dict() for k in (1, 2, 3, 4)]
    assert five["for_good"] == [wilson(k, 4).to_dict() for k in (1, 2, 3, 4)]
    assert (overall["lock_in"]["value"], overall["lock_in"]["n"]) == (1.5, 4)  # of those that lock in
    assert (overall["flips"]["value"], overall["flips"]["n"]) == pytest.approx((7 / 6, 6))
    assert (overall["t50"]["step"], overall["t50"]["sigma"]) == (2, 1.0)
    assert (five["t50"]["step"], five["t50"]["sigma"]) == (1, 3.0)  # exactly half is half
    assert five["t50"]["low_step"] is None and "at least 6" in five["t50"]["reason"]
    json.dumps(found, allow_nan=False)


def test_readings_without_the_label_are_held_against_the_same_finished_image(table):
    plain = recognition(table, SIGMAS, 10)
    blind = {f"blind{k}_label": column for k, column in enumerate(readings(table)[::-1, :3].T)}  # another digit's
    found = recognition(table | blind, SIGMAS, 10)
    assert (
        plain["blind"] is None and {k: found[k] for k in ("sigmas", "overall", "per_class")} | {"blind": None} == plain
    )
    overall = found["blind"]["overall"]
    assert overall["recognised"] == [wilson(k, 6).to_dict() for k in (1, 0, 1)]
    assert overall["for_good"] == [wilson(k, 6).to_dict() for k in (0, 0, 1, 4)]
    assert found["blind"]["per_class"]["5"]["t50"]["step"] == 3
    del blind["blind2_label"]
    with pytest.raises(ValueError, match="3 steps with the label, but 2 without"):
        recognition(table | blind, SIGMAS, 10)


def test_digits_never_recognised_and_digits_without_images_have_reasons(table):
    found = recognition(table, SIGMAS, 10)["per_class"]
    assert found["7"]["t50"]["step"] is found["7"]["t50"]["sigma"] is found["7"]["lock_in"]["value"] is None
    assert "fewer than half" in found["7"]["t50"]["reason"] and found["7"]["t50"]["n"] == 2
    nothing = {"value": None, "low": None, "high": None, "n": 0}
    assert found["0"]["recognised"] == [nothing] * 3 and found["0"]["for_good"] == [nothing] * 4
    assert found["0"]["flips"] == nothing and found["0"]["t50"]["reason"] == "there are no images"


def test_interval_of_the_step_in_noise_levels():
    locked = np.array([0] * 3 + [1] * 10 + [2] * 3)
    found = half_recognised(locked, SIGMAS)
    assert [found[k] for k in ("low_step", "step", "high_step")] == [1, 1, 1] and found["reason"] is None
    wide = half_recognised(np.array([0] * 5 + [1, 1] + [3] * 5), SIGMAS)
    assert [wide[k] for k in ("low_step", "step", "high_step")] == [0, 1, 3]
    assert [wide[k] for k in ("high_sigma", "sigma", "low_sigma")] == [10.0, 3.0, 0.0]  # step 3: the finished image
    open_ended = half_recognised(np.array([0] * 7 + [4] * 6), SIGMAS)
    assert (open_ended["step"], open_ended["high_step"], open_ended["low_sigma"]) == (0, None, None)
    assert "may be" in open_ended["reason"]


def test_median_interval_is_the_order_statistics():
    assert median_interval(range(1, 6)) is None
    assert median_interval(range(1, 7)) == (1, 6)
    assert median_interval(range(1, 21)) == (6, 15)  # the textbook's table for n = 20
    assert median_interval(range(1, 101)) == (40, 61)
    test = stats.quantile_test(np.arange(1.0, 51), p=0.5).confidence_interval(0.95)
    assert median_interval(np.arange(1.0, 51)) == pytest.approx((test.low, test.high))


@pytest.mark.parametrize("n", [20, 100])
def test_the_medians_interval_covers_it(n):
    rng = np.random.default_rng(0)
    ends = np.array([median_interval(x) for x in rng.exponential(size=(2000, n))])
    assert abs(np.mean((ends[:, 0] <= np.log(2)) & (np.log(2) <= ends[:, 1])) - 0.95) <= 0.03
    steps = rng.choice(5, size=(2000, n), p=[0.1, 0.25, 0.3, 0.2, 0.15])  # ties can only widen it; median 2
    ends = np.array([median_interval(x) for x in steps])
    assert np.mean((ends[:, 0] <= 2) & (ends[:, 1] >= 2)) >= 0.95


def test_for_good_never_falls_and_ends_at_the_accuracy():
    rng = np.random.default_rng(1)
    labels = rng.integers(10, size=300)
    read = np.where(rng.random((300, 9)) < np.linspace(0.1, 0.9, 9), labels[:, None], rng.integers(10, size=(300, 9)))
    table = table_of(labels, read)
    found = recognition(table, np.linspace(8, 1, 8), 10)
    for curves in (found["overall"], *found["per_class"].values()):
        good = [e["value"] for e in curves["for_good"]]
        assert good == sorted(good)
        assert all(g <= e["value"] for g, e in zip(good[:-1], curves["recognised"], strict=True))
        step = curves["t50"]["step"]
        assert step is None or (good[step] >= 0.5 and (step == 0 or good[step - 1] < 0.5))
    assert found["overall"]["for_good"][-1]["value"] == np.mean(table["classifier_label"] == labels)


def test_nothing_without_labels_or_steps(table):
    assert recognition(table | {"label": np.full(6, -1)}, SIGMAS, 10) is None
    assert recognition({k: table[k] for k in ("label", "classifier_label")}, SIGMAS, 10) is None
    for wrong in ([10.0, 3.0], [10.0, 3.0, 3.0], [1.0, 3.0, 10.0]):
        with pytest.raises(ValueError, match="3 steps"):
            recognition(table, wrong, 10)
