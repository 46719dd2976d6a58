"""The Export tab in a real browser: a set is made, stopped, taken away and opened."""

import re
import zipfile

import pyarrow.parquet as pq
from playwright.sync_api import expect

from tests.browser import WAIT


def test_a_set_is_made_and_taken_away(visit, tmp_path):
    page = visit("?tab=export&a=student&n=60")
    page.get_by_role("button", name="Filters").click()
    confidence = page.get_by_label("number input for Confidence")
    confidence.fill("0.99")
    confidence.press("Tab")
    page.locator("#export-go").click()
    page.locator("#export progress").wait_for()
    link = page.locator("#export a[download]")
    link.wait_for(timeout=WAIT)
    expect(page.locator("#export .summary")).to_contain_text("60 digits of 6")
    expect(page.locator("#export .sample").first).to_be_visible()
    expect(page.locator("#export h2").first).to_contain_text(re.compile(r"Confidence: \d+ images? left out"))
    picture = page.locator("#export .first")
    assert picture.evaluate("e => [e.naturalWidth, e.naturalHeight, e.clientWidth]") == [280, 28 * 6, 560]
    expect(page.locator("#export-go")).to_be_visible()
    with page.expect_download() as download:
        link.click()
    assert download.value.suggested_filename == "digits-parquet.zip"
    with zipfile.ZipFile(download.value.path()) as archive:
        archive.extractall(tmp_path)
    table = pq.read_table(tmp_path / "train-00000-of-00001.parquet")
    assert len(table) == 60 and min(table["confidence"].to_pylist()) >= 0.99
    assert (tmp_path / "README.md").read_text().startswith("---\nlicense: cc-by-sa-3.0")
    page.get_by_text("The data card").click()
    expect(page.locator("#export pre")).to_contain_text("60 images by")


def test_it_can_be_stopped_and_a_mistake_is_one_line(visit):
    page = visit("?tab=export&a=slow&n=2000")
    for _again in range(2):  # the next start follows the stop at once
        page.locator("#export-go").click()
        expect(page.locator("#export .level")).to_contain_text("drawing", timeout=WAIT)
        page.locator("#export-stop").click()
        expect(page.locator("#export .empty")).to_have_text("Nothing of it was kept. Press Export to start again.")
    expect(page.locator("#export-go")).to_be_visible()
    page.wait_for_timeout(500)
    expect(page.locator("#export .empty")).to_be_visible()
    page.get_by_label("How many images").fill("1000000")
    page.locator("#export-go").click()
    expect(page.locator(".toast-body")).to_contain_text("The count must be a whole number from 1 to 2,000")
    expect(page.locator("#export-go")).to_be_visible()
