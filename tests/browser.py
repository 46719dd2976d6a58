"""Fixtures of every test in a real browser: one server, one Chromium, and `visit`."""

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from playwright.sync_api import TimeoutError, sync_playwright

from diffusion_core.data import ROOT
from eval import cache
from tests.pages import make_root

SERVE = """
import sys; from pathlib import Path; from app.build import launch; from eval import cache
cache.CACHE = Path(sys.argv[3])
launch(port=int(sys.argv[1]), root=Path(sys.argv[2]))
"""
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
START = 90  # seconds the server may take on a busy machine
WAIT = 30_000  # milliseconds anything on the page may take
# The content of a tab.
READY = ".tabitem:visible :is(.card, .cell, .lead, .empty, .grid-film, .walk, .sample, .report):visible"


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The address of a server over known checkpoints and reports."""
    folder = tmp_path_factory.mktemp("page")
    root = make_root(folder / "checkpoints")
    shutil.copytree(ROOT / "checkpoints" / "mnist", root / "slow", ignore=shutil.ignore_patterns("reports", "resume"))
    student = shutil.ignore_patterns("reports", "resume")
    shutil.copytree(ROOT / "checkpoints" / "mnist-turbo", root / "student", ignore=student)
    tuning = shutil.ignore_patterns("reports", "checkpoint.json", "model.safetensors")
    for shipped, name in (("mnist-clip", "tuned"), ("mnist-unguarded", "unguarded")):
        shutil.copytree(ROOT / "checkpoints" / shipped, root / name, ignore=tuning)
    for report in (ROOT / "checkpoints" / "real" / "reports").glob("mnist-*"):  # beside the one of the fake judges
        shutil.copytree(report, root / "real" / "reports" / f"shipped-{report.name}")
    shutil.copytree(ROOT / "studies", folder / "studies")
    with served(root, folder) as address:
        yield address


@contextmanager
def served(root: Path, folder: Path):
    """The address of a server over the checkpoints under `root`; its log, in `folder`, must stay free of tracebacks."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with open(folder / "log", "w+") as log:
        command = [sys.executable, "-c", SERVE, str(port), str(root), str(cache.CACHE)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait_for(f"http://127.0.0.1:{port}", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(20)
        log.seek(0)
        assert "Traceback" not in log.read()


def _wait_for(address: str, process: subprocess.Popen) -> None:
    end = time.monotonic() + START
    while time.monotonic() < end and process.poll() is None:
        try:
            with urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"no page within {START} s (exit code {process.poll()})")


@pytest.fixture(scope="module")
def browser():
    """Debian's Chromium. Without one a test is skipped, in CI it fails."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium; install it: apt-get install chromium")
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, server):
    """visit("?tab=…", width=1280) -> a page that is ready. Errors and requests to elsewhere fail the test."""
    faults, contexts = [], []

    def requested(request):
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and parts.hostname != "127.0.0.1":
            faults.append(f"request to {request.url[:200]}")

    def open_page(query: str = "", width: int = 1280, height: int = 900):
        context = browser.new_context(viewport={"width": width, "height": height})
        context.set_default_timeout(WAIT)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: m.type == "error" and faults.append(f"console: {m.text}"))
        page.on("pageerror", lambda error: faults.append(f"page error: {error}"))
        page.on("request", requested)
        page.on("response", lambda r: r.status >= 400 and faults.append(f"{r.status} {r.url}"))
        page.goto(f"{server}/{query}")
        page.wait_for_selector(READY)
        page.wait_for_selector("html[data-arrived]")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


def open_tab(page, name: str) -> None:
    """Click a tab, which on a narrow screen may be behind "…". Where the width has just changed, the tabs are still on
    their way between the two: then look again."""
    for _ in range(20):
        tab = page.get_by_role("tab", name=name, exact=True)
        if not tab.is_visible():
            more = page.locator(".overflow-menu > button")
            with suppress(TimeoutError):  # it may go away between the look and the click
                if more.is_visible():
                    more.click(timeout=1_000)
            tab = page.locator(".overflow-dropdown button", has_text=name)
        if tab.is_visible():
            tab.click()
            return
        page.wait_for_timeout(200)
    pytest.fail(f"no tab {name}")
