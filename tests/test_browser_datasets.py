"""Two data sets on one page in a real browser: another report brings its own classes, judges and images along."""

import shutil

import pytest
from playwright.sync_api import expect

from diffusion_core.data import ROOT
from tests.browser import WAIT, served
from tests.made_data import MADE
from tests.made_page import PER_CLASS, made_root

NARROW = "document.documentElement.scrollWidth <= innerWidth"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Over a store of more data sets, in place of that of all other tests in a browser."""
    folder = tmp_path_factory.mktemp("two")
    root = made_root(folder / "checkpoints")
    shutil.copytree(ROOT / "checkpoints" / "fashion", root / "fashion", ignore=shutil.ignore_patterns("reports"))
    with served(root, folder) as address:
        yield address


def choose(page, label: str, option: str) -> None:
    """Take an option of a dropdown of the tab that is open."""
    page.locator(".tabitem:visible").get_by_label(label, exact=True).click()
    page.get_by_role("option", name=option).first.click()


@pytest.mark.parametrize("width", [1280, 390])
def test_a_cell_of_named_classes_opens_its_images_in_colour(visit, width):
    page = visit("?tab=confusion&a=shapes-early", width)
    page.get_by_role("button", name="asked cross, judged red square").click()
    words, found = page.locator("#cell-words h2"), page.locator("#cell-samples .sample")
    expect(words).to_contain_text("Asked for cross, read as red square by the classifier")
    number = int(page.locator('#confusion .cell[data-r="2"][data-c="0"]').inner_text())
    assert number > 3
    expect(found).to_have_count(number)
    expect(words).to_contain_text(f"{number} of {PER_CLASS}")
    expect(page.locator("#cell-samples .verdict.wrong:has-text('Classifier red square')")).to_have_count(number)
    pictures = page.locator("#cell-samples .sample img")
    assert pictures.evaluate_all(f"all => all.every(i => i.naturalWidth === {MADE.shape[2]})")
    shown = pictures.first.bounding_box()["width"]
    assert shown == (64 if width == 1280 else 48)
    assert page.evaluate(NARROW)


def test_another_report_brings_its_classes_and_judges_along(visit):
    page = visit("?tab=confusion&a=early&cell=3,4")
    expect(page.locator("#confusion .cell")).to_have_count(100)
    choose(page, "Report", "shapes · made")
    expect(page.locator("#confusion .cell")).to_have_count(9)
    expect(page.locator("#cell-words h2")).to_contain_text("Asked for disc, read as cross")
    panel = page.locator(".tabitem:visible")
    expect(panel.get_by_role("radio", name="Second classifier")).to_be_visible()
    expect(panel.get_by_role("radio", name="Nearest neighbours")).to_have_count(0)


def test_the_other_tabs_follow_the_report_too(visit):
    page = visit("?tab=lookalikes&a=early")
    choose(page, "Report", "shapes-early · made")
    panel = page.locator(".tabitem:visible")
    expect(panel.locator(".lead")).to_contain_text("images of disc as cross")
    choose(page, "Class", "red square")
    expect(panel.locator(".lead")).to_contain_text("images of red square as cross")
    page.get_by_role("tab", name="Compare").click()
    expect(page.locator(".words:visible").first).to_contain_text("is better than")
    choose(page, "A", "shapes-early · made")
    expect(page.locator(".words:visible").first).to_contain_text("shapes is better than shapes-early")
    page.locator(".tabitem:visible").get_by_label("disc", exact=True).check()
    expect(page.locator("#pairs .pair")).to_have_count(PER_CLASS)
    page.locator("#pairs .pair button").first.click()
    dialog = page.locator("#pairs dialog")
    expect(dialog.locator("h3")).to_contain_text("Disc, seed ")
    assert dialog.locator(".wipe-view").bounding_box()["width"] == 12 * MADE.shape[2]


INSIDE = """(all, box) => all.filter((e) => {
  const [inner, outer] = [e, e.closest(box)].map((one) => one.getBoundingClientRect());
  return e.scrollWidth > e.clientWidth + 1 || inner.left < outer.left || inner.right > outer.right;
}).map((e) => e.textContent)"""


@pytest.mark.parametrize("width", [1280, 390])
def test_names_of_garments_have_the_room_they_need(visit, width):
    page = visit("?tab=generate&a=fashion", width)
    picked = page.locator(".digits label")
    expect(picked.last).to_contain_text("ankle boot")
    assert picked.evaluate_all(INSIDE, ".digits") == []
    page.locator("#go").click()
    page.locator("#stage .scrub").wait_for(timeout=WAIT)
    expect(page.locator("#stage .card")).to_have_count(10)
    expect(page.locator("#stage .verdict.waiting")).to_have_count(0, timeout=WAIT)
    verdicts = page.locator("#stage .verdict")
    verdicts.locator("b").evaluate_all("all => all.forEach((b) => { b.textContent = 'ankle boot'; })")
    assert verdicts.count() >= 20
    assert verdicts.evaluate_all(INSIDE, ".card") == []
    assert page.evaluate(NARROW)
