"""Planted faults are named, and only those; other real digits are not accused."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import ndimage, stats

from eval.distribution import precision_recall_density_coverage
from eval.faults import ALARM
from eval.faults_read import Readings
from eval.faults_variety import _below
from eval.findings import findings
from eval.measure import box, slant, thickness
from eval.metrics import Estimate, wilson
from eval.scorers import ClassifierScorer, ClipScorer, score
from eval.sources import RealSource

NAMES = tuple("0123456789")
NONE = SimpleNamespace(metrics={"overall": {}, "per_class": {}})
EACH = 100  # images of a digit: those looked at, and as many real ones beside them


def shapes(images):
    """Columns as those of eval/shape.py, by the simpler formulas of eval/measure.py."""
    x = images.float() / 255
    height, width = box(x)
    found = {"thickness": thickness(x), "slant": torch.atan(slant(x)), "width": width, "height": height}
    return {m: v.numpy() for m, v in found.items()} | {"ink": x.sum((1, 2, 3)).numpy()}


@pytest.fixture(scope="module")
def scored():
    scorers = [ClassifierScorer(), ClipScorer()]

    def scored(images, labels):
        columns = score(scorers, images, labels, torch.arange(len(labels)))
        table = {c: columns[c].to_numpy() for c in ("label", "classifier_label", "clip_label")}
        return table | {"disagreement": (table["classifier_label"] != table["clip_label"]) / 2} | shapes(images)

    return scored


@pytest.fixture(scope="module")
def digits():
    """Images and labels of EACH test digits of a class, in turn 0..9, and of as many others."""
    data = RealSource("test").data
    order = torch.randperm(len(data.labels), generator=torch.Generator().manual_seed(0))  # the file goes by writer
    rows = torch.stack([order[data.labels[order] == d][: 2 * EACH] for d in range(10)], dim=1)
    return [(data.images[r], data.labels[r]) for r in (rows[:EACH].flatten(), rows[EACH:].flatten())]


@pytest.fixture(scope="module")
def tables(digits, scored):
    return [scored(*part) for part in digits]


def swap(labels):
    return np.where(labels == 5, 6, np.where(labels == 6, 5, labels))


def with_rows(table, rows, other):
    """The table with the rows of another in place of its own."""
    found = {c: v.copy() for c, v in table.items()}
    for c, v in other.items():
        found[c][rows] = v
    return found


def extras(images=None):
    return {"class_names": NAMES} | ({} if images is None else {"images": images})


def of_kind(found, kind):
    return [f for f in found if f.kind == kind]


def kinds(found):
    return {f.kind for f in found}


# ---------------------------------------------------------------- real digits


def test_other_real_digits_are_not_accused(digits, tables, floor):
    own = variety(*digits[0])
    assert findings(tables[0], own, floor, tables[1], extras(digits[0][0])) == []
    assert findings(tables[1], floor, own, tables[0], extras(digits[1][0])) == []


def test_real_digits_are_rarely_accused(tables):
    """Two random halves of real digits, over and over: at most 5 % are accused of anything."""
    joined = {c: np.concatenate([t[c] for t in tables]) for c in tables[0]}
    rng, accused = np.random.default_rng(0), 0
    for _ in range(60):
        order = rng.permutation(len(joined["label"]))
        halves = [{c: v[rows] for c, v in joined.items()} for rows in (order[:1000], order[1000:])]
        accused += bool(findings(halves[0], NONE, NONE, halves[1], extras()))
    assert accused <= 3


# ---------------------------------------------------------------- planted faults


def test_swapped_labels(digits, tables):
    table = tables[0] | {"label": swap(tables[0]["label"])}
    found = findings(table, NONE, NONE, tables[1], extras(digits[0][0]))
    assert [(f.kind, f.labels) for f in found] == [("swapped", (5, 6))]
    there, back = (100 * np.mean(table["classifier_label"][table["label"] == d] == 11 - d) for d in (5, 6))
    assert found[0].text == (
        f"5 and 6 are swapped: 5 is read as 6 in {there:.3g} % of its images, 6 as 5 in {back:.3g} % "
        "(so say the classifier and CLIP)."
    )
    assert found[0].evidence["share"] == pytest.approx(0.2, abs=0.02) and found[0].evidence["n"] == 200
    json.dumps([f._asdict() for f in found], allow_nan=False)


def test_one_image_for_each_digit(digits, tables):
    first = np.arange(10 * EACH) % 10
    images, table = digits[0][0][first], {c: v[first] for c, v in tables[0].items()}
    found = findings(table, NONE, NONE, tables[1], extras(images))
    assert [(f.kind, f.labels) for f in found] == [("collapsed", tuple(range(10)))]
    assert found[0].text == "All classes: the same images again and again, 10 among 1,000."
    only = np.where(first == 3, 3, np.arange(10 * EACH))
    images, table = digits[0][0][only], {c: v[only] for c, v in tables[0].items()}
    found = findings(table, NONE, NONE, tables[1], extras(images))
    assert [f.text for f in found] == ["3: the same images again and again, 1 among 100."]


def test_collapse_is_seen_without_exact_repetitions(digits, tables, floor):
    images, labels = digits[0]
    noise = torch.randint(0, 9, images.shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    close = torch.where((labels == 3)[:, None, None, None], images[3].clamp(max=240) + noise, images)
    own = variety(close, labels)
    (found,) = of_kind(findings(tables[0], own, floor, tables[1], extras(close)), "collapsed")
    assert found.labels == (3,) and found.evidence["judges"] == ["knn"]
    score, usual = (m.metrics["per_class"]["3"]["pixels_vendi"].value for m in (own, floor))
    assert found.text == (
        f"3: collapsed to a few images, Vendi score {score:.3g} against {usual:.3g} (so say the nearest neighbours)."
    )


def test_thick_strokes(digits, scored, tables):
    images, labels = digits[0]
    thick = torch.from_numpy(ndimage.grey_dilation(images.numpy(), size=(1, 1, 3, 3)))
    table = scored(thick, labels)
    found = findings(table, NONE, NONE, tables[1], extras(thick))
    (everywhere,) = of_kind(found, "thick")
    own, real = table["thickness"].mean(), tables[1]["thickness"].mean()
    assert everywhere.labels == tuple(range(10)) and not kinds(found) & {"thin", "small", "collapsed", "slanted"}
    assert everywhere.text == f"All classes: strokes too thick, {own:.3g} px against {real:.3g} px for real images."
    fours = table["label"] == 4
    one = with_rows(tables[0], fours, {c: v[fours] for c, v in table.items()})
    assert [f.labels for f in of_kind(findings(one, NONE, NONE, tables[1], extras()), "thick")] == [(4,)]


def test_a_confused_digit_and_the_judges_that_see_it(tables):
    table = {c: v.copy() for c, v in tables[0].items() if c not in ("thickness", "slant", "width", "height")}
    fours = np.flatnonzero(table["label"] == 4)[:30]
    table["classifier_label"][fours], table["disagreement"][fours] = 9, 0.5
    found = findings(table, NONE, NONE, tables[1], extras())
    assert kinds(found) == {"confused", "wrong", "disagreement"}
    (pair,), (wrong,), (doubt,) = (of_kind(found, kind) for kind in ("confused", "wrong", "disagreement"))
    assert pair.labels == (4, 9) and wrong.labels == doubt.labels == (4,)
    assert (pair.evidence["judges"], pair.evidence["others"]) == (["classifier"], ["clip"])
    assert pair.text.startswith("4 is read as 9 in 3") and "(so says the classifier, but not CLIP)." in pair.text
    assert pair.evidence["values"]["classifier"]["value"] == np.mean(
        table["classifier_label"][table["label"] == 4] == 9
    )
    table["clip_label"] = np.where(table["classifier_label"] == 9, 9, table["clip_label"])
    both = findings(table, NONE, NONE, tables[1], extras())
    assert of_kind(both, "confused")[0].evidence["judges"] == ["classifier", "clip"]
    assert of_kind(both, "confused")[0].text.endswith("(so say the classifier and CLIP).")


def test_blank_and_grey_images(digits, scored, tables):
    images, labels = digits[0][0].clone(), digits[0][1]
    ones, twos = ((labels == d).nonzero()[:, 0] for d in (1, 2))
    images[ones[:60]], images[twos[0]] = 0, 128
    changed = torch.cat([ones[:60], twos[:1]])
    table = with_rows(tables[0], changed, scored(images[changed], labels[changed]))
    found = findings(table, NONE, NONE, tables[1], extras(images))
    (empty,), (constant,) = of_kind(found, "empty"), of_kind(found, "constant")
    assert (empty.text, empty.labels) == ("1: 60 of 100 images are blank.", (1,))
    assert (constant.text, constant.labels) == ("2: 1 of 100 images are one flat grey.", (2,))
    assert not kinds(found) & {"collapsed", "thin", "small"}  # blank is neither thin nor repeated
    by_ink = findings(table, NONE, NONE, tables[1], extras())
    assert of_kind(by_ink, "empty") == [empty] and "constant" not in kinds(by_ink)


def test_copies_beyond_what_unseen_digits_of_the_same_hands_score(tables):
    def named(share, real):
        nth = np.arange(10 * EACH) // 10  # this is the nth image of its digit
        own, usual = (t | {"memorised": nth < EACH * p} for t, p in zip(tables, (share, real), strict=True))
        return of_kind(findings(own, NONE, NONE, usual, extras()), "copied")

    assert named(0.18, 0.02) == []  # more than real digits, but its interval reaches down to 0.117
    assert named(0.25, 0.25) == []
    (found,) = named(0.5, 0.05)
    assert found.text == (
        "All classes: 500 of 1,000 images are as near to a training image as a copy, 5 % of real test images."
    )


def test_worst_come_first(tables):
    table = tables[0] | {"label": swap(tables[0]["label"])}
    table["ink"] = np.where((table["label"] == 7) & (np.arange(10 * EACH) < 50), 0, table["ink"])
    table["thickness"] = table["thickness"] + 2.0 * (table["label"] == 4)
    found = findings(table, NONE, NONE, tables[1], extras())
    assert [(f.kind, f.labels) for f in found] == [("swapped", (5, 6)), ("thick", (4,)), ("empty", (7,))]


# ---------------------------------------------------------------- variety


@pytest.fixture(scope="module")
def floor(digits):
    return variety(*digits[1])


def variety(images, labels):
    """As eval/spaces.py, in pixels only: Vendi score with a jackknife's interval, recall and precision."""
    train, per_class = RealSource("train").data, {}
    for d in range(10):
        real, x = (
            i[y == d][: 2 * EACH].flatten(1).double() / 255 for i, y in ((train.images, train.labels), (images, labels))
        )
        groups = [vendi(x[torch.arange(len(x)) % 10 != g]) for g in range(10)]
        half = 2 * np.sqrt(0.9 * np.square(np.subtract(groups, np.mean(groups))).sum())
        shares = precision_recall_density_coverage(real, x)
        row = {m: wilson(round(shares[m] * n), n) for m, n in (("recall", len(real)), ("precision", len(x)))}
        per_class[str(d)] = {f"pixels_{m}": e for m, e in row.items()}
        per_class[str(d)]["pixels_vendi"] = Estimate(vendi(x), vendi(x) - half, vendi(x) + half, len(x))
    return SimpleNamespace(metrics={"overall": {}, "per_class": per_class})


def vendi(x):
    x = x / x.norm(dim=1, keepdim=True)
    p = torch.linalg.eigvalsh(x @ x.T / len(x)).clamp(min=1e-12)
    return float(torch.exp(-(p * p.log()).sum()))


def sets(**values):
    """Metrics of digit 3: {name: (value, half of the interval's width)}."""
    row = {m: Estimate(v, v - half, v + half, 100) for m, (v, half) in values.items()}
    return SimpleNamespace(metrics={"overall": {}, "per_class": {"3": row}})


FLOOR = sets(vendi=(6.0, 0.4), recall=(0.8, 0.05), precision=(0.8, 0.05), clip_vendi=(4.0, 0.4))


def of_sets(**values):
    table = {"label": np.full(100, 3)}
    return [(f.kind, f.text) for f in findings(table, sets(**values), FLOOR, table, extras())]


def test_less_variety_is_told_from_collapse_and_from_chance():
    says = "(so says the classifier, but not CLIP)"
    less = f"3: less varied than real images, Vendi score 4.5 against 6 {says}."
    assert of_sets(vendi=(4.5, 0.4), clip_vendi=(4.0, 0.4)) == [("less varied", less)]
    assert of_sets(vendi=(5.5, 0.05), clip_vendi=(4.0, 0.4)) == []  # less than a tenth
    assert of_sets(vendi=(4.5, 3.0)) == []  # may be chance
    assert of_sets(vendi=(2.0, 3.8)) == []  # so may this
    collapsed = "3: collapsed to a few images, Vendi score 2 against 6 (so says the classifier)."
    assert of_sets(vendi=(2.0, 0.1)) == [("collapsed", collapsed)]


def test_recall_counts_where_images_lie_among_real_ones():
    (found,) = of_sets(vendi=(6.0, 0.4), recall=(0.4, 0.05), precision=(0.85, 0.05))
    assert found == (
        "less varied",
        "3: less varied than real images, recall 40 % against 80 % (so says the classifier).",
    )
    assert of_sets(vendi=(6.0, 0.4), recall=(0.1, 0.05), precision=(0.2, 0.05)) == []  # images of another kind


def test_p_of_two_intervals_is_a_careful_z_test():
    p = _below(Estimate(1.0, 0.4, 1.6, 50), Estimate(2.0, 1.2, 2.8, 50))
    assert p == pytest.approx(stats.norm.cdf(-1.959964 / 1.5), rel=1e-5)  # half widths .6 and .8: together 1
    assert _below(Estimate(2.0, 1.5, 2.5, 9), Estimate(1.0, 0.5, 1.5, 9)) > 0.5
    assert _below(Estimate(1.0, None, None, 1), Estimate(2.0, 1.0, 3.0, 9)) is None


# ---------------------------------------------------------------- what was not measured


def test_readings_are_fishers_test():
    table = {"label": np.repeat([0, 1], 20), "classifier_label": np.repeat([0, 1, 1], [10, 10, 20])}
    real = {"label": np.repeat([0, 1], 30), "classifier_label": np.repeat([0, 1], 30)}
    p = stats.fisher_exact([[10, 10], [0, 30]], alternative="greater").pvalue
    assert 2 * 1 * p < ALARM and list(Readings(table, real, 2).confused({})) == [(0, 1)]


def test_unlabelled_images_have_the_faults_that_need_no_label(digits, tables):
    images = digits[0][0].clone()
    images[:300] = 0
    table = tables[0] | {"label": np.full(len(images), -1)}
    found = findings(table, NONE, NONE, tables[1], extras(images))
    assert [(f.kind, f.labels, f.text) for f in found] == [("empty", (), "All images: 300 of 1,000 images are blank.")]


def test_nothing_measured_is_nothing_found():
    table = {"label": np.arange(10), "seed": np.arange(10)}
    assert findings(table, NONE, NONE, table, extras()) == []
    nothing = {"label": np.zeros(0, dtype=int), "classifier_label": np.zeros(0, dtype=int), "thickness": np.zeros(0)}
    assert findings(nothing, NONE, NONE, nothing, extras()) == []
    one = {"label": np.array([4]), "classifier_label": np.array([9]), "thickness": np.array([9.0])}
    assert findings(one, NONE, NONE, one | {"classifier_label": np.array([4])}, extras()) == []
