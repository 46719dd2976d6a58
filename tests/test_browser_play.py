"""The Play tab in a real browser: it walks at once, it takes a drawing from a mouse, it fills a poster and stops."""

from playwright.sync_api import expect

from tests.browser import WAIT
from tests.test_browser_access import WIDE, faults, ready_for_axe


def test_a_walk_plays_and_answers(visit):
    page = visit("?tab=play")
    strip = page.locator(".morph-strip li")
    expect(strip).to_have_count(24, timeout=WAIT)
    expect(page.locator("#morph .scrub")).to_have_js_property(
        "value", "23", timeout=WAIT
    )  # it played to its end by itself
    expect(strip.last).to_have_class("now")
    page.locator("#morph .scrub").fill("4")
    expect(strip.nth(4)).to_have_class("now")
    expect(page.locator("#morph .reading")).to_contain_text("reads")
    film = page.locator("#morph .film")
    assert film.evaluate("e => [e.naturalWidth, e.naturalHeight, getComputedStyle(e).imageRendering]") == [
        28, 28 * 24, "pixelated",
    ]  # fmt: skip
    with page.expect_download() as download:
        page.get_by_text("Download GIF").click()
    assert download.value.suggested_filename == "walk.gif"
    page.get_by_label("Noise (seed)", exact=True).fill("-1")
    page.get_by_label("Noise (seed)", exact=True).press("Enter")
    expect(page.locator(".toast-body")).to_contain_text("The seed must be a whole number from 0 to", timeout=WAIT)


def test_a_drawing_is_followed_and_an_example_and_a_picture_too(visit, tmp_path):
    page = visit("?tab=play&play=hand&a=slow&text=1-2")
    line = page.locator("#hand .line svg")
    expect(line).to_have_attribute("aria-label", "1-2", timeout=WAIT)
    before = line.inner_html()
    box = page.locator(".pad canvas").bounding_box()
    page.mouse.move(box["x"] + 140, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 130, box["y"] + 240, steps=4)
    page.mouse.up()
    expect(page.locator(".like figcaption")).to_contain_text("Your digit, read as a 1", timeout=WAIT)
    assert line.inner_html() != before
    page.locator("[data-clear]").click()
    expect(page.locator(".like")).to_have_count(0, timeout=WAIT)
    assert line.inner_html() == before  # the same seed, the same hand
    example = page.locator("[data-example]").first
    example.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".like figcaption")).to_contain_text("read as a 9", timeout=WAIT)
    (tmp_path / "x.png").write_bytes(b"no picture")
    page.locator(".pad input[type=file]").set_input_files(tmp_path / "x.png")
    expect(page.locator(".pad-said")).to_contain_text("not a picture")
    page.get_by_label("Text: digits").fill("12 AB")
    page.get_by_label("Text: digits").press("Enter")
    expect(page.locator(".toast-body")).to_contain_text("A: letters cannot be written", timeout=WAIT)


def test_a_poster_fills_up_and_can_be_stopped(visit):
    page = visit("?tab=play&a=slow")
    expect(page.locator(".morph-strip li")).to_have_count(24, timeout=WAIT)
    page.locator("#play").get_by_label("Poster").check()
    page.locator("#poster-progress progress").wait_for()
    page.locator("#poster-stop").click()
    expect(page.locator("#poster-progress")).to_contain_text("topped")
    expect(page.locator("#poster-progress progress")).to_have_count(0)
    assert page.locator("[data-halted]").count()  # a frame that comes after the answer to Stop brings no bar back
    expect(page.locator("#poster-stop")).to_be_hidden()
    shown = page.locator("#poster .poster").get_attribute("alt")
    assert shown.endswith("of 1,000 images, a column a class, from light to dark") and not shown.startswith("1,000")
    page.wait_for_timeout(800)
    assert page.locator("#poster .poster").get_attribute("alt") == shown


def test_a_small_poster_is_taken_away(visit):
    page = visit("?tab=play&play=poster&digits=5&n=200&a=mnist", 390)
    with page.expect_download() as download:
        page.locator("[data-save]").click()
    assert download.value.suggested_filename == "poster.png"
    assert download.value.path().read_bytes().startswith(b"\x89PNG")


def test_axe_finds_nothing_in_the_other_sections(visit):
    """The first one is looked at with all tabs (tests/test_browser_access.py)."""
    page, found = visit("?tab=play&play=hand&a=mnist&__theme=light", WIDE), []
    ready_for_axe(page)
    page.locator("[data-example]").first.click()
    page.locator(".like").wait_for()
    for section, shown in (("One hand", ".like"), ("Poster", "[data-save]")):
        page.locator("#play").get_by_label(section).check()
        page.locator(shown).wait_for()
        found += faults(page, section)
    assert found == []
