"""The Inspect tab: digits in the order asked for, the filters, the ranking with its reasons."""

import re

import numpy as np
import pytest

from app import inspection, links
from app.build import TABS
from app.store import Store
from app.tabs import inspect
from diffusion_core.data import ROOT
from diffusion_core.errors import UserError
from tests.pages import PER_CLASS, make_root


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(make_root(tmp_path_factory.mktemp("checkpoints")))


@pytest.fixture(scope="module")
def report(store):
    return store.report(store.report_key("early"))


@pytest.fixture(scope="module")
def shipped():
    store = Store(ROOT / "checkpoints")
    return store.report(store.report_key("mnist-early"))


@pytest.mark.parametrize("order", inspection.ORDERS)
def test_samples_come_in_the_order_of_their_values_both_ways(shipped, order):
    worst, values = inspection.rows(shipped, 8, "all", order, worst=True)
    best, _ = inspection.rows(shipped, 8, "all", order, worst=False)
    assert (shipped.table["label"].to_numpy()[worst] == 8).all() and sorted(worst) == sorted(best)
    assert (np.diff(values) * inspection.ORDERS[order].bad_first >= 0).all() and values[0] != values[-1]
    np.testing.assert_array_equal(np.sort(values), np.sort(inspection.of_class(shipped, 8, order)))


def test_the_filters_split_the_samples_of_a_digit(shipped):
    table = shipped.table
    found = {kept: set(inspection.rows(shipped, 5, kept, "ink", True)[0]) for kept in inspection.FILTERS}
    misread = np.flatnonzero((table["label"] == 5) & (table["classifier_label"] != 5))
    assert found["misread"] == set(misread) and len(misread) > 0
    assert found["disputed"] == set(np.flatnonzero((table["label"] == 5) & (table["disagreement"] > 0)))
    assert not found["right"] & (found["misread"] | found["disputed"])
    unanimous = {row for row in found["misread"] if row not in found["disputed"]}
    assert found["right"] | found["disputed"] | unanimous == found["all"]


def test_the_hardest_digit_is_named_with_what_it_is_taken_for(report):
    first, *others = inspection.hardest(report)
    assert first.label == 5 and first.gap > 20 and "the classifier reads" in first.reason and "as 6" in first.reason
    count = report.confusions["classifier"][5][6]
    assert f"reads {count} of {PER_CLASS} as 6" in first.reason
    assert {hard.reason for hard in others} == {"nothing stands out"}


def test_the_page_opens_on_the_hardest_digit_and_shows_it_worst_first(store, report):
    key = store.report_key("early")
    ranking, figure, gallery, link = inspect.page(store, key, "all", "clip_probability", "worst", None, 0)
    assert re.search(r'data-page="5" aria-pressed="true"', ranking)
    seeds = [int(seed) for seed in re.findall(r"digit 5, seed (\d+)", gallery)]
    rows, values = inspection.rows(report, 5, "all", "clip_probability", True)
    assert seeds == report.table["seed"].to_numpy()[rows].tolist()
    assert f"{PER_CLASS} of {PER_CLASS} samples of 5" in gallery and "order=clip_probability" in link
    np.testing.assert_allclose(np.sort(figure.data[0].x), np.sort(100 * values))


def test_every_page_is_a_page_of_the_whole(shipped):
    whole, page, seen = inspection.rows(shipped, 3, "all", "slant", True)[0], 0, []
    while len(seen) < len(whole):
        html = inspect.gallery(shipped, 3, "all", "slant", "worst", page)
        seen += [int(seed) for seed in re.findall(r"digit 3, seed (\d+)", html)]
        page += 1
    assert seen == shipped.table["seed"].to_numpy()[whole].tolist()


def test_a_score_that_a_report_lacks_is_not_offered(store):
    assert "clip_probability" in inspection.available(store.report(store.report_key("early")))
    with pytest.raises(UserError, match="from what is offered"):
        inspect.page(store, store.report_key("early"), "all", "rarity", "worst", None, 0)


@pytest.mark.parametrize(
    "settings",
    [
        ("x", "ink", "worst", 5),
        ("all", "x", "worst", 5),
        ("all", "clip_margin", "x", 5),
        ("all", "clip_margin", "worst", 10),
        ("all", "clip_margin", "worst", "<b>"),
        ("all", None, None, []),
    ],
)
def test_a_bad_choice_is_refused(store, settings):
    with pytest.raises(UserError):
        inspect.page(store, store.report_key("early"), *settings, 0)


def test_a_link_restores_digit_and_order(store):
    view = links.read({"tab": "inspect", "a": "early", "digits": "3", "order": "clip_margin"}, TABS)
    key, kept, order, *rest = inspect.opened(store, view)
    assert key["value"].startswith("early/") and [kept, order["value"], *rest] == [
        "all", "clip_margin", "worst", 3, 0, "mnist",
    ]  # fmt: skip
