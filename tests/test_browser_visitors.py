"""Many visitors at once: each gets what it asked for, or is told in one line to wait, and nobody gets another's."""

import base64
import io
import json
from concurrent.futures import ThreadPoolExecutor
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
from PIL import Image
from playwright.sync_api import expect

from tests.browser import WAIT

VISITORS = 30
# Keeps the name of every digit that the stage ever shows.
WATCH = """stage => {
  window.shown = new Set();
  new MutationObserver(() => stage.querySelectorAll('.card .asked').forEach((e) => shown.add(e.textContent)))
    .observe(stage, {childList: true, subtree: true, characterData: true});
}"""


def call(server: str, *data) -> dict | str:
    """What /generate gives a program, or the one line it is refused with."""
    address, head = f"{server}/gradio_api/call/generate", {"Content-Type": "application/json"}
    try:
        with urlopen(Request(address, json.dumps({"data": data}).encode(), head), timeout=WAIT / 1000) as answer:
            event = json.load(answer)["event_id"]
    except HTTPError as error:
        return json.load(error)["detail"]
    with urlopen(f"{address}/{event}", timeout=2 * WAIT / 1000) as stream:  # ends with the event's last message
        *_, kind, said = [line for line in stream.read().decode().splitlines() if line]
    found = json.loads(said.removeprefix("data: "))
    return found[0] if kind == "event: complete" else found["error"]


def pixels(uri: str) -> np.ndarray:
    """A PNG in a data URI -> uint8 [H, W]."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))))


def test_two_visitors_at_once_see_only_their_own_digits(visit, server):
    asked = {(1, 2): 100, (7, 8): 5000}  # digits: first seed
    pages = [visit(f"?tab=generate&a=slow&digits={a},{b}&n=2&seed={seed}") for (a, b), seed in asked.items()]
    for page in pages:
        expect(page.locator("#stage .empty")).to_contain_text("4 digits")  # the link has arrived
        page.locator("#stage").evaluate(WATCH)
    for page in pages:
        page.locator("#go").click(no_wait_after=True)
    for page, (digits, seed) in zip(pages, asked.items(), strict=True):
        page.locator("#stage .scrub").wait_for()
        file = page.locator('#take a[download="digits.npz"]').get_attribute("href")
        taken = np.load(io.BytesIO(base64.b64decode(file.split(",")[1])))
        alone = call(server, "slow", list(digits), 2, seed, None, None)
        names = {f"{label}seed {s}" for label, s in zip(alone["labels"], alone["seeds"], strict=True)}
        assert {name[: len("0seed 0000")].strip() for name in page.evaluate("[...shown]")} == names
        assert (taken["labels"].tolist(), taken["seeds"].tolist()) == (alone["labels"], alone["seeds"])
        assert np.array_equal(taken["images"], [pixels(uri) for uri in alone["images"]])


def test_thirty_visitors_at_once_are_served_or_told_to_wait(server):
    """Together they ask for the digits of one plan, each for one: its own digit and seed, drawn by itself."""
    plan = call(server, "mnist", list(range(10)), VISITORS // 10, 0, None, None)
    wanted = list(zip(plan["labels"], plan["seeds"], plan["images"], strict=True))

    def visitor(k: int) -> dict | str:
        label, seed, _ = wanted[k]
        return call(server, "mnist", [label], 1, seed - label, None, None)

    with ThreadPoolExecutor(VISITORS) as crowd:
        answers = list(crowd.map(visitor, range(VISITORS)))
    refused = [answer for answer in answers if isinstance(answer, str)]
    assert len(refused) < VISITORS and all("Queue is full" in line and "\n" not in line for line in refused)
    for answer, (label, seed, image) in zip(answers, wanted, strict=True):
        if not isinstance(answer, str):
            assert (answer["labels"], answer["seeds"]) == ([label], [seed])
            assert np.array_equal(pixels(answer["images"][0]), pixels(image))
    assert len({image for *_, image in wanted}) == VISITORS  # somebody else's digit would be noticed
