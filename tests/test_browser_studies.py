"""The Studies tab as somebody sees it who clicks through it."""

from playwright.sync_api import expect

from eval.studies import STUDIES


def test_a_card_opens_its_study_and_a_link_leads_there(visit):
    page = visit("?tab=studies&study=depth")
    panel = page.locator(".tabitem:visible")
    cards = panel.locator("[data-study]")
    expect(cards).to_have_count(len(STUDIES))
    expect(panel.locator('[aria-pressed="true"]')).to_contain_text(STUDIES["depth"].title)
    expect(panel.locator(".lead")).to_contain_text(STUDIES["depth"].claim)
    cards.nth(list(STUDIES).index("transformer")).click()
    expect(panel.locator(".lead")).to_contain_text(STUDIES["transformer"].claim)
    expect(panel.locator('[aria-pressed="true"]')).to_contain_text(STUDIES["transformer"].title)
    expect(panel.locator(".command code")).to_have_text("python -m app study transformer")


def test_all_tabs_fit_into_one_row_of_a_small_laptop(visit):
    page = visit(width=1280)
    expect(page.locator("#tabs .overflow-menu > button")).to_be_hidden()
    expect(page.get_by_role("tab", name="Reports", exact=True)).to_be_visible()
