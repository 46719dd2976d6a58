"""The Denoise tab: one noise and two labels, level by level, and when each becomes its digit."""

import re
from functools import partial

import pytest
import torch

from app import figures, links, walk
from app.build import TABS
from app.tabs import denoise
from diffusion_core import data
from diffusion_core.errors import UserError
from diffusion_core.generate import generate, noised

CURVE = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 100}


@pytest.fixture(scope="module")
def walked(shipped):
    checkpoint = shipped.checkpoint("mnist")
    return walk.walk(checkpoint, (5, 6), 3, data.load("mnist", "test"), partial(shipped.judges.read, dataset="mnist"))


@pytest.mark.parametrize(
    ("read", "level"), [([5, 5, 5], 0), ([6, 5, 5], 1), ([5, 6, 5], 2), ([5, 5, 6], None), ([1, 1, 1], None)]
)
def test_a_digit_locks_in_where_it_is_never_left_again(read, level):
    assert walk.locks_in(torch.tensor(read), 5) == level


def test_both_digits_start_from_the_same_noise_and_end_as_what_generate_draws(shipped, walked):
    sigmas, (five, six) = walked
    assert len(sigmas) == walk.LEVELS + 1 and sigmas[0] == 40 and sigmas[-1] == 0
    assert torch.equal(five.noisy[0], six.noisy[0]) and not torch.equal(five.noisy[-1], six.noisy[-1])
    checkpoint = shipped.checkpoint("mnist")
    drawn = generate(checkpoint, torch.tensor([5, 6]), torch.tensor([3, 3]), walk.fine(checkpoint))
    for way, image in zip((five, six), drawn, strict=True):
        assert (way.noisy[-1].int() - image.int()).abs().max() <= 1 and torch.equal(way.noisy[-1], way.told[-1])


def test_what_the_model_sees_untold_is_the_same_for_both_in_pure_noise(walked):
    """Without a label nothing tells the two apart yet: same network input, same estimate."""
    _, (five, six) = walked
    assert torch.equal(five.untold[0], six.untold[0]) and not torch.equal(five.told[0], six.told[0])


def test_the_forward_process_is_a_real_digit_with_the_very_noise_of_each_level(walked):
    sigmas, ways = walked
    test = data.load("mnist", "test")
    for way in ways:
        assert int(test.labels[way.real_index]) == way.label
        assert torch.equal(way.forward[-1], test.images[way.real_index])
        real = test.images[way.real_index : way.real_index + 1]
        assert torch.equal(way.forward[7], noised(real, sigmas[7], torch.tensor([3]), test.spec)[0])


def test_the_shipped_model_is_sure_of_both_in_the_end(walked):
    for way in walked[1]:
        assert int(way.p_told[-1].argmax()) == way.label == int(way.p_untold[-1].argmax())
        assert way.p_told.shape == (walk.LEVELS + 1, 10) and way.p_told.sum(1) == pytest.approx(1, abs=1e-4)


def test_the_page_says_what_the_walk_found(shipped):
    html, figure, table, link = denoise.page(shipped, "mnist", "5", "6", 3)
    sigmas, ways = denoise.walked(shipped, "mnist", shipped.meta("mnist").sha256, (5, 6), 3)
    marks = re.findall(r'<i class="(right|wrong)">(\d)</i>', html)
    expected = [(way.label, int(d)) for way in ways for p in (way.p_told, way.p_untold) for d in p.argmax(1)]
    assert marks == [("right" if label == d else "wrong", str(d)) for label, d in expected]
    assert html.count('class="pixels film"') == 8 and f'max="{len(sigmas) - 1}"' in html
    assert "tab=denoise" in link and "digits=5,6" in link
    found = shipped.recognition("mnist")
    assert table.count("<tr>") == 11 and f"{found['blind']['per_class']['5']['t50']['sigma']:.2f}" in table
    lines = {trace.name: trace for trace in figure.data}
    share = found["blind"]["per_class"]["5"]["recognised"][4]["value"]
    assert lines["5"].y[4] == pytest.approx(100 * share) and len(lines) == 10


def test_a_students_own_few_levels_are_kept(shipped):
    checkpoint = shipped.checkpoint("mnist-turbo")
    assert walk.fine(checkpoint) == checkpoint.meta.sample


def test_a_checkpoint_without_a_report_says_how_to_make_one(store):
    _, figure, table, _ = denoise.page(store, "early", 5, 6, 0)
    assert figure is None and "python -m app score early" in table


def test_a_t50_that_is_never_reached_says_why():
    none = {"sigma": None, "step": None, "low_step": None, "high_step": None, "reason": "too few were right"}
    curves = {"recognised": [CURVE], "t50": none}
    found = {"sigmas": [40.0], "blind": {"per_class": {"5": curves}}}
    assert "too few were right" in denoise.times(found, data.spec("mnist").class_names)
    assert len(figures.recognition(found, (5, 6), tuple("0123456789")).data) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("mnist", "10", "6", 0), "first class"),
        (("mnist", "5", None, 0), "other class"),
        (("mnist", "5", "6", -1), "seed"),
        (("mnist", "5", "6", float("nan")), "seed"),
        (("../mnist", "5", "6", 0), "no checkpoint"),
    ],
)
def test_a_bad_choice_is_one_line(store, settings, message):
    with pytest.raises(UserError, match=message):
        denoise.page(store, *settings)


def test_a_link_restores_checkpoint_digits_and_seed(store):
    view = links.read({"tab": "denoise", "a": "early", "digits": "3,8", "seed": "12"}, TABS)
    key, *rest = denoise.opened(store, view)
    assert key["value"] == "early" and rest == ["3", "8", 12]
    assert denoise.opened(store, links.read({"tab": "denoise", "digits": "3,8,9"}, TABS))[1:3] == ["5", "6"]
