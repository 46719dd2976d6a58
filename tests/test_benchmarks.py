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
from benchmarks import levels, machine, restore, screenshots, tables
from benchmarks.peer_networks import TeaPearceSized
from benchmarks.wiener import Wiener
from diffusion_core import data
from diffusion_core.config import SampleConfig
from diffusion_core.damage import Damage
from diffusion_core.data import ROOT, Dataset, spec
from diffusion_core.denoiser import Denoiser
from diffusion_core.operators import Mask
from diffusion_core.restore import RestoreConfig
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


def test_the_gaussian_prior_is_the_conditional_mean():
    """Of correlated Gaussian pixels, the unknown given the known: mu_u + C_uk C_kk^-1 (x_k - mu_k)."""
    rng = torch.Generator().manual_seed(0)
    mixing = torch.randn(12, 12, generator=rng)
    drawn = (128 + 20 * torch.randn(4000, 12, generator=rng) @ mixing).clamp(0, 255).round().to(torch.uint8)
    images = drawn.view(-1, 1, 3, 4)
    prior = Wiener(Dataset(images, torch.zeros(4000), spec("mnist")))
    known = torch.rand(3, 4, generator=rng) < 0.6
    damage = Damage(Mask(known), 0.0)
    found = prior(damage, damage.operator.forward(images[:5].float() / 255))
    k, x = known.flatten(), images[:5].flatten(1).double() / 255
    covariance, mean = torch.cov(drawn.double().T / 255) + 1e-4 * torch.eye(12), drawn.double().mean(0) / 255
    gain = covariance[~k][:, k] @ torch.linalg.inv(covariance[k][:, k])
    exact = mean[~k] + (x[:, k] - mean[k]) @ gain.T
    assert torch.equal(found.flatten(1)[:, k], drawn[:5][:, k])
    assert (found.flatten(1)[:, ~k] / 255 - exact.clamp(0, 1)).abs().max() < 1.01 / 510


def test_the_network_before_training_is_what_stands_for_it(tiny):
    """The blank network of the benchmark gives the very estimates of a U-Net that has not been trained."""
    x, labels = torch.randn(3, 1, 28, 28), torch.tensor([0, 5, 10])
    fresh = Denoiser(tiny.meta.network).eval()
    for sigma in (0.05, 1.0, 20.0):
        assert torch.equal(restore.untrained(tiny).denoiser(x, sigma, labels), fresh(x, sigma, labels))
    damaged = restore.Digits(data.load("mnist", "test"), "box", 12, 0, 4)
    assert damaged.restored(restore.untrained(tiny), RestoreConfig(steps=2)).shape == (4, 1, 28, 28)


def test_the_document_of_restoring_says_what_was_measured(tmp_path, monkeypatch):
    before = restore.DOCUMENT.read_text()
    monkeypatch.setattr(restore, "DOCUMENT", tmp_path / "restoration.md")
    restore.DOCUMENT.write_text(before)
    restore.write()
    assert restore.DOCUMENT.read_text() == before and before.count("| A hole in the middle") >= 3
