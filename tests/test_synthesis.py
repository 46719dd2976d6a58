"""Drawing a synthetic data set: how many of each label, in which order, and that nothing depends on how it was cut."""

import gc
import weakref
from collections import Counter
from fractions import Fraction

import pytest
import torch

from diffusion_core.noise import plan
from eval import synthesis
from eval.errors import UserError
from eval.sources import CheckpointSource, RealSource
from eval.synthesis import Request, Synthesis, order

EQUAL = (1.0,) * 10


class Real:
    """Draws real test digits; every seventh candidate is another digit than asked for."""

    def __init__(self):
        source = RealSource("test")
        self.data, self.info, self.class_names = source.data, source.info, source.class_names
        self.rows = [torch.nonzero(self.data.labels == label)[:, 0] for label in range(10)]
        self.asked = Counter()

    def images(self, labels, seeds):
        self.asked.update(zip(labels.tolist(), seeds.tolist(), strict=True))
        pairs = zip(labels.tolist(), seeds.tolist(), strict=True)
        return self.data.images[[int(self.rows[(d + (s // 10 % 7 == 0)) % 10][s // 10]) for d, s in pairs]]


def drawn(source, request, size, most):
    """Images, labels, seeds, confidences and (label, seed) of those left out."""
    blocks = [found.block for found in Synthesis(source, request).blocks(size, most) if found.block]
    columns = [torch.cat([getattr(b, name) for b in blocks]) for name in ("images", "labels", "seeds")]
    out = [torch.cat([getattr(b.left_out, name) for b in blocks]).tolist() for name in ("labels", "seeds")]
    scores = {name: torch.cat([b.scores[name] for b in blocks]) for name in blocks[0].scores}
    return (*columns, scores, list(zip(*out, strict=True)))


# ---------------------------------------------------------------- how many of each


@pytest.mark.parametrize("weights", [EQUAL, (5, 3, 0, 1, 0, 0, 0, 0, 0, 2), (5923, 6742, 5958, 6131, 5842)])
def test_labels_are_apportioned_by_websters_method(weights):
    """Beside its textbook form: each seat to the largest weight / (2 seats + 1), ties to the lower label."""
    seats, expected = [0] * len(weights), []
    for _ in range(200):
        label = max(range(len(weights)), key=lambda d: (Fraction(weights[d]) / (2 * seats[d] + 1), -d))
        seats[label] += 1
        expected.append(label)
    assert order(200, weights).tolist() == expected
    assert order(37, weights).tolist() == expected[:37]


def test_parts_that_sum_to_the_count_are_the_counts():
    weights = (10, 20, 0, 7, 0, 0, 1, 0, 0, 62)
    assert tuple(torch.bincount(order(100, weights), minlength=10).tolist()) == weights


def test_without_filters_it_is_what_sample_draws(tiny):
    """The digits of `python -m app sample`, image by image."""
    source = CheckpointSource(tiny)
    images, labels, seeds, scores, out = drawn(source, Request(50, EQUAL, seed=7), 50, 50)
    expected = plan(5, 7, 10)
    assert torch.equal(labels, expected[0]) and torch.equal(seeds, expected[1]) and (scores, out) == ({}, [])
    assert torch.equal(images, source.images(*expected))


# ---------------------------------------------------------------- filters


def test_exactly_as_many_as_asked_for_and_what_is_wrong_is_left_out():
    """A label's candidates are tried in the order of their seeds; of the wrong ones none is let through."""
    source, request = Real(), Request(200, EQUAL, 0, {"confidence": 0.5})
    _, labels, seeds, scores, out = drawn(source, request, 64, 320)
    assert torch.bincount(labels).tolist() == [20] * 10 and (seeds % 10 == labels).all()
    assert not any(seed // 10 % 7 == 0 for seed in seeds.tolist()) and scores["confidence"].min() >= 0.5
    assert {pair for pair in source.asked if pair[1] // 10 % 7 == 0} <= set(out)
    assert set(source.asked.values()) == {1}, "a candidate was drawn in vain"
    assert set(source.asked) == set(zip(labels.tolist(), seeds.tolist(), strict=True)) | set(out)
    for label in range(10):
        mine = sorted(s for d, s in source.asked if d == label)
        assert mine == [10 * j + label for j in range(len(mine))]
        assert seeds[labels == label].tolist() == sorted(seeds[labels == label].tolist())


def test_blocks_and_rounds_change_nothing_and_less_is_the_beginning(monkeypatch):
    monkeypatch.setattr("eval.measures.units", lambda dataset: torch.full((10,), 4.0, dtype=torch.float64))
    filters = {"confidence": 0.9, "diversity": 1.2}
    whole = drawn(Real(), Request(120, EQUAL, 0, filters), 120, 1000)
    for size, most in ((50, 1000), (32, 12)):
        part = drawn(Real(), Request(120, EQUAL, 0, filters), size, most)
        assert all(torch.equal(a, b) for a, b in zip(part[:3], whole[:3], strict=True))
        assert torch.equal(part[3]["confidence"], whole[3]["confidence"]) and set(part[4]) == set(whole[4])
    less = drawn(Real(), Request(45, EQUAL, 0, filters), 45, 1000)
    assert torch.equal(less[0], whole[0][:45]) and torch.equal(less[2], whole[2][:45])


def test_it_goes_on_from_what_was_committed(monkeypatch):
    monkeypatch.setattr("eval.measures.units", lambda dataset: torch.full((10,), 4.0, dtype=torch.float64))
    request = Request(60, EQUAL, 0, {"confidence": 0.9, "diversity": 1.2})
    first, *rest = (found.block for found in Synthesis(Real(), request).blocks(20, 100) if found.block)
    again = Synthesis(Real(), request)
    again.account(first)
    found = [found.block for found in again.blocks(20, 100) if found.block]
    assert [block.seeds.tolist() for block in found] == [block.seeds.tolist() for block in rest]


def test_filters_that_let_nothing_through_are_named(monkeypatch):
    monkeypatch.setattr(synthesis, "PATIENCE", 50)

    class Eights(Real):
        def images(self, labels, seeds):
            return super().images(torch.full_like(labels, 8), seeds)

    wanted = Synthesis(Eights(), Request(40, (1.0,) + (0.0,) * 9, 0, {"confidence": 0.5, "clip_margin": 0.1}))
    with pytest.raises(UserError, match="images of '0' the filters let 0 through, less than 1%: lower “Confidence”"):
        list(wanted.blocks(40, 40))


def test_at_most_a_block_is_in_memory(tiny):
    alive = []
    for found in Synthesis(CheckpointSource(tiny), Request(96, EQUAL)).blocks(32, 32):
        if found.block:
            gc.collect()
            alive.append(weakref.ref(found.block.images))
            assert sum(ref() is not None for ref in alive) <= 2  # this one, and the one that `found` still held
    assert len(alive) == 3


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (Request(0, EQUAL), "count must be from 1 to 1,000,000, not 0"),
        (Request(1_000_001, EQUAL), "count must be from 1 to 1,000,000"),
        (Request(5, EQUAL, -1), "seed must be from 0"),
        (Request(5, EQUAL, 2**64), "seed must be from 0"),
        (Request(5, (0.0,) * 10), "at least one of them above 0"),
        (Request(5, (-1.0,) * 10), "numbers from 0 up"),
        (Request(5, (float("nan"),) * 10), "numbers from 0 up"),
        (Request(5, EQUAL, 0, {"diversity": 9.0}), "Distance from each other must be a number from 0 to 3"),
    ],
)
def test_a_bad_request_is_one_line(request_, message):
    with pytest.raises(UserError, match=message):
        request_.validate()
