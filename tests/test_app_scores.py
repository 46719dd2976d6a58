"""Scores and Compare: the figures and sentences say what the reports say."""

import re
import shutil
from html import unescape
from urllib.parse import parse_qsl

import pytest

from app import changes, compare_view, figures, links, pair_view, paired, words
from app.build import CHECKPOINTS, TABS
from app.colours import colour_of, pair_colours
from app.store import Store
from app.tabs import compare, scores
from diffusion_core.errors import UserError
from eval.compare import compare as compare_reports
from eval.metrics import Estimate
from tests.pages import PER_CLASS, make_root


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(make_root(tmp_path_factory.mktemp("checkpoints")))


DIGITS = "0123456789"


def report_of(store, name):
    return store.report(store.report_key(name))


def test_the_figure_shows_the_report(store):
    report = report_of(store, "early")
    for metric in words.available(report):
        scale = 100 if words.METRICS[metric].unit == "%" else 1
        marks, ceiling = figures.score_bars(
            report.metrics["per_class"], report.reference.metrics["per_class"], metric, DIGITS
        ).data
        for d in range(10):
            e, real = (part.metrics["per_class"][str(d)][metric] for part in (report, report.reference))
            assert marks.x[d] == str(d) and marks.y[d] == pytest.approx(scale * e.value)
            assert marks.y[d] + marks.error_y.array[d] == pytest.approx(scale * e.high)
            assert marks.y[d] - marks.error_y.arrayminus[d] == pytest.approx(scale * e.low)
            assert ceiling.y[d] == pytest.approx(scale * real.value)


def test_bars_start_at_zero_and_points_replace_them_where_the_axis_does_not():
    def group(low, value):
        return {str(d): {"accuracy": Estimate(value, low, 1.0, 100)} for d in range(10)}

    wide = figures.score_bars(group(0.2, 0.5), None, "accuracy", DIGITS)
    assert wide.data[0].type == "bar" and wide.layout.yaxis.range[0] == 0
    close = figures.compare_bars(group(0.95, 0.98), group(0.96, 0.99), ("a", "b"), "accuracy", DIGITS)
    assert [trace.type for trace in close.data] == ["scatter", "scatter"]
    assert close.layout.yaxis.range[0] == 90 and "from 90" in close.layout.yaxis.title.text


def test_digits_without_a_value_leave_a_gap():
    group = {"0": {"accuracy": Estimate(None, None, None, 0)}, "1": {"accuracy": Estimate(0.5, None, None, 1)}}
    marks = figures.score_bars(group, None, "accuracy", DIGITS).data[0]
    assert marks.y == (None, 50.0) and marks.error_y.array == (0, 0)


def test_the_hardest_digit_is_measured_against_real_ones(store):
    text = scores.hardest(report_of(store, "early"), "accuracy")
    assert (
        text.startswith("The classifier finds 5 hardest") and "for real images of it" in text and "points below" in text
    )
    assert scores.hardest(report_of(store, "early"), "clip_probability").startswith("CLIP finds 5 hardest")
    calm = scores.hardest(report_of(store, "real"), "accuracy")
    assert calm.startswith("The classifier finds real images of ")


def test_a_gap_within_chance_accuses_nobody(store):
    report = report_of(store, "mnist")
    same = report.__class__(**(vars(report) | {"reference": report.summary}))
    assert "cannot tell any class from real images" in scores.hardest(same, "accuracy")


def test_the_tab_shows_numbers_with_intervals_and_n(store):
    above, figure, table, below = scores.page(store, store.report_key("early"), "accuracy")
    e = report_of(store, "early").metrics["overall"]["accuracy"]
    assert words.show(e.value) in above and words.show_interval(e) in above and f"n = {10 * PER_CLASS}" in above
    assert len(figure.data) == 2 and table.count("<tr>") == 12 and below.count("<tr>") == 8
    assert "What it cannot say" in below
    with pytest.raises(UserError, match="no such metric"):
        scores.page(store, store.report_key("early"), "fid")


def test_a_score_that_was_tuned_for_is_marked(store):
    report = report_of(store, "mnist")
    tuned = report.__class__(
        **(vars(report) | {"source": report.source.__class__(**(vars(report.source) | {"rewards": ("clip",)}))})
    )
    stub = type("OneReport", (Store,), {"report": lambda self, key: tuned})(store.root)
    assert "no evidence" in scores.page(stub, "any", "clip_margin")[0]
    assert "no evidence" not in scores.page(stub, "any", "accuracy")[0]


# ---------------------------------------------------------------- compare


def test_the_better_checkpoint_is_named_with_its_interval(store):
    a, b = store.report_key("early"), store.report_key("mnist")
    verdict, figure, digits, pairs, more = compare_view.page(store, a, b, "accuracy", "all", "differ", 0)
    assert "mnist is better than early" in verdict and "pairs of the same label and seed" in verdict
    assert len(figure.data) == 2 and digits.count("<tr>") == 11
    assert [mark.marker.color for mark in figure.data] == [colour_of(store, key) for key in (a, b)]
    assert pairs.count('class="pair"') == pair_view.PAGE
    row = compare_reports(store.report(a), store.report(b)).row("accuracy")
    assert paired.difference(row, "%")[0] in more and paired.told_apart(row)[0] == "B"


def test_pairs_share_label_and_seed_and_differing_ones_come_first(store):
    a, b = report_of(store, "early"), report_of(store, "mnist")
    found = paired.pairs(a, b, "all", "differ", "classifier")
    assert len(found) == 10 * PER_CLASS
    differ = []
    for i, j in found:
        one, other = a.table.iloc[i], b.table.iloc[j]
        assert (one["label"], one["seed"]) == (other["label"], other["seed"])
        differ.append(one["classifier_label"] != other["classifier_label"])
    assert sum(differ) > 2 and differ == sorted(differ, reverse=True)
    fives = paired.pairs(a, b, "5", "differ", "classifier")
    assert len(fives) == PER_CLASS and all(a.table["label"][i] == 5 for i, _ in fives)


def test_the_pairs_that_only_one_side_gets_right_are_those_the_matrices_differ_by(store):
    a, b = report_of(store, "early"), report_of(store, "mnist")
    gained, lost = (paired.pairs(a, b, "all", order, "classifier") for order in ("gained", "lost"))
    right_a, right_b = (sum(r.confusions["classifier"][d][d] for d in range(10)) for r in (a, b))
    assert len(gained) - len(lost) == right_b - right_a > 0
    assert all(b.table["classifier_label"][j] == b.table["label"][j] for _, j in gained)
    html = changes.grid(a, b, "classifier", (5, 6))
    assert html.count('class="cell better"') == 2 and "worse" not in html.split("</table>")[0]  # more 5s, fewer 6s
    apart = [paired.pairs(a, b, "all", order, "classifier") for order in ("nearest", "farthest")]
    assert apart[0] == apart[1][::-1] or set(apart[0]) == set(apart[1])


def test_a_cell_of_what_changed_opens_its_pairs(store):
    keys = store.report_key("early"), store.report_key("mnist")
    a, b = map(store.report, keys)
    grid, about, _ = compare_view.cells(store, *keys, "accuracy", None, 0)
    numbers = [r.confusions["classifier"][5][6] for r in (a, b)]
    assert f"Asked for 5, read as 6 by the classifier: {numbers[0]} in A, {numbers[1]} in B" in about
    assert re.search(r'data-r="5" data-c="6"[^>]*aria-pressed="true"', grid), "the mistake that changed most"
    for cell in ((5, 6), (5, 5), (3, 3), (6, 5)):
        found = changes.pairs_of(a, b, "classifier", cell)
        sides = [[r.table["classifier_label"][i] == cell[1] for r, i in zip((a, b), rows)] for rows in found]
        assert all(any(side) for side in sides) and all(a.table["label"][i] == cell[0] for i, _ in found)
        for report, in_cell in zip((a, b), zip(*sides) if sides else ((), ())):
            assert sum(in_cell) == report.confusions["classifier"][cell[0]][cell[1]]
        assert [sum(side) for side in sides] == sorted(sum(side) for side in sides), "what only one has comes first"
        html = compare_view.opened_cell(store, *keys, "accuracy", cell, 0)[1]
        assert html.count('class="pair"') == min(len(found), pair_view.PAGE)
    link = dict(parse_qsl(unescape(re.search(r'data-link="\?([^"]+)"', about).group(1))))
    assert compare.opened(store, links.read(link, TABS))[6] == [5, 6]


@pytest.mark.parametrize("cell", [(), [5], [5, 10], ["5", 6], [True, 1], "56"])
def test_what_is_no_cell_of_a_comparison_is_refused(store, cell):
    with pytest.raises(UserError, match="cell"):
        compare_view.opened_cell(store, store.report_key("early"), store.report_key("mnist"), "accuracy", cell, 0)


def test_cells_of_reports_that_are_no_pairs_are_not_subtracted(store):
    real, mnist = store.report_key("real"), store.report_key("mnist")
    assert compare_view.cells(store, real, mnist, "accuracy", None, 0) == ("", "", "")
    with pytest.raises(UserError, match="no cells"):
        compare_view.opened_cell(store, real, mnist, "accuracy", (5, 6), 0)


def test_reports_of_other_judges_are_said_to_be_in_place_of_the_comparison(store, tmp_path):
    """With a message that passes the tab would stay empty."""
    (tmp_path / "real").mkdir()
    shutil.copytree(store.root / "mnist", tmp_path / "mnist")
    shutil.copytree(CHECKPOINTS / "real" / "reports", tmp_path / "real" / "reports")
    other = Store(tmp_path)
    keys = other.report_key("real"), other.report_key("mnist")
    verdict, figure, *rest = compare_view.show(other, *keys, "accuracy", "all", "differ", 0, None, 0, [keys[1]])
    assert 'class="empty"' in verdict and "Different judges scored these reports" in verdict and figure is None
    assert rest[:6] == [""] * 6 and "<table" in rest[6], "the table of several is there all the same"


def test_a_and_b_never_share_a_colour(store):
    key = store.report_key("mnist")
    assert len(set(pair_colours(store, key, key))) == 2
    assert pair_colours(store, key, "own/none")[0] == colour_of(store, key) != pair_colours(store, key, "own/none")[1]


def test_images_of_real_digits_are_not_paired_by_number(store):
    real, early, mnist = (store.report_key(name) for name in ("real", "early", "mnist"))
    html = compare_view.turned(store, real, mnist, "accuracy", "all", "differ", 0)
    assert "real images grew from no seed" in html
    for digit in ("10", None, [], 5):
        with pytest.raises(UserError, match="from what is offered"):
            compare_view.turned(store, early, mnist, "accuracy", digit, "differ", 0)


def test_the_default_comparison_is_the_favourite_against_another_checkpoint(store):
    from app.links import View

    a, b, *_ = compare.opened(store, View())
    assert (a["value"].split("/")[0], b["value"].split("/")[0]) == ("early", "mnist")
    a, b, *_ = compare.opened(store, View(a="mnist"))
    assert (a["value"].split("/")[0], b["value"].split("/")[0]) == ("mnist", "early")


# ---------------------------------------------------------------- words


def test_probabilities_are_never_rounded_to_certainty():
    assert [words.probability(p) for p in (1.0, 0.9951, 0.99, 0.5, 0.004, 0.0)] == [
        ">99 %", ">99 %", "99 %", "50 %", "<1 %", "<1 %",
    ]  # fmt: skip


def test_minus_signs_stay_out_of_names():
    assert words.minus("mnist-2 p1-s0: -0.5 to (-1)") == "mnist-2 p1-s0: −0.5 to (−1)"


def test_missing_values_read_as_a_dash():
    nothing = Estimate(None, None, None, 0)
    assert words.show(nothing.value) == words.show_interval(nothing) == "–"
    assert not re.search("nan|None", words.show(float("nan")))
