"""Comparisons: pairs where there are pairs, antisymmetry, refusals, what is not compared, the sentence at the end."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from eval.compare import compare
from eval.difference import is_tuned
from eval.errors import UserError
from eval.metrics import Estimate, difference, paired_difference
from eval.significance import bootstrap_mean, mcnemar, p_value, z_test
from eval.summary import METRICS, summarise, values
from eval.words import WORDS
from tests.made_reports import made_report

NOISY = dict.fromkeys(range(10), 0.02)


@pytest.fixture(scope="module")
def early():
    return made_report("early", NOISY | {8: 0.5, 9: 0.6})


@pytest.fixture(scope="module")
def late():
    return made_report("late", NOISY)


def test_pairs_share_label_and_seed(early, late):
    c = compare(early, late)
    assert c.paired and c.n == 400 and all(row.paired for row in c.rows) and c.notes == ()
    for metric in ("accuracy", "knn_accuracy", "clip_margin"):
        row = c.row(metric)
        expected = paired_difference(values(early.table, metric), values(late.table, metric))
        assert row.difference == pytest.approx(expected, abs=1e-12)
        assert row.difference.value == pytest.approx(row.b.value - row.a.value) and row.better == "b"
    assert {row.metric for row in c.rows} == set(early.metrics["overall"]) and len(c.rows) == 10 * 11
    paired, unpaired = c.row("accuracy").difference, difference(c.row("accuracy").a, c.row("accuracy").b)
    assert paired.high - paired.low < unpaired.high - unpaired.low  # pairing pays


def test_the_order_of_the_rows_does_not_matter(early, late):
    order = np.random.default_rng(0).permutation(len(late.table))
    shuffled = replace(late, table=late.table.iloc[order].reset_index(drop=True), images=late.images[order])
    for one, other in zip(compare(early, late).rows, compare(early, shuffled).rows, strict=True):
        assert (one.metric, one.scope, one.p) == (other.metric, other.scope, pytest.approx(other.p))
        assert one.difference == pytest.approx(other.difference)


def test_swapping_the_reports_swaps_the_signs(early, late):
    sets = {"fd": (3.0, 0.5), "recall": (0.9, 0.01)}
    far = made_report("far", {3: 0.3}, sets=sets)
    near = made_report("near", {4: 0.2}, sets={"fd": (2.0, 0.8), "recall": (0.95, 0.03)})
    swapped_side = {"a": "b", "b": "a", None: None}
    for a, b in ((early, late), (far, near), (made_report("file", {5: 0.4}, 25, kind="npz"), early)):
        there, back = compare(a, b), compare(b, a)
        for one, other in zip(there.rows, back.rows, strict=True):
            d, e = one.difference, other.difference
            assert -d.value == e.value and (-d.high, -d.low) == pytest.approx(e[1:3], rel=1e-14)
            assert (one.p, one.significant, one.a, one.better) == (
                other.p, other.significant, other.b, swapped_side[other.better],
            )  # fmt: skip
        for scope, d in there.bootstrap.items():
            assert (-d.value, -d.high, -d.low) == back.bootstrap[scope][:3]


def test_a_report_against_itself_shows_nothing(early):
    c = compare(early, early)
    assert all(row.difference.value == 0 and row.p == 1 and row.better is None for row in c.rows)
    assert "cannot be told apart" in c.verdict and "better on none, worse on none" in c.verdict


def test_other_plans_are_refused_with_the_difference(late):
    for other, said in (
        (made_report("x", per_class=20, seed=7), "40 per class from seed 0, and 20 per class from seed 7."),
        (made_report("x", per_class=30), "40 per class from seed 0, and 30 per class from seed 0."),  # nested
        (made_report("x", labels=(3, 5)), "40 per class from seed 0, and 40 per class of 3, 5 from seed 0."),
    ):
        message = f"These reports are not on the same plan: {said} Score both with the same --per-class and --seed."
        with pytest.raises(UserError) as error:
            compare(late, other)
        assert str(error.value) == message
    table = late.table.assign(seed=late.table["seed"] + 1)
    with pytest.raises(UserError, match="same plan, 40 per class from seed 0, but other seeds. Score both again."):
        compare(late, replace(late, table=table))


def test_what_is_no_checkpoint_is_an_independent_group(late):
    file = made_report("file", {4: 0.9}, per_class=30, kind="npz")
    bare = made_report("other file", per_class=30, kind="npz", seeded=False)
    real = made_report("real", per_class=30, kind="real")
    for a, b, why in (
        (late, file, "the labels and seeds are not the same"),
        (file, bare, "nobody said which seeds the images of other file have"),
        (real, file, "real images grew from no seed"),
    ):
        c = compare(a, b)
        assert not c.paired and c.bootstrap == {} and not any(row.paired for row in c.rows)
        assert c.notes[0] == f"Compared as independent groups: {why}."
    c = compare(late, file)
    expected = difference(late.metrics["overall"]["accuracy"], file.metrics["overall"]["accuracy"])
    assert c.row("accuracy").difference == expected and c.row("accuracy", "4").better == "a"
    assert "n = 300 and 400 images, independent groups" in c.verdict


def test_two_files_with_the_same_seeds_are_pairs_whatever_drew_them(early, late):
    """`sample` both to .npz with the same options and `score` the files: nothing is lost by it."""
    a, b = (made_report(r.source.name, NOISY, kind="npz") for r in (early, late))
    a = replace(a, table=early.table)
    for pair in ((a, b), (early, b), (a, replace(b, source=replace(b.source, kind="callable")))):
        c = compare(*pair)
        assert c.paired and c.notes == () and "400 pairs" in c.verdict
    assert compare(a, b).row("accuracy").p == compare(early, b).row("accuracy").p


def test_holm_keeps_chance_findings_out(late):
    """A few lost on one digit are significant on their own, but not as the worst of ten."""
    a, b = late, made_report("unlucky", NOISY | {3: 0.17})
    row = compare(a, b).row("accuracy", "3")
    of_digit = [values(r.table, "accuracy")[r.table["label"] == 3] for r in (a, b)]
    alone = p_value(*of_digit, paired=True)
    assert row.difference.high < 0 and alone < 0.05 and row.p == pytest.approx(10 * alone) and not row.significant
    everything = p_value(values(a.table, "accuracy"), values(b.table, "accuracy"), paired=True)
    assert (
        compare(a, b).row("accuracy").p
        == everything
        < mcnemar(values(a.table, "accuracy"), values(b.table, "accuracy"))
    )
    assert everything < 0.05  # the overall test is one, not one of ten


def test_sets_are_compared_where_they_are_of_one_size(late):
    a = made_report("a", NOISY, sets={"fd": (3.0, 0.5), "second_kid": (0.01, 0.01), "clip_recall": (0.8, 0.02)})
    b = made_report("b", NOISY, sets={"fd": (2.0, 0.5), "second_kid": (0.02, 0.01), "clip_recall": (0.9, 0.02)})
    c = compare(a, b)
    fd = c.row("fd")
    assert fd.difference == difference(fd.a, fd.b) and fd.p == z_test(fd.a, fd.b) and not fd.paired
    assert (fd.better, c.row("second_kid").better, c.row("clip_recall").better) == ("b", None, "b")
    assert c.row("clip_recall", "7").p == pytest.approx(10 * z_test(c.row("clip_recall").a, c.row("clip_recall").b))
    larger = made_report("file", per_class=50, kind="npz", sets={"fd": (2.0, 0.5)})
    c = compare(a, larger)
    with pytest.raises(KeyError):
        c.row("fd")
    assert c.notes[1:] == (
        "Not compared: fd. Such a value depends on the number of images, and these are of 400 and of 500.",
        "Not compared: second_kid, clip_recall. Of file: it was not measured.",
    )


def test_images_without_labels_are_compared_where_that_needs_none(late):
    table = late.table.assign(label=-1)[["label", "seed", "classifier_label", "classifier_confidence"]]
    reasons = {"overall": {"accuracy": "it has no labels"}, "per_class": {}}
    bare = replace(late, table=table, summary=summarise(table, 10), reasons=reasons)
    bare = replace(bare, source=replace(late.source, kind="folder", name="bare"))
    c = compare(late, bare)
    assert c.row("confidence").difference.value == 0 and c.row("confidence", "3").difference.value is None
    assert "Not compared: accuracy. Of bare: it has no labels." in c.notes
    assert c.verdict == "bare and late have no accuracy in common to compare."


def test_every_metric_has_words_by_the_scorer_that_writes_it():
    assert {metric: WORDS[metric].judge for metric in METRICS} == {m: entry.scorer for m, entry in METRICS.items()}


def test_shape_has_no_better_side_and_memorising_has():
    def shaped(name, thickness, memorised):
        report = made_report(name)
        table = report.table.assign(thickness=thickness + report.table["seed"] % 3, memorised=memorised)
        return replace(report, table=table, summary=summarise(table, 10))

    c = compare(shaped("a", 2.0, False), shaped("b", 3.0, True))
    assert c.row("thickness").significant and c.row("thickness").better is None
    assert c.row("memorised").significant and c.row("memorised").better == "a"


def test_the_bootstrap_stands_beside_the_margin(early, late):
    c = compare(early, late)
    assert list(c.bootstrap) == ["overall", *map(str, range(10))]
    margins = [values(r.table, "clip_margin") for r in (early, late)]
    assert c.bootstrap["overall"] == bootstrap_mean(margins[1] - margins[0])
    row, width = c.row("clip_margin").difference, 0.2
    assert c.bootstrap["overall"].value == row.value
    for one, other in zip(c.bootstrap["overall"][1:3], row[1:3], strict=True):
        assert abs(one - other) < width * (row.high - row.low)
    assert compare(*(made_report(n, judges=("classifier",)) for n in "ab")).bootstrap == {}


def test_different_judges_and_data_are_refused(late):
    with pytest.raises(UserError, match="late: clip@made, knn@made, second@made; x: none of its own"):
        compare(late, made_report("x", judges=("classifier",)))
    with pytest.raises(UserError, match="different data sets: mnist and other"):
        compare(late, made_report("x", dataset="other"))


def test_scores_that_were_optimised_are_marked(early):
    c = compare(early, made_report("tuned", rewards=("clip:digit",), sets={"fd": (1, 1)}))
    assert {row.metric for row in c.rows if row.tuned} == {
        "clip_accuracy",
        *("clip_margin", "clip_cosine", "clip_probability"),
    }
    of_sets = {"fd", "second_fd", "pixels_kid", "clip_recall", "cmmd", "thickness"}
    for judge, theirs in (("classifier", {"fd"}), ("knn", {"pixels_kid"}), ("clip", {"clip_recall", "cmmd"})):
        assert {metric for metric in of_sets if is_tuned(metric, frozenset({judge}))} == theirs
    assert is_tuned("disagreement", frozenset({"knn"})) and not is_tuned("disagreement", frozenset())


def test_one_name_twice_is_told_apart_and_json_is_strict(early):
    c = compare(early, made_report("early", {8: 0.1}, settings="made9-g2"))
    assert c.a.startswith("early p40-s0-made1-g1") and c.b.startswith("early p40-s0-made9-g2")
    data = json.loads(json.dumps(c.to_dict(), allow_nan=False))
    assert data["rows"][0]["difference"].keys() == {"value", "low", "high", "n"} and data["rows"][0]["better"] == "b"
    assert data["verdict"] == c.verdict and data["paired"] is True
    assert Estimate(**data["bootstrap"]["overall"]) == c.bootstrap["overall"]
    assert pd.DataFrame(data["rows"])["p"].between(0, 1).all()
