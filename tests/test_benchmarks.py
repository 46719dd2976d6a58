"""What the benchmarks are made of, and that documents say what was measured."""

import json
import re
import subprocess
import sys

import pytest
import torch

from benchmarks import machine, tables
from benchmarks.peer_networks import TeaPearceSized
from diffusion_core.data import ROOT


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
