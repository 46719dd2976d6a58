"""Nearest neighbours in pixels against integers and scikit-learn, to the last bit; and the judge built on them."""

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss as sklearn_log_loss
from sklearn.neighbors import NearestNeighbors

from eval import knn, neighbours
from eval.judge import JUDGES, read_card
from eval.neighbours import nearest, pixels
from eval.sources import RealSource


@pytest.fixture(scope="module")
def digits():
    """100 test digits, and 3,000 training digits to search."""
    return RealSource("test").data.images[:100], RealSource("train").data.images[:3000]


def random_bytes(n, shape, low=0, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(low, 256, (n, *shape), generator=rng, dtype=torch.uint8)


def by_integers(images, references, k):
    """Squared distances in int64, the k smallest by a stable sort."""
    a, b = (x.flatten(1).numpy().astype(np.int64) for x in (images, references))
    squared = np.array([((row - b) ** 2).sum(1) for row in a])
    order = np.argsort(squared, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(squared, order, 1), order


def test_as_scikit_learn_finds_them(digits):
    images, references = digits
    oracle = NearestNeighbors(n_neighbors=5, algorithm="brute").fit(pixels(references).double().numpy())
    expected, rows = oracle.kneighbors(pixels(images).double().numpy())
    distances, indices = nearest(images, references, 5)
    assert distances.dtype == torch.float32 and indices.dtype == torch.int64
    assert np.array_equal(indices.numpy(), rows)
    assert np.allclose(distances.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 32, 32), (3, 32, 32)])
@pytest.mark.parametrize("low", [0, 200])
def test_no_distance_is_rounded(shape, low):
    """Bright bytes overflow float32 unless they are centred; a change of one grey level must be seen."""
    references = torch.cat([random_bytes(40, shape, low), torch.zeros(1, *shape, dtype=torch.uint8)])
    references = torch.cat([references, torch.full((1, *shape), 255, dtype=torch.uint8)])
    images = references.clone()
    images.flatten(1)[:, 5] ^= 1
    squared, rows = by_integers(images, references, 10)
    distances, indices = nearest(images, references, 10)
    assert np.array_equal(indices.numpy(), rows)
    assert np.array_equal(distances.numpy(), (np.sqrt(squared) / 255).astype(np.float32))
    assert (squared[:, 0] == 1).all()


@pytest.mark.parametrize("block", [1, 2, 3, 1024])
def test_ties_go_to_the_lowest_index(monkeypatch, block):
    monkeypatch.setattr(neighbours, "BLOCK", block)
    a, b = random_bytes(2, (1, 4, 4))
    references = torch.stack([b, a, b, a, a, b, a])
    distances, indices = nearest(torch.stack([a, b]), references, 6)
    assert indices.tolist() == [[1, 3, 4, 6, 0, 2], [0, 2, 5, 1, 3, 4]]
    assert (distances[0, :4] == 0).all() and distances[0, 4] == distances[1, 3] > 0


def test_bits_do_not_depend_on_batch_order_block_or_threads(digits, monkeypatch):
    images, references = digits
    whole = nearest(images, references, 3)
    order = torch.randperm(100, generator=torch.Generator().manual_seed(0))
    for size in (1, 7, 64):
        parts = [nearest(part, references, 3) for part in images[order].split(size)]
        for found, expected in zip(map(torch.cat, zip(*parts, strict=True)), whole, strict=True):
            assert torch.equal(found, expected[order])
    threads = torch.get_num_threads()
    try:
        for count, block in ((1, 1024), (2, 1024), (3, 37)):
            torch.set_num_threads(count)
            monkeypatch.setattr(neighbours, "BLOCK", block)
            again = nearest(images, references, 3)
            assert torch.equal(again[0], whole[0]) and torch.equal(again[1], whole[1])
    finally:
        torch.set_num_threads(threads)


def test_an_excluded_reference_does_not_count(digits, monkeypatch):
    references = digits[1][:90]
    monkeypatch.setattr(neighbours, "BLOCK", 32)
    distances, indices = nearest(references, references, 3)
    assert torch.equal(indices[:, 0], torch.arange(90)) and (distances[:, 0] == 0).all()
    others = nearest(references, references, 2, exclude=torch.arange(90))
    assert torch.equal(others[0], distances[:, 1:]) and torch.equal(others[1], indices[:, 1:])
    some = torch.where(torch.arange(90) % 2 == 0, torch.arange(90), -1)
    mixed = nearest(references, references, 1, exclude=some)[1][:, 0]
    assert torch.equal(mixed, torch.where(some >= 0, indices[:, 1], indices[:, 0]))
    everything = nearest(references, references, 89, exclude=torch.arange(90))[1]
    assert not (everything == torch.arange(90)[:, None]).any()


def test_no_images_and_bad_requests():
    x = random_bytes(4, (1, 4, 4))
    assert [v.shape for v in nearest(x[:0], x, 2)] == [(0, 2), (0, 2)]
    bad = [
        (x.float(), x, 1, None), (x, random_bytes(4, (1, 4, 5)), 1, None), (x, x, 5, None), (x, x, 0, None),
        (x, x, 4, torch.arange(4)), (x, x, 1, torch.arange(3)), (x, x, 1, torch.tensor([0, 1, 2, 4])),
    ]  # fmt: skip
    for arguments in bad:
        with pytest.raises(ValueError, match=r"uint8|shape|neighbours|exclude"):
            nearest(*arguments)


# ---------------------------------------------------------------- the judge


@pytest.fixture(scope="module")
def scorer():
    return knn.KnnScorer()


def test_votes_by_hand():
    """Ranks 3, 2, 1: two are even in the first row, where the nearer one wins."""
    found = knn.votes(torch.tensor([[2, 0, 0], [1, 0, 0], [1, 1, 1], [0, 2, 1]]), 3)
    assert found.tolist() == [[14, 0, 15], [14, 15, 0], [0, 27, 0], [15, 5, 10]]
    p = knn.shares(found, 0.01)
    assert p[2].tolist() == pytest.approx([0.01 / 1.03, 1.01 / 1.03, 0.01 / 1.03])
    assert torch.allclose(p.sum(1), torch.ones(4)) and p.argmax(1).tolist() == [2, 1, 1, 0]
    assert knn.log_loss(p, torch.tensor([2, 1, 0, 0])) == pytest.approx(sklearn_log_loss([2, 1, 0, 0], p), abs=1e-6)


def test_real_digits_are_read(scorer):
    test = RealSource("test").data
    images, labels = test.images[:300], test.labels[:300]
    found = scorer(images, labels)
    assert tuple(found) == scorer.columns and all(v.shape == (300,) for v in found.values())
    assert (found["knn_label"] == labels).float().mean() > 0.96
    p = torch.stack([found[f"knn_p{d}"] for d in range(10)], dim=1)
    assert p.min() > 0 and torch.allclose(p.sum(1), torch.ones(300), atol=1e-6)
    assert torch.equal(found["knn_confidence"], p[torch.arange(300), labels])
    parts = [scorer(x, y) for x, y in zip(images[:30].split(7), labels[:30].split(7), strict=True)]
    for column, values in found.items():
        assert torch.equal(torch.cat([part[column] for part in parts]), values[:30])
    features = scorer.features(images)
    assert features.shape == (300, 784) and torch.equal(features, images.flatten(1) / 255)


def test_the_card_tells_why_these_numbers_and_what_they_reach(scorer):
    card = read_card(JUDGES / "mnist" / "knn")
    training = card["training"]
    accuracy, loss = training["held_out_accuracy"], training["held_out_log_loss"]
    assert training["k"] == knn.K == int(max(accuracy, key=accuracy.get))
    assert training["smoothing"] == knn.SMOOTHING == float(min(loss, key=loss.get))
    assert scorer.id == f"knn:pixels@{card['sha256'][:12]}/k{knn.K}"
    test = RealSource("test").data
    read = scorer(test.images[:500], test.labels[:500])["knn_label"]
    assert (read == test.labels[:500]).float().mean() == pytest.approx(card["test"]["accuracy"]["value"], abs=0.02)
