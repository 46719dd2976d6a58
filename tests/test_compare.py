"""Comparisons: pairs where there are pairs, antisymmetry, refusals, the sentence at the end."""

import json

import pytest

from eval.compare import compare
from eval.errors import UserError
from eval.metrics import difference, paired_difference
from eval.run import evaluate
from eval.significance import p_value
from eval.summary import values
from tests.fakes import FakeScorer, FakeSource, fake_scorers


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    references = tmp_path_factory.mktemp("references")

    def run(name, errors=None, per_class=40, seed=0, scorers=None, **info):
        source = FakeSource(name, errors, **info)
        return evaluate(source, scorers or fake_scorers(), per_class, seed, references=references)

    return run


@pytest.fixture(scope="module")
def early(run):
    return run("early", {8: 0.5, 9: 0.6, 1: 0.05})


@pytest.fixture(scope="module")
def late(run):
    return run("late", {1: 0.05})


def test_pairs_share_label_and_seed(early, late):
    c = compare(early, late)
    assert c.paired and c.n == 400 and all(row.paired for row in c.rows)
    for metric in ("accuracy", "clip_margin"):
        row = c.row(metric)
        expected = paired_difference(values(early.table, metric), values(late.table, metric))
        assert row.difference == pytest.approx(expected, abs=1e-12)
        assert row.difference.value == pytest.approx(row.b.value - row.a.value) and row.difference.value > 0
    assert len(c.rows) == 6 * 11
    paired, unpaired = c.row("accuracy").difference, difference(c.row("accuracy").a, c.row("accuracy").b)
    assert paired.high - paired.low < unpaired.high - unpaired.low  # pairing pays


def test_the_verdict_names_the_digits(early, late):
    c = compare(early, late)
    d = c.row("accuracy").difference
    assert c.verdict == (
        f"late is better than early: accuracy {100 * d.value:+.1f} points "
        f"(95 % {100 * d.low:+.1f} to {100 * d.high:+.1f}, n = 400 pairs); better on 8 and 9, worse on none."
    )
    assert "early is worse than late: accuracy -" in compare(late, early).verdict
    assert compare(late, early).verdict.endswith("better on none, worse on 8 and 9.")


def test_swapping_the_reports_swaps_the_signs(early, late, run):
    smaller = run("smaller", {3: 0.2}, per_class=25)
    for a, b in ((early, late), (smaller, late), (run("file", kind="npz"), early)):
        for one, other in zip(compare(a, b).rows, compare(b, a).rows, strict=True):
            d, e = one.difference, other.difference
            assert (-d.value, -d.high, -d.low) == pytest.approx((e.value, e.low, e.high), abs=1e-12)
            assert one.p == pytest.approx(other.p, rel=1e-9) and one.significant == other.significant
            assert one.a == pytest.approx(other.b, abs=1e-12)


def test_a_report_against_itself_shows_nothing(early):
    c = compare(early, early)
    assert all(row.difference.value == 0 and not row.significant for row in c.rows)
    assert "cannot be told apart" in c.verdict and "better on none, worse on none" in c.verdict


def test_a_smaller_report_is_paired_with_the_part_it_shares(late, run):
    c = compare(run("small", {4: 0.5}, per_class=30), late)
    assert c.paired and c.n == 300 and c.row("accuracy", "4").difference.value > 0


def test_unpaired_where_images_have_no_partner(late, run):
    other_seeds = run("other", {4: 0.9}, seed=10_000, per_class=30)
    few_shared = run("few", seed=390)
    foreign = run("file", kind="npz")
    for b in (other_seeds, few_shared, foreign):
        assert not compare(late, b).paired
    assert not compare(foreign, run("other file", kind="npz")).paired  # who knows what their seeds mean
    c = compare(late, other_seeds)
    expected = difference(late.metrics["overall"]["accuracy"], other_seeds.metrics["overall"]["accuracy"])
    assert c.row("accuracy").difference == expected
    assert c.row("accuracy", "4").significant and "n = 300 and 400 images" in c.verdict


def test_holm_keeps_chance_findings_out(late, run):
    """A few lost on one digit are significant on their own, but not as the worst of ten."""
    a, b = late, run("unlucky", {3: 0.12, 1: 0.05})
    c = compare(a, b)
    row = c.row("accuracy", "3")
    assert row.difference.value < 0 and row.difference.high < 0 and not row.significant
    everything = p_value(values(a.table, "accuracy"), values(b.table, "accuracy"), paired=True)
    assert c.row("accuracy").p == everything < 0.05  # the overall test is one, not one of ten
    assert c.verdict.endswith("better on none, worse on none.")


def test_different_judges_and_data_are_refused(late, run):
    other = run("other", per_class=2, scorers=(FakeScorer("classifier", "1"), FakeScorer("clip")))
    with pytest.raises(UserError, match="late: classifier@fake0; other: classifier@fake1") as error:
        compare(late, other)
    assert "clip" not in str(error.value)
    with pytest.raises(UserError, match="late: clip:digit@fake0; x: none of its own"):
        compare(late, run("x", per_class=2, scorers=(FakeScorer("classifier"),)))


def test_optimised_scores_are_marked(early, run):
    c = compare(early, run("tuned", rewards=("classifier",)))
    assert c.row("accuracy").tuned and not c.row("clip_accuracy").tuned
    assert "no evidence" in c.verdict


def test_clip_alone_still_gives_a_verdict(run):
    reports = [run(name, e, scorers=(FakeScorer("clip"),)) for name, e in (("a", {2: 0.9}), ("b", None))]
    assert "b is better than a: CLIP accuracy +" in compare(*reports).verdict


def test_one_name_twice_is_told_apart_and_json_is_strict(early, run):
    c = compare(early, run("early", {8: 0.1}, settings="fake9-g2"))
    assert (c.a, c.b) == ("early p40-s0-fake1-g1", "early p40-s0-fake9-g2")
    data = json.loads(json.dumps(c.to_dict(), allow_nan=False))
    assert data["rows"][0]["difference"].keys() == {"value", "low", "high", "n"}
    assert data["verdict"] == c.verdict and data["paired"] is True
