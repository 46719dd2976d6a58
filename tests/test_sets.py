"""Metrics of sets: other implementations, closed forms, published values; intervals that cover what they should."""

import itertools
import json

import numpy as np
import pytest
import torch
from PIL import Image
from prdc import compute_prdc
from sklearn.metrics.pairwise import polynomial_kernel, rbf_kernel

from eval.distribution import METRICS, Reference, detectable, frechet_distance, precision_recall_density_coverage
from eval.halves import splits
from eval.kernels import Discrepancy, gaussian, polynomial
from eval.metrics import Estimate
from eval.neighbourhoods import Neighbourhoods
from eval.sources import RealSource
from eval.vendi import vendi


def normal(n, d, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def kid(real, fake):
    return float(Discrepancy(real, polynomial).of(fake, torch.ones(1, len(fake), dtype=torch.bool)))


# ---------------------------------------------------------------- other implementations


@pytest.mark.parametrize(("n", "d"), [(400, 32), (60, 16), (33, 32), (20, 32), (40, 128)])
def test_the_frechet_distance_is_torch_fidelitys(n, d):
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

    a, b = normal(n, d) @ normal(d, d, 1), normal(n + 7, d, 2) + 0.3
    theirs = fid_statistics_to_metric(*(fid_features_to_statistics(x) for x in (a, b)), verbose=False)
    assert frechet_distance(a, b) == pytest.approx(theirs["frechet_inception_distance"], rel=1e-6)


def test_a_singular_frechet_distance_is_the_limit_of_regular_ones():
    """Fewer rows than features: in exact arithmetic the cross term is the nuclear norm of A B^T."""
    a, b = normal(20, 50), normal(30, 50, 1) + 0.2
    x, y = ((z - z.mean(0)) / (len(z) - 1) ** 0.5 for z in (a, b))
    expected = (a.mean(0) - b.mean(0)).square().sum() + x.square().sum() + y.square().sum()
    expected -= 2 * torch.linalg.svdvals(x @ y.T).sum()
    assert frechet_distance(a, b) == pytest.approx(float(expected), rel=1e-6)


def test_kid_is_torch_fidelitys_and_scikit_learns():
    from torch_fidelity.metric_kid import mmd2

    real, fake = normal(120, 24), normal(90, 24, 1) + 0.1
    x, y = real.numpy(), fake.numpy()
    kernels = [polynomial_kernel(*p, degree=3, gamma=1 / 24, coef0=1) for p in ((x, x), (x, y), (y, y))]
    within = [(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in (kernels[0], kernels[2])]
    assert kid(real, fake) == pytest.approx(sum(within) - 2 * kernels[1].mean(), rel=1e-9)
    equal = kid(real[:90], fake)
    k = [polynomial_kernel(*p, degree=3, gamma=1 / 24, coef0=1) for p in ((x[:90], x[:90]), (x[:90], y), (y, y))]
    assert equal == pytest.approx(float(mmd2(*k, mmd_est="unbiased")), rel=1e-6)


def test_cmmd_is_the_unbiased_form_of_the_published_kernel():
    real, fake = normal(60, 12), normal(50, 12, 1) + 0.4
    unit = [torch.nn.functional.normalize(x, dim=1) for x in (real, fake)]
    k = [1000 * rbf_kernel(unit[i], unit[j], gamma=1 / (2 * 10**2)) for i, j in ((0, 0), (0, 1), (1, 1))]
    expected = sum((m.sum() - np.trace(m)) / (len(m) * (len(m) - 1)) for m in (k[0], k[2])) - 2 * k[1].mean()
    found = float(Discrepancy(unit[0], gaussian).of(unit[1], torch.ones(1, 50, dtype=torch.bool)))
    assert found == pytest.approx(expected, rel=1e-9)
    assert Reference(real).measure(fake, ["cmmd"]).estimates["cmmd"].value == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("k", [3, 5])
def test_prdc_is_that_of_the_prdc_package(k, capsys):
    real, fake = normal(800, 10), 0.8 * normal(600, 10, 1) + 0.2
    theirs = compute_prdc(real.numpy(), fake.numpy(), nearest_k=k)
    ours = precision_recall_density_coverage(real, fake, k)
    assert ours == pytest.approx(theirs, rel=1e-12)


def test_prdc_of_integers_counts_ties_the_same_in_any_order():
    rng = torch.Generator().manual_seed(0)
    real, fake = (torch.randint(0, 3, (300, 6), generator=rng).double() for _ in range(2))
    whole = precision_recall_density_coverage(real, fake)
    turned = precision_recall_density_coverage(real.flip(0), fake[torch.randperm(300, generator=rng)])
    assert turned == pytest.approx(whole, abs=0)


# ---------------------------------------------------------------- closed forms and published values


@pytest.mark.parametrize(("shift", "expected"), [(0.5, 1.029297), (1.0, 7.585938)])
def test_kid_of_shifted_normals(shift, expected):
    draws = [kid(normal(400, 16, 2 * i), normal(400, 16, 2 * i + 1) + shift) for i in range(40)]
    error = np.std(draws) / len(draws) ** 0.5
    assert abs(np.mean(draws) - expected) < 4 * error and error < 0.03 * expected + 0.01


def test_kid_is_unbiased_and_never_clipped():
    draws = [kid(normal(200, 16, 2 * i), normal(200, 16, 2 * i + 1)) for i in range(60)]
    assert abs(np.mean(draws)) < 4 * np.std(draws) / 60**0.5 < 0.0759  # by which the biased form is higher
    assert 10 < sum(d < 0 for d in draws) < 50


def test_vendi_counts_what_differs():
    assert vendi(torch.ones(7, 3)) == pytest.approx(1)
    assert vendi(torch.eye(9)) == pytest.approx(9)
    assert vendi(torch.eye(4).repeat(5, 1)) == pytest.approx(4)
    x = normal(40, 10)
    gram = torch.nn.functional.normalize(x, dim=1)
    values = torch.linalg.eigvalsh(gram @ gram.T / 40).clamp(min=1e-300)
    assert vendi(x) == pytest.approx(float(torch.exp(-(values * values.log()).sum())), rel=1e-9)


def test_vendi_of_real_digits_is_the_published_one():
    published = [7.68, 5.31, 12.18, 9.97, 11.10, 13.51, 9.06, 9.58, 9.69, 8.56]
    data = RealSource("test").data

    def enlarged(digit):  # the published score enlarges images to 32 x 32 first
        images = data.images[data.labels == digit][:, 0].numpy()
        return torch.tensor(np.stack([np.asarray(Image.fromarray(i).resize((32, 32))) for i in images])).flatten(1)

    assert [vendi(enlarged(digit)) for digit in range(10)] == pytest.approx(published, abs=0.006)


# ---------------------------------------------------------------- a reference


def test_measuring_does_not_depend_on_order_or_threads():
    real, fake = normal(700, 12), normal(600, 12, 1) + 0.1
    order = torch.randperm(600, generator=torch.Generator().manual_seed(0))
    whole = Reference(real).measure(fake).estimates
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        again = Reference(real).measure(fake[order]).estimates
    finally:
        torch.set_num_threads(threads)
    for metric, estimate in whole.items():
        assert again[metric].value == pytest.approx(estimate.value, rel=1e-10), metric
    for metric in ("precision", "recall", "coverage"):  # counts
        assert again[metric].value == whole[metric].value


def test_a_reference_measures_what_the_plain_functions_do():
    real, fake = normal(400, 9), 0.8 * normal(300, 9, 1) + 0.2
    found = {m: e.value for m, e in Reference(real).measure(fake).estimates.items()}
    expected = {"fd": frechet_distance(real, fake), "kid": kid(real, fake), "vendi": vendi(fake)}
    assert found == pytest.approx(expected | precision_recall_density_coverage(real, fake), rel=1e-9)
    assert Reference(real).measure(real, ["fd"]).estimates["fd"].value == pytest.approx(0, abs=1e-9)


def test_subsets_are_measured_as_if_they_were_alone():
    """Recall of halves and what a single image covers alone, both the slow way."""
    real, fake = normal(150, 4), 0.7 * normal(60, 4, 1) + 0.3
    members = torch.cat([torch.ones(1, 60, dtype=torch.bool), splits(60, 4)])
    found = Neighbourhoods(real).of(fake, members)
    slow = [precision_recall_density_coverage(real, fake[member])["recall"] for member in members]
    assert found["recall"].tolist() == pytest.approx(slow, abs=1e-12) and len(set(slow)) > 3
    covered = [precision_recall_density_coverage(real, fake[torch.arange(60) != i])["coverage"] for i in range(60)]
    assert (found["coverage"] - found["alone"]).tolist() == pytest.approx(covered, abs=1e-12)
    assert found["alone"].max() > 0


def test_what_cannot_be_measured_has_a_reason_and_no_value():
    reference = Reference(normal(50, 4))
    few = reference.measure(normal(3, 4, 1))
    assert few.estimates["fd"].value is not None and few.estimates["fd"].low is None
    assert few.estimates["recall"] == Estimate(None, None, None, 3)
    assert few.reasons["recall"] == "needs at least 6 images, and there are 3"
    broken = reference.measure(torch.full((20, 4), torch.nan))
    assert {e.value for e in broken.estimates.values()} == {None} and set(broken.reasons) == set(METRICS)
    nothing = reference.measure(torch.zeros(0, 4))
    assert all(e == Estimate(None, None, None, 0) for e in nothing.estimates.values())
    alike = reference.measure(torch.ones(20, 4)).estimates
    assert alike["recall"].value == 0 and alike["vendi"].value == pytest.approx(1)


SITUATIONS = {
    "equal": lambda x: x,
    "shifted": lambda x: x + 0.5,
    "narrower": lambda x: 0.7 * x,
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_intervals_cover_what_the_estimator_is_on_average(situation):
    """95 % intervals over other draws of n images; benchmarks/intervals.py has more, LOG.md its numbers."""
    repeats, n = 250, 60
    reference = Reference(normal(400, 6, 10**6))
    draws = [reference.measure(SITUATIONS[situation](normal(n, 6, i))).estimates for i in range(repeats)]
    for metric in METRICS:
        value, low, high = (np.array([getattr(d[metric], end) for d in draws]) for end in ("value", "low", "high"))
        covered = np.mean((low <= value.mean()) & (value.mean() <= high))
        # Three points either way, and what 250 repeats leave to chance.
        assert 0.89 < covered <= (1.0 if metric in ("precision", "coverage") else 0.995), (metric, covered)


def test_a_detectable_difference_is_found_four_times_in_five():
    size = detectable(Estimate(0.5, 0.4, 0.6, 10), Estimate(0.5, 0.4, 0.6, 10))
    error = 0.1 / 1.959964 * 2**0.5
    draws = normal(20_000, 1)[:, 0].numpy() * error + size
    assert np.mean(np.abs(draws) > 1.959964 * error) == pytest.approx(0.8, abs=0.01)
    assert detectable(Estimate(0.5, None, None, 1), Estimate(0.5, 0.4, 0.6, 10)) is None


def test_fewer_real_images_than_asked_for_are_all_used():
    real = normal(40, 3)
    values = [Reference(real, neighbours=m).measure(normal(30, 3, 1)).estimates for m in (40, 10_000)]
    assert all(a == pytest.approx(b) for m in METRICS for a, b in itertools.pairwise([v[m].value for v in values]))


def test_what_was_found_out_earlier_changes_nothing():
    real, fake = normal(300, 5), normal(80, 5, 1)
    first = Reference(real, neighbours=200)
    metrics = (*METRICS, "cmmd")
    again = Reference(real, neighbours=200, known=json.loads(json.dumps(first.known(metrics))))
    assert again.measure(fake, metrics) == first.measure(fake, metrics)
