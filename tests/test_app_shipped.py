"""The page over what this repository ships: all of it is whole, and every tab has something to show."""

import pytest

from app import compare_view
from app.build import CHECKPOINTS
from app.entries import REAL
from app.links import View
from app.store import Store
from app.tabs import compare, confusion, generate, judges, scores
from app.words import JUDGES
from diffusion_core.errors import UserError
from eval.metrics import mistakes
from tests.pages import make_root


@pytest.fixture(scope="module")
def store():
    store = Store(CHECKPOINTS)
    owners = {entry.key.split("/")[0] for entry in store.reports()} - {REAL}
    if not owners:
        pytest.skip("no report of a checkpoint under checkpoints/ yet")
    return store


def settings(store, tab) -> list:
    """The values that a tab opens with."""
    return [value["value"] if isinstance(value, dict) else value for value in tab.opened(store, View(tab="scores"))]


def test_nothing_shipped_is_damaged(store):
    assert [entry for entry in store.checkpoints() + store.reports() if entry.problem] == []
    assert REAL in {entry.key.split("/")[0] for entry in store.reports()}


def test_the_page_opens_with_shipped_digits(store):
    html, take = generate.opening(store, *settings(store, generate))
    assert html.count('<li class="card') == 10 and "Drawn earlier with these very settings" in take


def test_every_tab_has_something_to_show(store):
    assert len(scores.page(store, *settings(store, scores))[1].data) == 2
    key, *_ = settings(store, confusion)
    table = store.report(key).confusions["classifier"]
    grid, words, found = confusion.page(store, *settings(store, confusion)[:-1])
    assert grid.count('class="cell ') == 100 and "Asked for" in words
    assert found.count('<li class="sample') == max(
        n for r, row in enumerate(table) for c, n in enumerate(row) if r != c
    )
    verdict, _, _, pairs, more, *_ = compare_view.show(store, *settings(store, compare))
    assert "mnist" in verdict and '<li class="pair">' in pairs and "recall" in more.lower()
    table, figure, digits, grid, words, found = judges.page(store, *settings(store, judges))
    assert table.count("<tr>") == 5 and len(figure.data) == 2 and digits.count("<tr>") == 11
    assert grid.count('class="cell ') == 100 and "9, read as 4" in words and found.count('<li class="sample') == 5


@pytest.mark.parametrize("judge", JUDGES)
def test_a_mistake_on_a_judges_card_opens_the_real_digits_it_counts(store, judge):
    counts = judges.measured(judges.read_card(judges.FOLDER / "mnist" / judge))["confusion"]
    assert sum(map(sum, counts)) == 10_000
    for r, c, n in mistakes(counts, 6):
        words, found = judges.opened_cell(store, "mnist", judge, [r, c], 0)
        assert f"Asked for {r}, read as {c}" in words and found.count('<li class="sample') == n
    for cell in ([10, 0], "5,6", [1]):
        with pytest.raises(UserError):
            judges.page(store, "mnist", judge, cell, 0)


def test_the_report_of_real_digits_says_of_each_judge_what_its_card_says(store):
    found = store.report(store.report_key(REAL)).details["calibration"]
    assert list(found) == list(JUDGES)
    for judge, said in found.items():
        card = judges.measured(judges.read_card(judges.FOLDER / "mnist" / judge))
        assert said["confusion"] == card["confusion"] and said["per_class"] == card["per_class"]
        assert said["calibration_error"] == pytest.approx(card["calibration_error"], abs=1e-5)


def test_a_card_is_shown_without_a_report_of_real_digits_that_fits_it(tmp_path):
    for root in (tmp_path, make_root(tmp_path / "other judges")):
        *_, grid, words, found = judges.page(Store(root), "mnist", "knn", None, 0)
        assert grid.count('class="cell ') == 100 and "score real" in words and found == ""


def test_real_digits_are_behind_the_switch(store):
    key, *_ = settings(store, confusion)
    found = confusion.page(store, key, "real", "classifier", False, False, [5, 6], 0)[2]
    real = store.report(store.report_key(REAL)).confusions["classifier"][5][6]
    assert found.count('<li class="sample') == real
