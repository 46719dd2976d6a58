"""The tab Twins: its counts, its words, its borderline samples and its odds, against the report itself."""

import numpy as np
import pytest

from app import links, lookalikes
from app.build import TABS
from app.store import Store
from app.tabs import lookalikes as tab
from diffusion_core.errors import UserError
from eval.metrics import wilson
from tests.pages import PER_CLASS


def test_the_shares_are_those_of_the_table(shipped):
    report = shipped.report(shipped.report_key("mnist-early"))
    table = report.table[report.table["label"] == 8]
    hits = int((table["classifier_label"] == 5).sum())
    assert hits > 0 and lookalikes.share(report, "classifier", 8, 5) == wilson(hits, len(table))


def test_the_words_count_and_say_what_cannot_be_chance(store):
    report = store.report(store.report_key("early"))
    count = report.confusions["classifier"][5][6]
    assert count > PER_CLASS / 3
    first, second = lookalikes.lead(report, store.real_beside(report), "classifier", (5, 6)).split(". ", 1)
    assert first.startswith(f"The classifier reads {count} of {PER_CLASS} images of 5 as 6, more than of real ones (0")
    assert second.startswith(f"The classifier reads 0 of {PER_CLASS} images of 6 as 5, not told apart from real ones")


def test_the_border_is_what_looks_most_like_the_other(shipped):
    report = shipped.report(shipped.report_key("mnist-early"))
    rows = lookalikes.border(report, "clip", 9, 7)
    own = np.flatnonzero(report.table["label"] == 9)
    ratio = np.log(report.table["clip_p7"].to_numpy().clip(1e-8)) - np.log(
        report.table["clip_p9"].to_numpy().clip(1e-8)
    )
    assert len(rows) == lookalikes.BORDER and set(rows) <= set(own)
    assert ratio[rows].min() >= np.partition(ratio[own], -lookalikes.BORDER)[-lookalikes.BORDER] - 1e-6
    assert (np.diff(ratio[rows]) <= 1e-6).all()


def test_odds_fall_on_the_side_of_the_likelier_digit(shipped):
    report = shipped.report(shipped.report_key("mnist-early"))
    read = report.table[report.table["label"] == 5]["classifier_label"].to_numpy()
    odds = lookalikes.odds(report, "classifier", 5, (5, 6))
    assert (odds[read == 5] < 0).all() and (odds[read == 6] > 0).all() and np.abs(odds).max() <= lookalikes.FARTHEST


def test_the_tab_shows_every_judge_and_every_checkpoint(shipped):
    words, figure, tables, found, ways = tab.page(shipped, shipped.report_key("mnist"), "5", "6", "clip")
    assert "CLIP reads" in words and [trace.name for trace in figure.data] == ["5", "6", "real 5", "real 6"]
    assert all(sum(y for y in trace.y if y is not None) == pytest.approx(100) for trace in figure.data)
    owners = {entry.key.split("/")[0] for entry in shipped.reports() if entry.dataset == "mnist"} - {"real"}
    assert tables.count("<tbody>") == 2 and all(f">{name}</th>" in tables for name in owners)
    assert "real test digits" in tables and found.count("<li") == 2 * lookalikes.BORDER
    assert "tab=denoise&amp;a=mnist&amp;digits=5,6" in ways


@pytest.mark.parametrize(
    ("one", "other", "judge", "told"),
    [
        ("5", "5", "classifier", "two different classes"),
        ("5", "12", "classifier", "from 0 to 9"),
        (None, "6", "classifier", "A class must be"),
        ("5", "6", "me", "Choose the judge"),
    ],
)
def test_a_bad_choice_is_told_in_one_line(store, one, other, judge, told):
    with pytest.raises(UserError, match=told):
        tab.page(store, store.report_key("mnist"), one, other, judge)


def test_a_judge_that_did_not_score_is_told(store):
    with pytest.raises(UserError, match="did not score this report"):
        tab.page(store, store.report_key("mnist"), "5", "6", "knn")


def test_a_link_opens_the_pair_it_names(store):
    _, one, other, judge, of = tab.opened(store, links.read({"cell": "8,3", "judge": "clip"}, TABS))
    assert (one["value"], other["value"], judge["value"], of) == ("8", "3", "clip", "mnist")
    pickers = tab.opened(store, links.read({"tab": "lookalikes", "cell": "4,4"}, TABS))[1:3]
    assert [picker["value"] for picker in pickers] == ["5", "6"]


def test_an_empty_folder_says_what_to_do(tmp_path):
    words, figure, *rest = tab.page(Store(tmp_path), None, "5", "6", "classifier")
    assert "python -m app score mnist" in words and figure is None and rest == ["", "", ""]
