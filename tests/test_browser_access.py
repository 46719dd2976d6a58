"""Everybody can use the page: axe-core has nothing to say in light and dark, at both ends of the widths; Tab goes
everywhere and shows where it is; nothing scrolls sideways; nothing is asked of another host (see `visit`)."""

from contextlib import suppress

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


# The dark page is the same page in other colours: gradio gives its body a class (tests/test_browser_compare.py).
THEMES = {"light": {}, "dark": {"runOnly": ["color-contrast"]}}


def faults(page, name: str) -> list[str]:
    """What axe has to say of the page as it is, in light and dark, and where it scrolls sideways, at both widths."""
    found = []
    for width in (WIDE, NARROW):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function("width => document.documentElement.clientWidth === width", arg=width)
        page.wait_for_timeout(100)  # figures follow the width a little later, on a busy machine later still
        with suppress(TimeoutError):
            page.wait_for_function(f"document.documentElement.scrollWidth <= {width}", timeout=5_000)
        scrolls = page.evaluate("document.documentElement.scrollWidth")
        found += [f"{name} at {width}: the page is {scrolls} wide"] * (scrolls > width)
        for theme, rules in THEMES.items():
            page.evaluate("dark => document.body.classList.toggle('dark', dark)", theme == "dark")
            told = [fault for fault in page.evaluate(AXE, rules) if tuple(fault[:2]) not in EXCUSED]
            found += [f"{name} at {width}, {theme}: {fault}" for fault in told]
        page.evaluate("document.body.classList.remove('dark')")
    page.set_viewport_size({"width": WIDE, "height": 900})
    return found


def ready_for_axe(page) -> None:
    page.emulate_media(reduced_motion="reduce")  # a colour on its way to another would be measured
    page.evaluate(AXE_SCRIPT)


def test_axe_finds_nothing_and_nothing_scrolls_sideways(visit):
    page, found = visit("?__theme=light", WIDE), []
    ready_for_axe(page)
    for key in READY:
        open_whole(page, key)
        if key == "generate":
            draw_and_open(page)
        found += faults(page, key)
    assert found == []


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
