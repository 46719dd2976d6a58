"""Compare in a real browser: the slider from A to B, up to six reports, both themes, a phone."""

import shutil
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from app import colours, several
from app.store import Store
from app.sweep import COLUMNS
from app.words import JUDGES
from diffusion_core.data import ROOT
from eval.formats import decimals, minus, show, show_brackets
from tests.browser import WAIT, served

SHIPPED = ("mnist", "mnist-early", "mnist-turbo", "real")
SETTINGS = "real test digits,800,0.99,3.4,0.9,0.93,0.9,0.92\nddim 9 steps,800,0.98,4,0.9,0.91,0.9,0.9\n"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """What is shipped, and one checkpoint with a list of settings, another with a damaged one."""
    root = tmp_path_factory.mktemp("compare") / "checkpoints"
    for name in SHIPPED:
        shutil.copytree(ROOT / "checkpoints" / name, root / name, ignore=shutil.ignore_patterns("resume", "sweep.csv"))
    (root / "mnist" / "sweep.csv").write_text(",".join(COLUMNS) + "\n" + SETTINGS)
    (root / "mnist-turbo" / "sweep.csv").write_text("nothing\n")
    return Store(root)


@pytest.fixture(scope="module")
def server(store, tmp_path_factory):
    """In place of the server that the other tests share: its reports have no sets."""
    with served(store.root, tmp_path_factory.mktemp("served")) as address:
        yield address


def fits(page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def cut(page) -> float:
    """Percent of A's image that are clipped away from its right."""
    clip = page.locator(".wipe-view img").first.evaluate("e => getComputedStyle(e).clipPath")
    return float(clip.split()[1].removesuffix("%"))


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (390, "dark")])
def test_a_pair_opens_into_a_slider_from_a_to_b(visit, width, theme):
    page = visit(f"?tab=compare&a=mnist-early&b=mnist&__theme={theme}", width)
    assert page.evaluate("document.body.classList.contains('dark')") is (theme == "dark")
    pair = page.locator("#pairs .pair").nth(1)
    digit = pair.locator(".asked b").inner_text()
    sources = pair.locator("img").evaluate_all("all => all.map((image) => image.src)")
    pair.locator(".half").first.click(force=True)  # what lies there is the opener
    dialog = page.locator("#pairs .wipe")
    expect(dialog.locator("h3")).to_have_text(f"Digit {digit}, {pair.locator('.seed').inner_text()}")
    images = dialog.locator(".wipe-view img")
    assert images.evaluate_all("all => all.map((image) => image.src)") == sources and sources[0] != sources[1]
    assert images.first.evaluate("e => getComputedStyle(e).imageRendering") == "pixelated"
    assert images.first.evaluate("e => e.getBoundingClientRect().width % 28") == 0
    said = dialog.locator(".wipe-said .caption")
    assert said.all_inner_texts() == pair.locator(".caption").all_inner_texts()
    assert dialog.locator(".wipe-said .verdict").count() == 2 * len(JUDGES)
    assert cut(page) == 50 and fits(page)
    slider = dialog.get_by_role("slider", name="How much of A is shown over B")
    box = slider.bounding_box()
    page.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    assert cut(page) == 0 and slider.get_attribute("aria-valuetext") == "100 % A"
    paper = dialog.evaluate("e => getComputedStyle(e).backgroundColor")
    assert (sum(map(int, paper[4:-1].split(","))) > 380) == (theme == "light")
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()


def test_the_slider_works_from_the_keyboard(visit):
    page = visit("?tab=compare&a=mnist-early&b=mnist")
    opener = page.locator("#pairs .pair .asked").first
    opener.focus()
    page.keyboard.press("Enter")
    slider = page.locator("#pairs .wipe input")
    expect(slider).to_be_focused()
    for key, left in (("ArrowRight", 49), ("Home", 100), ("ArrowRight", 99), ("End", 0)):
        page.keyboard.press(key)
        assert cut(page) == left
    page.keyboard.press("Escape")
    expect(page.locator("#pairs .wipe")).to_be_hidden()
    expect(opener).to_be_focused()


def test_a_cell_of_what_changed_opens_its_pairs_and_a_link_restores_it(visit, store):
    page = visit("?tab=compare&a=mnist-early&b=mnist&cell=5,5")
    report = store.report(store.report_key("mnist-early"))
    grid, words = page.locator("#changes"), page.locator("#change-words h3")
    expect(words).to_contain_text("Asked for 5, read as 5 by the classifier", timeout=WAIT)
    grid.locator('.cell[data-r="5"][data-c="3"]').click()
    number = report.confusions["classifier"][5][3]
    expect(words).to_contain_text(f"Asked for 5, read as 3 by the classifier: {number} in A")
    pairs = page.locator("#change-pairs .pair")
    assert number > 0 and pairs.count() >= number
    pairs.first.locator(".asked").click()
    expect(page.locator("#change-pairs .wipe h3")).to_contain_text("Digit 5, seed")
    page.keyboard.press("Escape")
    page.locator("#change-words [data-link]").click()
    link = parse_qs(urlsplit(page.evaluate("navigator.clipboard.readText()")).query)
    assert link["cell"] == ["5,3"] and link["b"] == [store.report_key("mnist")]
    assert fits(page)


def cells(page) -> list[list[str]]:
    rows = page.locator("#several tbody tr")
    return [row.locator("td").all_inner_texts() for row in rows.all()]


@pytest.mark.parametrize(("width", "theme"), [(1440, "dark"), (390, "light")])
def test_the_table_and_the_figure_say_what_the_reports_say(visit, store, width, theme):
    page = visit(f"?tab=compare&__theme={theme}", width)
    expect(page.locator("#several tbody tr")).to_have_count(4, timeout=WAIT)  # three checkpoints and real digits
    keys = several.default(store.reports())
    reports = [store.report(key) for key in keys]
    found = cells(page)
    for column, metric in enumerate(several.COLUMNS):
        estimates = [several.value(report, metric) for report in reports]
        unit = several.words.METRICS[metric].unit
        places = decimals(estimates, unit)
        for row, e in zip(found, estimates):
            assert minus(show(e.value, unit, places)) in row[column]
            assert minus(show_brackets(e, unit, places)) in row[column]
    hues = page.locator("#several .swatch").evaluate_all("all => all.map((e) => e.style.getPropertyValue('--hue'))")
    named = colours.colours(store)
    assert hues == [named[key.split("/")[0]] for key in keys] + [colours.REAL_COLOUR]
    figure = page.locator("#tradeoff .js-plotly-plot")
    expect(figure.locator(".textpoint text")).to_have_count(4, timeout=WAIT)
    assert set(figure.locator(".textpoint text").all_text_contents()) == {*SHIPPED[:3], "real test images"}
    words = page.locator(".tabitem:visible .problem")
    expect(words).to_have_text(
        "The settings tried on mnist-turbo are not shown: sweep.csv is damaged, its first line must be "
        + ",".join(COLUMNS)
        + "."
    )
    assert fits(page)


def test_a_link_restores_the_reports_and_the_list_can_be_changed(visit, store):
    page = visit("?tab=compare&reports=mnist-turbo,real,nobody")
    heads = page.locator("#several tbody th")
    expect(heads).to_have_count(2, timeout=WAIT)
    assert [text.split("\n")[0] for text in heads.all_inner_texts()] == ["mnist-turbo", "real test digits"]
    page.get_by_label("Reports", exact=True).click()
    page.get_by_role("option", name="mnist-early").click()
    expect(heads).to_have_count(3, timeout=WAIT)
    page.locator(".tabitem:visible [data-link]").last.click()
    link = parse_qs(urlsplit(page.evaluate("navigator.clipboard.readText()")).query)
    assert link["reports"] == [",".join(store.report_key(name) for name in ("mnist-turbo", "real", "mnist-early"))]
