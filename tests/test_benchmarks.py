"""What the benchmarks are made of, and that documents say what was measured."""

import json
import re
import subprocess
import sys
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch

from app.build import TABS
from benchmarks import levels, machine, screenshots, tables
from benchmarks.peer_networks import TeaPearceSized
from diffusion_core.config import SampleConfig
from diffusion_core.data import ROOT
from diffusion_core.schedules import interpolated, karras
from tests.oracle import Gaussian


def test_the_network_of_teapearces_size_has_its_size():
    """6.6 M parameters and 2.75 GFLOP a call, as measured on the original."""
    network = TeaPearceSized().eval()
    example = torch.randn(1, 1, 28, 28), torch.zeros(1), torch.zeros(1, dtype=torch.long)
    assert network(*example).shape == (1, 1, 28, 28)
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(6.6e6, rel=0.02)
    assert machine.flops(network, *example) == pytest.approx(2.75e9, rel=0.02)


def test_flops_of_a_convolution_by_hand():
    convolution = torch.nn.Conv2d(3, 5, 3, padding=1)
    assert machine.flops(convolution, torch.randn(2, 3, 8, 8)) == 2 * (2 * 8 * 8) * (3 * 9) * 5


def test_seconds_is_a_median_of_at_least_three_after_one_that_does_not_count(monkeypatch):
    times, clock = iter([9.0, 0.1, 0.3, 0.2]), [0.0]
    monkeypatch.setattr(machine.time, "perf_counter", lambda: clock[0])

    def call():
        clock[0] += next(times)

    assert machine.seconds(call, least=0.5) == pytest.approx(0.2)


def test_the_document_is_what_was_measured(tmp_path, monkeypatch):
    before = {path: path.read_bytes() for path in (tables.DOCUMENT, tables.PLOT)}
    monkeypatch.setattr(tables, "DOCUMENT", tmp_path / "benchmarks.md")
    monkeypatch.setattr(tables, "PLOT", tmp_path / "cost.svg")
    tables.write()
    assert [tables.DOCUMENT.read_bytes(), tables.PLOT.read_bytes()] == list(before.values())


def test_an_unknown_part_is_refused():
    done = subprocess.run([sys.executable, "-m", "benchmarks", "pears"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "no part 'pears'" in done.stderr and "Traceback" not in done.stderr


def test_the_readmes_speeds_are_those_of_the_results():
    """Every "N digits a second" and "N times" of the README is in benchmarks/results/."""
    found = {path.stem: json.loads(path.read_text())["found"] for path in tables.RESULTS.glob("*.json")}
    rates = {round(row["images_per_second"]) for row in found["sampling"]["checkpoints"]}
    ratios = {round(ratio) for row in found["peers"] for ratio in row["ratios"].values()}
    text = (ROOT / "README.md").read_text()
    said = [int(n.replace(",", "")) for n in re.findall(r"([\d,]+) digits a second", text)]
    times = [int(n.replace(",", "")) for n in re.findall(r"([\d,]+) times as fast", text)]
    assert said and set(said) <= rates
    assert times and set(times) <= ratios


def test_found_levels_come_nearer_to_the_exact_solution(monkeypatch):
    """Gaussian data at five steps: what is found beats the levels it began with on other noise."""
    monkeypatch.setattr(levels, "IMAGES", 40)
    monkeypatch.setattr(levels, "BATCH", 20)
    monkeypatch.setattr(levels, "RATE", 0.1)

    class Ideal(Gaussian):
        null_label = 10

        def __call__(self, x, sigma, labels):
            return self.denoise(x, sigma.to(x.dtype))

    network = SimpleNamespace(classes=10)
    model = SimpleNamespace(
        denoiser=Ideal(0.3, 0.5), meta=SimpleNamespace(network=network), spec=SimpleNamespace(shape=(1, 4, 4))
    )
    sample = SampleConfig(steps=5, guidance=1.0, rho=2.0)  # levels that leave much to be found
    found = levels.optimise(model, sample)
    assert len(found) == 5 and found[0] == 40 and all(a > b > 0 for a, b in pairwise(found))
    noise, labels = torch.randn(200, 1, 4, 4, generator=torch.Generator().manual_seed(1)), torch.zeros(200).long()
    fine = levels.run(model, "heun", noise, labels, karras(40, 0.02, 40), sample)
    apart = [
        float((levels.run(model, "dpmpp2m", noise, labels, grid, sample) - fine).square().mean())
        for grid in (karras(5, 0.02, 40, 2.0), interpolated(tuple(found), 5))
    ]
    assert apart[1] < 0.7 * apart[0]


def test_every_tab_has_its_picture():
    assert list(screenshots.VIEWS) == list(TABS)
    assert {path.name for path in screenshots.FOLDER.iterdir()} == {
        f"{k}-{t}.png" for k in TABS for t in ("light", "dark")
    }
