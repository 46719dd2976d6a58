"""Confusion: the number in a cell and the samples behind it are the same thing."""

import base64
import io
import re
from html import unescape
from urllib.parse import parse_qsl

import numpy as np
import pytest
from PIL import Image

from app import links, matrix
from app.store import Store
from app.tabs import confusion
from diffusion_core.errors import UserError
from tests.pages import PER_CLASS, make_root


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(make_root(tmp_path_factory.mktemp("checkpoints")))


@pytest.fixture(scope="module")
def key(store):
    return store.report_key("early")


def test_every_cell_opens_exactly_its_samples(store, key):
    report = store.report(key)
    for judge in ("classifier", "clip"):
        table = confusion.counts(report, judge)
        assert sum(map(sum, table)) == 10 * PER_CLASS and table[5][6] > 3
        for cell in ((r, c) for r in range(10) for c in range(10)):
            html = confusion.thumbnails(report, judge, cell, 0)
            assert html.count('class="sample') - html.count('class="samples"') == table[cell[0]][cell[1]], cell


def test_a_cell_shows_its_own_images_worst_first(store, key):
    report = store.report(key)
    rows = confusion.rows_of(report, "classifier", (5, 6))
    part = report.table.iloc[rows]
    assert set(part["label"]) == {5} and set(part["classifier_label"]) == {6}
    assert part["classifier_p5"].is_monotonic_increasing and part["classifier_p5"].nunique() > 1
    html = confusion.thumbnails(report, "classifier", (5, 6), 0)
    assert [int(seed) for seed in re.findall(r'"seed">seed (\d+)<', html)] == part["seed"].tolist()
    uris = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    for uri, image in zip(uris, report.images[rows], strict=True):
        picture = Image.open(io.BytesIO(base64.b64decode(uri)))
        np.testing.assert_array_equal(np.asarray(picture), image[0].numpy())


def test_an_empty_cell_says_so(store, key):
    grid, words, found = confusion.page(store, key, "generated", "classifier", False, False, [6, 5], 0)
    assert "no 6 was read as 5" in found and "<li" not in found
    assert "0 of 20 (0.0 %)" in words
    assert re.search(r'data-r="6" data-c="5" data-n="0"[^>]*aria-pressed="true"', grid)


def test_real_digits_are_paged(store, key):
    table = store.report(store.report_key("real")).confusions["classifier"]
    whole = table[0][0]
    assert whole > confusion.PAGE
    pages = -(-whole // confusion.PAGE)
    seen = 0
    for number in range(pages):
        html = confusion.page(store, key, "real", "classifier", False, False, [0, 0], number)[2]
        seen += html.count('<li class="sample')
        assert f"page {number + 1} of {pages}" in html
    assert seen == whole
    beyond = confusion.page(store, key, "real", "classifier", False, False, [0, 0], 10**6)[2]
    assert f"page {pages} of {pages}" in beyond


def test_without_a_choice_the_commonest_mistake_is_open(store, key):
    grid, words, _ = confusion.page(store, key, "generated", "clip", False, False, None, 0)
    assert "Asked for 5, read as 6 by CLIP" in words and "Of real images of 5" in words
    assert "?tab=confusion&amp;a=" in words and "cell=5,6" in words and "judge=clip" in words
    assert len(re.findall(r'class="cell [^"]*" data-r', grid)) == 100


@pytest.mark.parametrize("cell", [[5], [5, 6, 7], [5, 10], [-1, 0], ["5", 6], [True, 1], [5.0, 6], "56", {}, 5, ()])
def test_odd_cells_are_refused(store, key, cell):
    with pytest.raises(UserError, match="cell"):
        confusion.opened_cell(store, key, "generated", "classifier", cell, 0)


@pytest.mark.parametrize(
    ("kind", "judge"), [("fake", "clip"), ("real", "me"), (None, "clip"), ("real", []), ({}, "clip")]
)
def test_odd_settings_are_refused(store, key, kind, judge):
    with pytest.raises(UserError, match="Choose the images and the judge"):
        confusion.page(store, key, kind, judge, False, False, None, 0)


def test_the_matrix_has_a_button_a_cell_and_one_tab_stop():
    counts = [[90, 9, 1], [0, 100, 0], [3, 0, 97]]
    html = matrix.matrix(counts, "012", (0, 1), (0, 1), False, "CLIP")
    cells = re.findall(r"<button[^>]*class=\"cell ([^\"]*)\"([^>]*)>(\d+)</button>", html)
    assert [int(n) for *_, n in cells] == [n for row in counts for n in row]
    assert [attributes.count('tabindex="0"') for _, attributes, _ in cells].count(1) == 1
    assert 'aria-label="asked 0, judged 1: 9 of 100"' in html
    shades = [float(re.search(r"--t:([\d.]+)", attributes).group(1)) for _, attributes, _ in cells]
    assert shades[4] == 1 and shades[3] == 0 and shades[0] > shades[1] > shades[2] > 0
    assert shades[1] == pytest.approx(np.log1p(9) / np.log1p(100), abs=1e-3)


def test_hiding_the_diagonal_spreads_the_scale_over_the_mistakes():
    html = matrix.matrix([[90, 9], [3, 97]], "01", (0, 1), (0, 1), True, "CLIP")
    assert html.count("hidden-cell") == 2
    assert re.search(r'data-r="0" data-c="1" data-n="9" style="--t:1.000"', html)


def test_shares_of_a_row_stand_where_counts_do(store, key):
    grids = [confusion.page(store, key, "generated", "classifier", on, False, [5, 6], 0)[0] for on in (False, True)]
    counts = np.array(store.report(key).confusions["classifier"])
    cell = r'data-r="(\d)" data-c="(\d)" data-n="(\d+)"[^>]*>([^<]+)</button></td>'
    for r, c, n, text in re.findall(cell, grids[1]):
        assert int(n) == counts[int(r), int(c)]
        assert float(text) == pytest.approx(100 * int(n) / counts[int(r)].sum(), abs=0.0501)
    assert len(re.findall(cell, grids[1])) == len(re.findall(cell, grids[0])) == 100
    assert "per cent of a row" in grids[1] and "images, log scale" in grids[0]


def test_a_share_is_as_dark_as_it_is_large_and_never_rounded_to_none():
    counts = [[9995, 4, 1], [0, 50, 0], [0, 100, 100]]
    html = matrix.matrix(counts, "012", (0, 1), (0, 1), False, "CLIP", shares=True)
    texts = re.findall(r">([^<>]+)</button></td>", html)
    assert texts == ["99.9", "&lt;.1", "&lt;.1", "0", "100", "0", "0", "50", "50"]
    assert 'aria-label="asked 0, judged 1: &lt;.1 %, 4 of 10000"' in html
    shades = [float(t) for t in re.findall(r'data-n="\d+" style="--t:([\d.]+)"', html)]
    assert shades[4] == 1 and shades[7] == shades[8] == pytest.approx(np.log1p(500) / np.log1p(1000), abs=1e-3)
    assert re.search(r'<span style="--t:1.000">100</span>', html), "the legend ends at the largest share"


def test_the_pair_of_5_and_6_is_always_one_click_away():
    counts = [[10 if r == c else 0 for c in range(10)] for r in range(10)]
    counts[4][9] = 7
    html = matrix.matrix(counts, "0123456789", (5, 6), (5, 6), False, "")
    chips = re.findall(r'class="chip" data-r="(\d)" data-c="(\d)" data-n="(\d+)"', html)
    assert chips == [("5", "6", "0"), ("6", "5", "0"), ("4", "9", "7")]
    assert matrix.default_cell(counts, (5, 6)) == (4, 9)
    assert matrix.mistakes(counts) == [(4, 9, 7)]


def test_the_difference_is_that_of_row_shares_and_opens_generated_samples(store, key):
    report, real = store.report(key), store.report(store.report_key("real"))
    grid, words, found = confusion.page(store, key, "difference", "classifier", False, False, [5, 6], 0)
    ours, theirs = (np.array(r.confusions["classifier"], float) for r in (report, real))
    points = 100 * (ours / ours.sum(1, keepdims=True) - theirs / theirs.sum(1, keepdims=True))
    cells = re.findall(r'class="cell ([^"]*)" data-r="(\d)" data-c="(\d)" data-n="(\d+)"[^>]*>([^<]+)<', grid)
    assert len(cells) == 100
    for kind, r, c, n, text in cells:
        expected = points[int(r), int(c)]
        close = 0.501 if abs(expected) >= 9.95 else 0.0501
        assert float(text.replace("−", "-")) == pytest.approx(expected, abs=close) and int(n) == ours[int(r), int(c)]
        good = (expected > 0) == (r == c)
        assert len(text) <= 4
        assert kind == ("zero" if abs(expected) < 0.05 else "better" if good else "worse")
    assert "Asked for 5, read as 6" in words and found.count('<li class="sample') == ours[5, 6] > 3


def test_a_row_that_nothing_was_asked_of_has_no_shares():
    html = matrix.difference([[0, 0], [1, 3]], [[5, 0], [0, 4]], "01", (0, 1), (0, 1), False, "CLIP")
    assert re.findall(r">([−+]?[\d.]+)</button></td>", html) == ["−100", "0", "+25", "−25"]


def test_hiding_the_diagonal_spreads_the_scale_of_a_difference_too():
    ours, theirs = [[8, 1, 1], [0, 10, 0], [0, 0, 10]], [[10, 0, 0], [0, 10, 0], [0, 0, 10]]
    grids = [matrix.difference(ours, theirs, "012", (0, 1), (0, 1), hide, "") for hide in (False, True)]
    shades = [re.findall(r"--t:([\d.]+)", html) for html in grids]
    assert shades[0][:3] == ["1.000", "0.707", "0.707"] and shades[1][1:3] == ["1.000", "1.000"]
    dark = matrix.difference(
        [[10, 5, 5], [0, 9, 0], [0, 0, 9]], [[9, 0, 0], [0, 9, 0], [0, 0, 9]], "012", (0, 1), (0, 1), True, "CLIP"
    )
    assert re.search(r'data-r="0" data-c="2" data-n="5" style="--t:1.000"', dark)


@pytest.mark.parametrize("kind", matrix.KINDS)
def test_a_link_opens_the_kind_it_was_copied_from(store, key, kind):
    words = confusion.opened_cell(store, key, kind, "classifier", [5, 6], 0)[0]
    query = unescape(re.search(r'data-link="\?([^"]+)"', words).group(1))
    view = links.read(dict(parse_qsl(query)), ("confusion",))
    assert confusion.opened(store, view)[1] == kind
    assert confusion.opened(store, links.read({"kind": "odd"}, ()))[1] == "generated"
