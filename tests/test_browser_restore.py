"""The Restore tab in a real browser: a digit drawn by hand, its half painted over, restored; files; Stop."""

import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from diffusion_core.data import load
from tests.browser import WAIT

NARROW = "document.documentElement.scrollWidth <= innerWidth"


def choose(page, label: str, option: str) -> None:
    page.get_by_label(label, exact=True).click()
    page.get_by_role("option", name=option).click()


def draw(page, pad: str, *points) -> None:
    """Strokes from point to point, in shares of the pad's sides."""
    canvas = page.locator(f"#{pad} canvas")
    canvas.scroll_into_view_if_needed()
    box = None
    while box != (box := canvas.bounding_box()):  # what was chosen before moves the page
        page.wait_for_timeout(400)
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=6)
    page.mouse.up()


def restored(page) -> None:
    """Press Restore, and wait for the last picture of it: what was there before must not pass for it."""
    page.locator("#restored").evaluate(
        "(element) => element.querySelectorAll('figure').forEach((f) => f.classList.add('old'))"
    )
    page.locator("#restore-go").click()
    expect(page.locator("#restored figure.old")).to_have_count(0, timeout=WAIT)
    expect(page.locator("#restored progress")).to_have_count(0, timeout=3 * WAIT)
    expect(page.locator("#restored .odds").first).to_be_visible(timeout=3 * WAIT)


def pixels(page, place: str) -> list[int]:
    """The red values of an image on the page, as its browser shows them."""
    return page.locator(place).evaluate(
        """(image) => {
          const canvas = document.createElement('canvas');
          canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
          const brush = canvas.getContext('2d');
          brush.drawImage(image, 0, 0);
          return [...brush.getImageData(0, 0, canvas.width, canvas.height).data].filter((_, i) => i % 4 === 0);
        }"""
    )


@pytest.mark.parametrize("width", [1280, 390])
def test_a_digit_drawn_by_hand_and_painted_over_is_restored(visit, width):
    page = visit("?tab=restore&real=0&damage=cut:10&n=3", width)
    expect(page.locator("#restored")).to_contain_text("3 ways it may have been", timeout=WAIT)
    page.get_by_label("Draw", exact=True).check()
    page.locator("#drawing canvas").wait_for()
    draw(page, "drawing", (0.35, 0.15), (0.65, 0.15), (0.65, 0.5), (0.4, 0.85))
    choose(page, "Damage", "Paint what is missing")
    page.locator("#paint .paint-ground[style]").wait_for()
    expect(page.get_by_label("How bad", exact=True)).to_be_hidden()
    draw(page, "paint", (0.0, 0.9), (1.0, 0.9))
    restored(page)
    original, left = (
        np.array(pixels(page, f"#restored figure:has(figcaption:text-is('{title}')) img")).reshape(28, 28)
        for title in ("The original", "What is left")
    )
    assert original.max() == 255 and 20 < (original > 127).sum() < 200
    hidden = left != original
    assert hidden[24:27].all() and not hidden[:20].any(), "what was painted, and nothing else, is missing"
    for i in (1, 2, 3):
        way = np.array(pixels(page, f"#restored img[alt='candidate {i}']")).reshape(28, 28)
        assert np.array_equal(way[:20], original[:20])
    assert page.evaluate(NARROW)


def test_a_link_opens_the_severity_that_it_names(visit):
    page = visit("?tab=restore&real=3&damage=noise:1&n=1")
    expect(page.locator("#restored")).to_contain_text("Noise: 1.00 of white.", timeout=WAIT)
    expect(page.get_by_label("How bad", exact=True)).to_have_value("noise of standard deviation 1 (white is 1)")
    choose(page, "Damage", "Missing stripes")
    expect(page.get_by_label("How bad", exact=True)).to_have_value("one row in 4 is left")


def test_a_file_that_is_damaged_already(visit, tmp_path):
    page = visit("?tab=restore&damage=shrink:4&n=2")
    page.get_by_label("Upload", exact=True).check()
    small = load("mnist", "test").images[3, 0].numpy().reshape(7, 4, 7, 4).mean((1, 3)).round().astype(np.uint8)
    Image.fromarray(small).save(tmp_path / "small.png")
    page.locator(".tabitem:visible input[type=file]").set_input_files(tmp_path / "small.png")
    page.get_by_text("small.png").first.wait_for()
    page.locator("#restore-go").click()
    expect(page.locator(".toast-body")).to_contain_text("small.png: it is 7x7 pixels; 'mnist' needs 28x28.")
    page.locator(".toast-close").click()
    page.get_by_label("It is damaged already").check()
    restored(page)
    expect(page.locator("#restored")).not_to_contain_text("The original")


def test_a_file_that_is_no_image_gets_one_line(visit, tmp_path):
    page = visit("?tab=restore&n=2")
    page.get_by_label("Upload", exact=True).check()
    (tmp_path / "text.png").write_text("no image")
    expect(page.get_by_label("Number of the test image")).to_have_count(0)  # the field has taken its place
    page.wait_for_timeout(500)  # … and listens
    page.locator(".tabitem:visible input[type=file]").set_input_files(tmp_path / "text.png")
    page.get_by_text("text.png").first.wait_for()
    page.locator("#restore-go").click()
    expect(page.locator(".toast-body")).to_contain_text("text.png: it is not a PNG, JPEG")
    expect(page.locator("#restore-go")).to_be_visible()


def test_restoring_can_be_stopped_and_started_again(visit):
    page = visit("?tab=restore&a=slow&n=2")
    page.get_by_role("button", name="Advanced").locator("visible=true").click()
    page.get_by_label("number input for Candidates").locator("visible=true").fill("16")
    page.get_by_label("number input for Steps").locator("visible=true").fill("100")
    for _again in range(2):  # the next start follows the stop at once
        page.locator("#restore-go").click()
        expect(page.locator("#restored progress")).to_be_visible(timeout=WAIT)
        page.locator("#restore-stop").click()
        expect(page.locator("#restored .level")).to_have_text("stopped")
    expect(page.locator("#restore-go")).to_be_visible()
    page.wait_for_timeout(1500)
    expect(page.locator("#restored .level")).to_have_text("stopped")
    expect(page.locator("#restored progress")).to_have_count(0)
    page.get_by_label("number input for Candidates").locator("visible=true").fill("1")
    page.get_by_label("number input for Steps").locator("visible=true").fill("2")
    restored(page)


def test_how_well_it_works_is_shown_when_somebody_looks(visit):
    page = visit("?tab=restore&a=slow&n=1")
    page.get_by_role("button", name="How well does it work?").click()
    expect(page.locator("#restored-work .js-plotly-plot")).to_be_visible(timeout=WAIT)
    expect(page.locator("#restored-work table").first).to_contain_text(
        re.compile("A hole in the middle: a square of 12"), timeout=WAIT
    )
    page.get_by_label("SSIM").check()
    expect(page.locator("#restored-work table caption").first).to_have_text("SSIM", timeout=WAIT)
