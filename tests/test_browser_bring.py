"""A visitor's own samples in a real browser: judged, compared as B, and there for nobody else."""

import re
from contextlib import suppress

import pytest
import torch
from playwright.sync_api import TimeoutError, expect

from app.bring import TITLE
from diffusion_core.data import ROOT, load
from eval.npz import write_npz
from tests.browser import WAIT

REAL = next((ROOT / "checkpoints" / "real" / "reports").glob("mnist-*")).name
NARROW = "document.documentElement.scrollWidth <= innerWidth"


def give(page, path) -> None:
    """Open the panel and choose a file. Gradio may lose one that comes while the panel still unfolds: faster than any
    hand, but not than a test on a busy machine; so it is given again, as a visitor would."""
    page.get_by_role("button", name=TITLE).click()
    name = page.get_by_text(path.name).first
    for _ in range(3):
        page.locator("#bring input[type=file]").set_input_files(path)
        with suppress(TimeoutError):
            name.wait_for(timeout=WAIT / 3)
            return
    pytest.fail(f"{path.name} never arrived")


def test_own_samples_are_compared_and_stay_with_their_visitor(visit, tmp_path):
    test = load("mnist", "test")
    labels = test.labels[:12].clone()
    labels[:3] = (labels[:3] + 1) % 10
    write_npz(tmp_path / "mine.npz", test.images[:12], labels, torch.arange(12))
    view = f"?tab=compare&a=real/shipped-{REAL}"
    page, other = visit(view, 390), visit(view)
    give(page, tmp_path / "mine.npz")
    page.locator("#bring-go").click()
    expect(page.locator("#bring-told")).to_contain_text("B is mine.npz, 12 digits.", timeout=3 * WAIT)
    expect(page.locator(".lead:visible")).to_contain_text("mine is worse than real: accuracy")
    expect(page.get_by_label("B", exact=True)).to_have_value("yours: mine · 12 digits")
    expect(page.locator("#bring-go")).to_be_visible()
    assert page.evaluate(NARROW)

    choice = other.get_by_label("B", exact=True)
    choice.click()
    expect(other.get_by_role("option").first).to_be_visible()
    assert not any("yours" in text for text in other.get_by_role("option").all_inner_texts())
    other.keyboard.press("Escape")
    other.get_by_role("button", name=TITLE).click()
    other.get_by_label("… or a repository of the Hub").fill("nobody")
    other.keyboard.press("Enter")
    expect(other.locator(".toast-body")).to_contain_text("A repository of the Hub is written owner/name.")
    expect(other.locator("#bring-go")).to_be_visible()


def test_judging_can_be_stopped(visit, tmp_path):
    train = load("mnist", "train")
    write_npz(tmp_path / "many.npz", train.images[:2000], train.labels[:2000], torch.arange(2000))
    page = visit(f"?tab=compare&a=real/shipped-{REAL}")
    give(page, tmp_path / "many.npz")
    page.locator("#bring-go").click()
    expect(page.locator("#bring-told")).to_contain_text("Judging many", timeout=3 * WAIT)
    page.locator("#bring-stop").click()
    expect(page.locator("#bring-go")).to_be_visible()
    page.wait_for_timeout(500)
    expect(page.locator("#bring-told progress")).to_have_count(0)
    expect(page.get_by_label("B", exact=True)).to_have_value(re.compile("^mnist"))
