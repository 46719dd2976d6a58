"""How long a person waits for the page, in headless Chromium: from the start of the server to the first page, for the
first frame and all of ten digits, for each tab, a clicked cell, another report and another checkpoint."""

import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import urlopen

from app.build import TABS
from app.tabs import confusion
from diffusion_core.data import ROOT

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
LIMIT = 60_000  # milliseconds
LOOKING = 4000  # milliseconds that a visitor looks at the digits before going to other tabs
WARM = 6.0  # seconds after which the server has warmed up
MARK_OLD = "stage => stage.querySelectorAll('.scrub').forEach(e => e.setAttribute('data-old', ''))"
MATRIX_NOW = "document.querySelector('#confusion .matrix')?.innerText"
# What a tab shows when it is ready, the first of them when the page is.
READY = {
    "generate": ".tabitem:visible .card",
    "denoise": ".walk-row",
    "play": ".morph-strip",
    "inspect": ".tabitem:visible .sample",
    "scores": ".js-plotly-plot:visible .point",
    "confusion": ".tabitem:visible .cell",
    "lookalikes": ".tabitem:visible .sample",
    "compare": ".tabitem:visible .pair",
    "training": ".tabitem:visible .grid-film",
    "tuning": ".tabitem:visible :is(.pair, .empty):visible",
    "studies": ".tabitem:visible .studies",
    "restore": "#restored .odds",
    "export": "#export .empty",
    "judges": ".tabitem:visible .cell:visible",
    "reports": ".tabitem:visible .report",
}


def measure(machine: dict) -> list[dict]:
    """What was waited for, and for how many seconds."""
    rows, clock = [], Clock()
    with served() as address:
        rows.append(clock.row("server answers, from its start"))
        rows += visited(address, clock)
    return rows


def visited(address: str, clock: "Clock") -> list[dict]:
    """What a visitor waits for who comes while the server still warms up, and one who comes later."""
    with browser() as chromium:
        page, rows = arrived(chromium, address, clock, "first page right after the start")
        page.close()
        time.sleep(WARM)
        page, more = arrived(chromium, address, clock, "first page")
        rows += more
        for what in ("ten digits, first request", "ten digits"):
            page.get_by_role("button", name="Randomise").click()
            rows += drawn(page, clock, what)
            page.wait_for_function("document.querySelector('#stage .summary')?.innerText.includes('reads')")
            page.locator("#stage .verdict.waiting").first.wait_for(state="detached")
            rows.append(clock.row(f"{what}, judged too"))
        pick(page, "Checkpoint", "mnist-turbo", clock)
        rows += drawn(page, clock, "ten digits of another checkpoint")
        page.wait_for_timeout(LOOKING)
        rows += [opened(page, clock, key, f"tab {TABS[key].TITLE}") for key in READY]
        page.get_by_role("tab", name=confusion.TITLE, exact=True).click()
        clock.start()
        page.locator('#confusion .cell[data-r="8"][data-c="8"]').click()
        page.locator("#cell-samples .sample").first.wait_for()
        rows.append(clock.row("samples of a clicked cell"))
        before = page.locator("#confusion .matrix").inner_text()
        pick(page, "Report", "mnist-early", clock)
        page.wait_for_function(f"before => {MATRIX_NOW} && {MATRIX_NOW} !== before", arg=before)
        rows.append(clock.row("another checkpoint's confusions"))
        page, _ = arrived(chromium, address, clock, "another visitor")
        rows.append(opened(page, clock, "scores", "tab Scores, at once after arriving"))
    return rows


def opened(page, clock: "Clock", key: str, what: str) -> dict:
    """Until a tab shows what it has."""
    clock.start()
    page.get_by_role("tab", name=TABS[key].TITLE, exact=True).click()
    page.wait_for_selector(READY[key])
    return clock.row(what)


def arrived(chromium, address: str, clock: "Clock", what: str) -> tuple:
    """A new visitor's page, and how long it took to be seen and to answer to everything."""
    page = chromium.new_context().new_page()  # with nothing in its cache
    page.set_default_timeout(LIMIT)
    clock.start()
    page.goto(address)
    page.wait_for_selector(READY["generate"])
    seen = clock.row(f"{what}, with its digits")
    page.wait_for_selector("html[data-arrived]")
    return page, [seen, clock.row(f"{what}, answers to everything")]


def drawn(page, clock: "Clock", what: str) -> list[dict]:
    """Press Generate; until the first frame, and until the digits are finished."""
    page.locator("#stage").evaluate(MARK_OLD)  # what is there from before is not what is waited for
    clock.start()
    page.locator("#go").click()
    page.wait_for_selector("#stage progress, #stage .scrub:not([data-old])")
    first = clock.row(f"{what}, first frame")
    page.wait_for_selector("#stage .scrub:not([data-old])")
    return [first, clock.row(f"{what}, drawn")]


def pick(page, label: str, start: str, clock: "Clock") -> None:
    """Choose the first choice that begins so; the clock starts with the click on it."""
    page.locator(".tabitem:visible").get_by_label(label, exact=True).click()
    option = page.get_by_role("option").filter(has_text=re.compile(rf"^\W*{start} ")).first
    option.wait_for()
    clock.start()
    option.click()


@contextmanager
def served() -> Iterator[str]:
    """The address of the page, served by a process of its own until the end of the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "app", "serve", "--port", str(port)]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/")
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait(20)


@contextmanager
def browser() -> Iterator:
    """Headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        yield chromium
        chromium.close()


class Clock:
    """Seconds since `start`."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        self.since = time.perf_counter()

    def row(self, what: str) -> dict:
        row = {"what": what, "seconds": time.perf_counter() - self.since}
        print(row, flush=True)
        return row


def wait_for(address: str) -> None:
    """Until the server answers; `TimeoutError` after LIMIT."""
    end = time.monotonic() + LIMIT / 1000
    while time.monotonic() < end:
        try:
            with urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(f"no page at {address}")
