"""How long a person waits for the page: from the start of the server to the first page, then to ten digits drawn and
judged, and to the samples of a clicked cell; in headless Chromium."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import urlopen

from diffusion_core.data import ROOT

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
LIMIT = 60_000  # milliseconds
MARK_OLD = "stage => stage.querySelectorAll('.scrub').forEach(e => e.setAttribute('data-old', ''))"
READY = ".tabitem:visible :is(.card, .cell):visible"


def measure(machine: dict) -> list[dict]:
    """What was waited for, and for how many seconds."""
    rows, clock = [], Clock()
    with served() as address:
        rows.append(clock.row("server answers, from its start"))
        rows += visited(address, clock)
    return rows


def visited(address: str, clock: "Clock") -> list[dict]:
    """What a visitor waits for."""
    rows = []
    with browser() as chromium:
        page = chromium.new_page()
        page.set_default_timeout(LIMIT)
        clock.start()
        page.goto(address)
        page.wait_for_selector(READY)
        rows.append(clock.row("first page, with its digits"))
        for what in ("ten digits, first request", "ten digits"):
            page.get_by_role("button", name="Randomise").click()
            page.locator("#stage").evaluate(MARK_OLD)  # what is there from before is not what is waited for
            clock.start()
            page.locator("#go").click()
            page.locator("#stage .scrub:not([data-old])").wait_for()
            rows.append(clock.row(f"{what}, drawn"))
            page.wait_for_function("document.querySelector('#stage .summary')?.innerText.includes('reads')")
            page.locator("#stage .verdict.waiting").first.wait_for(state="detached")
            rows.append(clock.row(f"{what}, judged too"))
        page.get_by_role("tab", name="Confusion").click()
        page.wait_for_selector(READY)
        clock.start()
        page.locator('.matrix .cell[data-r="8"][data-c="8"]').click()
        page.locator("#cell-samples .sample").first.wait_for()
        rows.append(clock.row("samples of a clicked cell"))
    return rows


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
