"""Everybody can use the page: axe-core has nothing to say in light and dark, at both ends of the widths; Tab goes
everywhere and shows where it is; nothing scrolls sideways; nothing is asked of another host (see `visit`)."""

from contextlib import suppress

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import TimeoutError, expect

from app.build import TABS
from app.words import JUDGES
from benchmarks.page import READY
from tests.browser import WAIT, open_tab

WIDE, NARROW = 1440, 390
# Gradio's own: the box that chooses all digits has a title and no label, and cannot be given one from here.
EXCUSED = {("label-title-only", ".select-all-checkbox")}
AXE = """(rules) => axe.run(document, {resultTypes: ['violations'], preload: false, ...rules}).then((found) =>
  found.violations.flatMap((fault) => fault.nodes.map((node) =>
    [fault.id, node.target.join(' '), fault.impact, [...node.any, ...node.all, ...node.none][0]?.message])))"""


def open_whole(page, key: str) -> None:
    """Open a tab and wait for all of it."""
    open_tab(page, TABS[key].TITLE)
    page.wait_for_selector(READY[key])


def draw_and_open(page) -> None:
    """Everything that Generate can show: finished digits, one digit's card, the folded settings."""
    page.locator("#go").click()
    page.locator("#stage .scrub").wait_for()
    expect(page.locator("#stage .card .verdict:not(.waiting)")).to_have_count(10 * len(JUDGES), timeout=WAIT)
    page.locator("[data-card]").first.click()
    page.locator("#card .digit-card").wait_for()
    page.get_by_role("button", name="Advanced").click()
    page.get_by_label("number input for Steps").wait_for()


# The dark page is the same page in other colours.
RULES = {"light": {}, "dark": {"runOnly": ["color-contrast"]}}


@pytest.mark.parametrize("theme", RULES)
def test_axe_finds_nothing_and_nothing_scrolls_sideways(visit, theme):
    page, faults = visit(f"?__theme={theme}", WIDE), []
    assert page.evaluate("document.body.classList.contains('dark')") is (theme == "dark")
    page.emulate_media(reduced_motion="reduce")  # a colour on its way to another would be measured
    page.evaluate(AXE_SCRIPT)
    for key in READY:
        open_whole(page, key)
        if key == "generate":
            draw_and_open(page)
        for width in (WIDE, NARROW):
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_function("width => document.documentElement.clientWidth === width", arg=width)
            page.wait_for_timeout(100)  # figures follow the width a little later, on a busy machine later still
            with suppress(TimeoutError):
                page.wait_for_function(f"document.documentElement.scrollWidth <= {width}", timeout=5_000)
            scrolls = page.evaluate("document.documentElement.scrollWidth")
            faults += [f"{key} at {width}: the page is {scrolls} wide"] * (scrolls > width)
            found = [fault for fault in page.evaluate(AXE, RULES[theme]) if tuple(fault[:2]) not in EXCUSED]
            faults += [f"{key} at {width}: {fault}" for fault in found]
        page.set_viewport_size({"width": WIDE, "height": 900})
    assert faults == []


# All that can be used now, and what of it Tab must reach: of a matrix one cell, whose neighbours the arrow keys
# reach; not the copies of the tab headers by which gradio measures their width, which nobody sees.
REACH = """(within) => {
  window.usable = [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex]')]
    .filter((e) => e.checkVisibility({visibilityProperty: true}) && !e.disabled);
  const left = (e) => e.matches('.cell[tabindex="-1"]') || e.closest('.tab-container.visually-hidden');
  return usable.flatMap((e, i) => e.closest(within) && !left(e) ? [i] : []);
}"""
# Notes each element that gets the focus, and whether it or a box close around it has an outline then.
NOTE = """() => { window.went = window.usable = []; document.addEventListener('focusin', ({target}) => {
  const around = [target, target.parentElement, target.parentElement.parentElement, target.closest('.wrap')];
  const seen = around.some((e) => {
    const style = e && getComputedStyle(e);
    return style && style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
  });
  went.push([usable.indexOf(target), seen]);
}); }"""


# The top of the page, and the last of the tab headers: where the next Tab starts from.
TOP = "() => { document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex'); }"
LAST_HEADER = "() => [...document.querySelectorAll('#tabs [role=tab]')].at(-1).focus()"


def test_tab_reaches_every_control_and_shows_where_it_is(visit):
    """The whole page once, then the content of each other tab: in the order of the page, each once, and no trap."""
    page, unseen = visit(width=WIDE), []
    page.emulate_media(reduced_motion="reduce")
    page.evaluate(NOTE)
    for key in READY:
        open_whole(page, key)
        first = key == next(iter(READY))
        reach = page.evaluate(REACH, "body" if first else ".tabitem")
        page.evaluate(TOP if first else LAST_HEADER)
        page.evaluate("window.went = []")
        for _ in range(2 * len(reach)):  # an open list that is long enough to scroll takes a Tab of its own
            page.keyboard.press("Tab")
            went = page.evaluate("went")
            if len(went) == len(reach):
                break
        names = page.evaluate("usable.map((e) => e.outerHTML.slice(0, 160))")
        assert [names[i] for i, _ in went] == [names[i] for i in reach], key
        unseen += [(key, names[i]) for i, seen in went if not seen]
    assert unseen == []
