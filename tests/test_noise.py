import pytest
import torch

from diffusion_core.errors import UserError
from diffusion_core.noise import MAX_SEED, Noise, plan, written

DIGITS = tuple("0123456789")


def test_a_smaller_plan_begins_a_larger_one():
    labels, seeds = plan(200, 7, 10)
    few_labels, few_seeds = plan(100, 7, 10)
    assert torch.equal(labels[:1000], few_labels) and torch.equal(seeds[:1000], few_seeds)
    assert torch.bincount(labels).tolist() == [200] * 10
    assert len(set(seeds.tolist())) == 2000


def test_the_labels_asked_for_do_not_shift_the_seeds():
    labels, seeds = plan(3, 0, 10)
    some_labels, some_seeds = plan(3, 0, 10, (6, 5))
    chosen = (labels == 5) | (labels == 6)
    everything = set(zip(labels[chosen].tolist(), seeds[chosen].tolist(), strict=True))
    assert set(zip(some_labels.tolist(), some_seeds.tolist(), strict=True)) == everything


def test_a_written_number_has_the_seeds_of_the_plan():
    labels, seeds = written("0550", 40, DIGITS)
    assert labels.tolist() == [0, 5, 5, 0] and seeds.tolist() == [40, 55, 65, 70]
    planned = set(zip(*(part.tolist() for part in plan(4, 40, 10)), strict=True))
    assert set(zip(labels.tolist(), seeds.tolist(), strict=True)) <= planned


@pytest.mark.parametrize(
    ("text", "seed", "names"),
    [("", 0, DIGITS), ("1" * 25, 0, DIGITS), ("7", 0, DIGITS[:7]), ("7", -1, DIGITS), ("7", MAX_SEED, DIGITS)],
)
def test_what_cannot_be_written_is_refused(text, seed, names):
    with pytest.raises(UserError):
        written(text, seed, names)


def test_any_characters_that_are_classes_are_written():
    labels, seeds = written("cab", 100, ("a", "b", "c", "ligature"))
    assert labels.tolist() == [2, 0, 1] and seeds.tolist() == [102, 104, 109]
    for text, says in (("cad", "characters of these: abc"), ("ligature", "of these: abc")):
        with pytest.raises(UserError, match=says):
            written(text, 0, ("a", "b", "c", "ligature"))
    with pytest.raises(UserError, match="nothing can be written"):
        written("disc", 0, ("red square", "disc", "cross"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0, 0, 10), "at least 1"),
        ((1, -1, 10), "seed must be"),
        ((1, MAX_SEED, 10), "seed must be"),
        ((1, 0, 10, (10,)), "Label 10"),
        ((1, 0, 10, (-1,)), "Label -1"),
        ((1, 0, 10, ()), "No label"),
        ((1, 0, 10, (5, 5)), "twice"),
    ],
)
def test_bad_plans_are_refused(arguments, words):
    with pytest.raises(UserError, match=words):
        plan(*arguments)


def test_the_largest_seed_is_its_own():
    """torch's generator takes seeds modulo 2^32, so none beyond may be offered."""
    x = Noise(torch.tensor([0, MAX_SEED, MAX_SEED + 1])).normal(4)
    assert not torch.equal(x[0], x[1]) and torch.equal(x[0], x[2])


def test_a_row_depends_only_on_its_seed_and_its_turn():
    together, alone = Noise(torch.tensor([4, 9, 2])), Noise(torch.tensor([9]))
    for _ in range(2):
        assert torch.equal(together.normal(1, 5, 5)[1], alone.normal(1, 5, 5)[0])
    x = Noise(torch.arange(200)).normal(10, 10)
    assert float(x.mean()) == pytest.approx(0, abs=0.02) and float(x.std()) == pytest.approx(1, abs=0.02)
    assert abs(float((x[:-1] * x[1:]).mean())) < 0.02  # neighbouring seeds are unrelated
