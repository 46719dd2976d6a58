"""Digits led by CLIP as a source of reports: drawn, named and marked as led."""

import torch

from app.sampling import lead_of
from diffusion_core.generate import generate
from eval.html import command
from eval.pairs import config_difference
from eval.sources import CheckpointSource
from tests.conftest import save_tiny
from tests.made_reports import made_report


def report_of(source: CheckpointSource):
    """A made report that says of its origin what `source` says."""
    info = source.info
    return made_report(rewards=info.rewards, sample=info.sample, settings=info.settings)


def test_a_report_of_led_digits_draws_them_and_takes_clip_for_no_evidence(tmp_path):
    save_tiny(tmp_path / "tiny")
    lead = lead_of(2.0, "mnist")
    plain, led = CheckpointSource(tmp_path / "tiny"), CheckpointSource(tmp_path / "tiny", lead=lead)
    labels, seeds = led.plan(1)
    wanted = generate(plain.checkpoint, labels, seeds, plain.sample, lead=lead)
    assert torch.equal(led.images(labels, seeds), wanted)
    assert not torch.equal(plain.images(labels, seeds), wanted)
    assert led.id == f"{plain.id}-clip2" and led.info.sample == plain.info.sample | {"clip_guidance": 2.0}
    a, b = report_of(plain), report_of(led)
    assert a.tuned == frozenset() and b.tuned == {"clip"}
    assert "--clip-guidance 2.0" in command(b) and "--clip-guidance" not in command(a)
    changed = [key for key, *_ in config_difference(a, b)]
    assert changed == ["rewards", "settings", "sample.clip_guidance"]


def test_a_scale_of_nothing_leads_nowhere(tmp_path):
    save_tiny(tmp_path / "tiny")
    plain = CheckpointSource(tmp_path / "tiny")
    assert lead_of(None, "mnist") is None and lead_of(0, "mnist") is None
    assert CheckpointSource(tmp_path / "tiny", lead=lead_of(2.0, "mnist")._replace(scale=0.0)).info == plain.info
