"""The page in a real browser: it draws, it answers, it fits a phone, and it asks nothing of the outside."""

import json
import re
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import gradio_client
import pytest
from playwright.sync_api import expect

from app.build import TABS
from app.words import JUDGES
from benchmarks.page import READY as CONTENT
from diffusion_core.data import ROOT
from tests.browser import WAIT, open_tab
from tests.pages import PER_CLASS


def test_a_program_draws_judges_and_compares(server):
    """As docs/api.md shows it."""
    client = gradio_client.Client(server, verbose=False)
    drawn = client.predict("mnist", [5, 6], 2, 7, api_name="/generate")
    assert drawn["labels"] == [5, 6, 5, 6] and drawn["images"][0].startswith("data:image/png;base64,")
    judged = client.predict(drawn["images"], drawn["labels"], api_name="/score")
    assert judged["accuracy"]["classifier"]["n"] == 4 and len(judged["images"][0]) == len(JUDGES)
    assert client.predict("early", api_name="/report")["metrics"]["overall"]["accuracy"]["n"] == 10 * PER_CLASS
    assert "mnist is better than early" in client.predict("early", "mnist", api_name="/compare")["verdict"]
    with pytest.raises(gradio_client.exceptions.AppError, match="no checkpoint 'nobody'"):
        client.predict("nobody", [5], api_name="/generate")


def test_it_says_that_it_is_well(server):
    with urlopen(f"{server}/healthz", timeout=10) as answer:
        assert answer.status == 200 and json.load(answer) == {"status": "ok"}


def cell(page, r: int, c: int):
    return page.locator(f'.tabitem:visible .matrix .cell[data-r="{r}"][data-c="{c}"]')


def test_digits_are_there_at_once_and_more_are_drawn_on_request(visit):
    page = visit("?tab=generate&digits=3,5,8&n=2")
    expect(page.locator("#stage .card")).to_have_count(6)
    expect(page.locator(".strip img")).to_have_js_property("naturalWidth", 44 * 28)
    page.locator("#go").click()
    page.locator("#stage .scrub").wait_for()
    expect(page.locator("#stage .summary")).to_contain_text("Classifier reads", timeout=WAIT)
    expect(page.locator("#stage .card")).to_have_count(6)
    assert page.locator("#stage .card .asked b").all_inner_texts() == ["3", "3", "5", "5", "8", "8"]
    expect(page.locator("#stage .card .verdict:not(.waiting)")).to_have_count(6 * len(JUDGES), timeout=WAIT)
    tile = page.locator("#stage .film.estimate").first
    assert tile.evaluate("e => [e.naturalWidth, e.naturalHeight, getComputedStyle(e).imageRendering]") == [
        28, 28 * 5, "pixelated",
    ]  # fmt: skip
    page.locator("#stage .scrub").fill("0")
    expect(page.locator("#stage .level")).to_have_text("noise level 40.00")
    page.get_by_role("button", name="Noisy image").click()
    expect(page.locator("#stage .film.noisy").first).to_be_visible()
    expect(tile).to_be_hidden()
    assert "--labels 3,5,8 --per-class 2" in page.locator("#take code").inner_text()
    expect(page.locator("#go")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_text("Download PNG sheet").click()
    assert download.value.suggested_filename == "digits.png"


INSIDE = """all => all.every((line) => {
  const text = document.createRange();
  text.selectNodeContents(line.querySelector('[aria-hidden]'));
  return text.getBoundingClientRect().right <= line.closest('.card').getBoundingClientRect().right - 8;
})"""


@pytest.mark.parametrize("width", [1280, 390])
def test_the_longest_verdict_fits_its_card(visit, width):
    page = visit("?tab=generate&a=slow&n=1&seed=0", width)
    verdicts = page.locator("#stage .card .verdict b")
    page.locator("#go").click()
    expect(page.locator("#stage .card .verdict:not(.waiting)")).to_have_count(10 * len(JUDGES), timeout=WAIT)
    assert verdicts.count() == 10 * len(JUDGES)
    page.locator("#stage .card .verdict em").evaluate_all("all => all.forEach((p) => { p.textContent = '>99 %'; })")
    assert page.locator("#stage .card .verdict").evaluate_all(INSIDE)


def test_a_mistake_is_told_in_one_line_and_the_next_request_works(visit):
    page = visit("?tab=generate&digits=1")
    expect(page.locator("#stage .card")).to_have_count(1)  # the link has arrived
    page.get_by_label("Seed", exact=True).fill("-4")
    page.locator("#go").click()
    expect(page.locator(".toast-body")).to_contain_text("The seed must be a whole number from 0 to")
    expect(page.locator("#go")).to_be_visible()
    page.get_by_role("button", name="Randomise").click()
    expect(page.get_by_label("Seed", exact=True)).not_to_have_value("-4")
    page.locator("#go").click()
    page.locator("#stage .scrub").wait_for()


def test_a_run_can_be_stopped(visit):
    page = visit("?tab=generate&a=slow&n=8")
    expect(page.locator("#stage .empty")).to_contain_text("80 digits")  # the link has arrived
    page.get_by_role("button", name="Advanced").click()
    steps = page.get_by_label("number input for Steps")
    steps.fill("100")
    steps.press("Tab")
    for _again in range(3):  # the next start follows the stop at once
        page.locator("#go").click()
        page.locator("#stage progress").wait_for()
        page.locator("#stop").click()
        expect(page.locator("#stage .level")).to_have_text("stopped")
    expect(page.locator("#go")).to_be_visible()
    page.wait_for_timeout(500)
    expect(page.locator("#stage .level")).to_have_text("stopped")


def test_a_cell_opens_exactly_as_many_samples_as_its_number(visit):
    page = visit("?tab=confusion&a=early")
    cell(page, 2, 2).click()
    expect(page.locator("#cell-words h2")).to_contain_text("Asked for 2, read as 2")
    cell(page, 5, 6).click()
    expect(page.locator("#cell-words h2")).to_contain_text("Asked for 5, read as 6 by the classifier")
    number = int(cell(page, 5, 6).inner_text())
    assert number > 3
    expect(page.locator("#cell-samples .sample")).to_have_count(number)
    expect(page.locator("#cell-words h2")).to_contain_text(f"{number} of {PER_CLASS}")
    expect(page.locator("#cell-samples .verdict.wrong:has-text('Classifier 6')")).to_have_count(number)
    pictures = page.locator("#cell-samples .sample img")
    assert pictures.evaluate_all("all => all.every(i => i.naturalWidth === 28)")
    page.locator('.chip[data-r="6"][data-c="5"]').click()
    expect(page.locator("#cell-samples")).to_contain_text("no 6 was read as 5")
    expect(cell(page, 6, 5)).to_have_attribute("aria-pressed", "true")
    page.get_by_label("Real").check()
    expect(page.locator("#cell-words h2")).to_contain_text("of 958")


def test_the_matrix_works_by_keyboard(visit):
    page = visit("?tab=confusion&a=early&cell=5,6")
    cell(page, 5, 6).focus()
    for key, (r, c) in {"ArrowRight": (5, 7), "ArrowUp": (4, 7), "Home": (4, 0), "ArrowLeft": (4, 0)}.items():
        page.keyboard.press(key)
        expect(cell(page, r, c)).to_be_focused()
    assert page.locator('.matrix .cell[tabindex="0"]').count() == 1
    page.keyboard.press("Enter")
    expect(page.locator("#cell-words h2")).to_contain_text("Asked for 4, read as 0")
    expect(cell(page, 4, 0)).to_be_focused()


def test_a_link_opens_its_view_and_can_be_copied(visit):
    page = visit("?tab=confusion&a=early&cell=5,6&judge=clip")
    expect(page.get_by_role("tab", name="Confusion")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#cell-words h2")).to_contain_text("Asked for 5, read as 6 by CLIP")
    expect(cell(page, 5, 6)).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_label("CLIP", exact=True)).to_be_checked()
    page.locator("#cell-words [data-link]").click()
    expect(page.locator("#cell-words [data-link]")).to_have_text("Copied")
    link = page.evaluate("navigator.clipboard.readText()")
    assert urlsplit(link).query.startswith("tab=confusion&a=early/") and link.endswith("&cell=5,6&judge=clip")


def test_scores_and_compare_draw_their_figures(visit):
    page = visit("?tab=scores&a=early&metric=clip_margin")
    expect(page.locator(".js-plotly-plot .bars .point")).to_have_count(10)
    expect(page.locator(".words").first).to_contain_text("CLIP finds 5 hardest")
    page.get_by_role("tab", name="Compare").click()
    expect(page.locator(".words:visible").first).to_contain_text("mnist is better than early")
    expect(page.locator(".js-plotly-plot:visible .bars .point")).to_have_count(20)
    page.get_by_label("5", exact=True).last.check()
    expect(page.locator("#pairs .pair")).to_have_count(PER_CLASS)
    assert set(page.locator("#pairs .asked b").all_inner_texts()) == {"5"}
    page.get_by_label("All", exact=True).last.check()
    expect(page.locator("#pairs .pager")).to_contain_text("page 1 of 9")
    page.get_by_role("button", name="More", exact=True).click()
    expect(page.locator("#pairs .pager")).to_contain_text("page 2 of 9")


def test_a_judges_mistakes_on_real_digits_can_be_looked_at(visit):
    page = visit("?tab=judges&judge=clip")
    panel = page.locator(".tabitem:visible")
    page.wait_for_selector(".js-plotly-plot .trace:visible")
    words = panel.locator(".cell-words h2")
    expect(words).to_contain_text("by CLIP")
    panel.get_by_role("radio", name="Nearest neighbours").check()
    expect(words).to_contain_text("by the nearest neighbours")
    mistake = panel.locator('.cell[data-r="4"][data-c="9"]')
    number = int(mistake.inner_text())
    mistake.click()
    expect(words).to_contain_text(f"Asked for 4, read as 9 by the nearest neighbours: {number} of 982")
    expect(panel.locator(".sample")).to_have_count(number)


def test_a_digit_opens_its_card(visit):
    page = visit("?tab=generate&digits=3,5&n=1&seed=0&a=mnist")
    expect(page.locator("#stage .card")).to_have_count(2)  # the link has arrived
    page.locator("#go").click()
    expect(page.locator("#stage .card .verdict:not(.waiting)")).to_have_count(2 * len(JUDGES), timeout=WAIT)
    page.locator('[data-card="5,5"]').click()
    card = page.locator("#card .digit-card")
    expect(card).to_have_attribute("aria-label", "digit 5, seed 5")
    expect(card.locator(".readings tbody tr")).to_have_count(len(JUDGES))
    expect(card.locator("code")).to_contain_text("--labels 5 --per-class 1")
    page.get_by_role("button", name="Ten more like this").click()
    expect(page.locator("#alike .sample img")).to_have_count(10, timeout=WAIT)
    assert len(set(page.locator("#alike .sample img").evaluate_all("all => all.map((i) => i.src)"))) == 10
    page.get_by_role("button", name="Both").click()
    for film in ("estimate", "noisy"):
        expect(page.locator(f"#stage .film.{film}").first).to_be_visible()
    page.locator("#go").click()
    expect(card).to_have_count(0)  # it belonged to the digits before
    expect(page.locator("#alike .sample")).to_have_count(0)


def test_the_qualities_are_those_of_the_checkpoint_a_link_names(visit):
    """Only the student of the test folder has calls to choose from."""
    page = visit("?tab=generate&a=student")
    quality = page.locator("#how input")
    expect(quality).to_have_value(re.compile("As recommended: 2 steps"))
    quality.click()
    expect(page.get_by_role("option", name="One call")).to_be_visible()


@pytest.mark.parametrize("refused", [False, True])
def test_nothing_answers_before_a_links_settings_are_in(browser, server, refused):
    """What was typed meanwhile would be overwritten. A request that is refused must not leave the page locked."""
    page, held = browser.new_page(), []
    page.route("**/queue/join*", lambda route: held.append(route))
    page.goto(f"{server}/?tab=generate&digits=3&n=2&seed=7")
    page.wait_for_selector("#tabs[inert]")
    page.wait_for_timeout(300)
    assert len(held) == 1  # nothing else is asked for meanwhile
    if refused:
        held[0].fulfill(status=503, json={"detail": "Queue is full. Please try again."})
    else:
        held[0].continue_()
    page.unroute("**/queue/join*")
    page.wait_for_selector("html[data-arrived]")
    assert not page.locator("#tabs").evaluate("tabs => tabs.inert")
    if not refused:
        expect(page.get_by_label("Seed", exact=True)).to_have_value("7")
    page.close()


def test_a_number_is_written(visit):
    page = visit("?tab=generate&a=mnist")
    box = page.get_by_label("… or a number to write")
    box.fill("2026")
    box.press("Enter")
    expect(page.locator("#stage .card")).to_have_count(4)
    expect(page.locator("#stage .summary")).to_contain_text("Classifier reads", timeout=WAIT)
    assert page.locator("#stage .card .asked b").all_inner_texts() == ["2", "0", "2", "6"]
    expect(page.locator("#stage .written")).to_have_js_property("naturalWidth", 4 * 28)


def test_two_digits_come_out_of_one_noise(visit):
    page = visit("?tab=denoise&a=slow&digits=3,8&seed=2")
    panel = page.locator(".tabitem:visible")
    expect(panel.locator(".walk-row")).to_have_count(2)
    slider, level = panel.locator(".scrub"), panel.locator(".level")
    slider.focus()
    slider.press("Home")
    expect(level).to_have_text("noise 40.00")
    noisy = panel.locator(".walk-tiles figure:nth-child(2) .tile")
    assert noisy.first.screenshot() == noisy.last.screenshot()
    slider.press("End")
    expect(level).to_have_text("finished")
    assert noisy.first.screenshot() != noisy.last.screenshot()
    expect(panel.locator(".reading").first).to_contain_text("reads 3")
    expect(panel.locator(".track .now")).to_have_count(4)


def test_a_digit_is_inspected_worst_first(visit):
    page = visit("?tab=inspect&a=early&order=clip_margin")
    panel = page.locator(".tabitem:visible")
    expect(panel.locator(".chip[aria-pressed=true] b")).to_have_text("5")
    expect(panel.locator(".sample")).to_have_count(PER_CLASS)
    expect(panel.locator(".sample").first).to_have_class("sample wrong")
    panel.locator('.chip[data-page="3"]').click()
    expect(panel.locator(".chip[aria-pressed=true] b")).to_have_text("3")
    expect(panel.locator(".sample.wrong")).to_have_count(0)


def test_a_report_is_opened_and_taken_away(visit, server):
    page = visit("?tab=reports")
    panel = page.locator(".tabitem:visible")
    cards = panel.locator(".report")
    expect(cards.first).to_contain_text("mnist")
    real = panel.locator(".report", has_text="real test digits").last
    with page.context.expect_page() as opened:
        real.get_by_role("link", name="Open").click()
    expect(opened.value.locator("h1")).to_be_visible()
    with page.expect_download() as download:
        real.get_by_role("link", name="JSON").click()
    assert json.loads(Path(download.value.path()).read_text())["source"]["kind"] == "real"
    real.get_by_text("Where these numbers come from").click()
    expect(real.locator("dd").first).to_contain_text("real/mnist-test")


def test_a_run_is_shown_from_noise_to_digits(visit):
    page = visit("?tab=training&runs=slow&curve=quarters")
    panel = page.locator(".tabitem:visible")
    expect(panel.locator(".js-plotly-plot .scatterlayer .trace")).to_have_count(4)
    level, slider = panel.locator(".level"), panel.locator(".scrub")
    final = level.inner_text()
    assert final.endswith(" images")
    picture = panel.locator(".grid-film .window")
    digits = picture.screenshot()
    slider.focus()
    slider.press("Home")
    expect(level).to_have_text("untrained")
    assert picture.screenshot() != digits
    slider.press("End")
    expect(level).to_have_text(final)
    assert picture.screenshot() == digits
    panel.locator("[data-play]").click()
    expect(level).to_have_text("1,024 images")
    panel.locator("[data-play]").click()
    page.wait_for_timeout(1000)
    assert level.inner_text() != final


def test_every_tab_is_reached_on_a_phone(visit):
    """Also those behind "…"; that they fit is in test_browser_access.py."""
    page = visit(width=390, height=844)
    for key, module in reversed(TABS.items()):
        open_tab(page, module.TITLE)
        page.wait_for_selector(CONTENT[key])
        assert page.locator(".tabitem:visible").count() == 1


def test_a_tuning_shows_what_it_did(visit):
    page = visit("?tab=tuning&judge=second")
    panel = page.locator(".tabitem:visible")
    expect(panel.locator(".lead")).to_contain_text("mnist, tuned by the reward clip")
    plots = panel.locator(".js-plotly-plot")
    expect(plots).to_have_count(3)
    expect(plots.first.locator(".scatterlayer .trace")).to_have_count(6)
    expect(plots.last.locator(".scatterlayer .trace")).to_have_count(4)
    expect(panel.locator(".matrix .cell")).to_have_count(100)
    expect(panel.get_by_label("Second classifier", exact=True)).to_be_checked()
    rows = [json.loads(line) for line in (ROOT / "checkpoints/mnist-clip/evaluations.jsonl").read_text().splitlines()]
    said = json.loads((ROOT / "checkpoints/mnist-clip/tuning.json").read_text())
    kept = next(row for row in rows if row["images"] == said["kept"])
    gained = kept["confusions"]["classifier"][9][9] - rows[0]["confusions"]["classifier"][9][9]
    panel.get_by_label("Classifier", exact=True).check()
    expect(panel.locator(".matrix .cell").last).to_have_text(f"{gained:+d}")
    expect(panel.locator(".changed .pair")).to_have_count(24)


def test_an_unguarded_tuning_says_where_the_guard_would_have_ended_it(visit):
    page = visit("?tab=tuning&a=unguarded")
    panel = page.locator(".tabitem:visible")
    expect(panel.locator(".lead")).to_contain_text("The guard would have ended it after 7,680 images, and kept")
    end = panel.get_by_role("columnheader", name="the end")
    seen = "e => e.getBoundingClientRect().right <= e.closest('.block, .column').getBoundingClientRect().right + 1"
    assert end.evaluate(seen), "all three columns fit"
    expect(panel.locator(".js-plotly-plot")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
