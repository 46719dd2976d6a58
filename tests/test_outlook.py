"""What more training would give: exact on power laws, honest about noise, silent where looks are too few."""

import numpy as np
import pytest

from app.outlook import FEWEST, outlook, sentences

IMAGES = np.arange(1, 25) * 50_000


def looks(values, metric="fd", real=0.0):
    rows = [{"images": int(n), metric: float(v)} for n, v in zip(IMAGES, values, strict=False)]
    rows[0]["real"] = {metric: real}
    return rows


@pytest.mark.parametrize(
    ("metric", "real", "value"),
    [("fd", 0.0, lambda gap: gap), ("fd", 2.0, lambda gap: 2 + gap), ("accuracy", 0.0, lambda gap: 1 - 0.1 * gap)],
)
def test_a_power_law_goes_on_as_it_is(metric, real, value):
    def law(images):
        return value(3.0 * (images / 50_000) ** -0.5)

    found = outlook(looks(law(IMAGES), metric, real), metric)
    assert [guess.images for guess in found.guesses] == [2_400_000, 4_800_000]
    for guess in (*found.guesses, found.tried):
        assert (guess.value, guess.low, guess.high) == pytest.approx((law(guess.images),) * 3, rel=1e-9)
    assert found.tried.images == 1_200_000 and found.seen == pytest.approx(law(1_200_000))


def test_the_interval_holds_one_more_look_19_times_out_of_20():
    rng, inside = np.random.default_rng(0), 0
    for _ in range(600):
        gap = 3.0 * (IMAGES / 50_000) ** -0.5 * np.exp(rng.normal(0, 0.1, len(IMAGES)))
        guess = outlook(looks(gap), "fd").guesses[0]
        inside += guess.low <= 3.0 * 48**-0.5 * np.exp(rng.normal(0, 0.1)) <= guess.high
    assert 0.92 < inside / 600 < 0.98


def test_a_run_that_has_come_to_rest_is_told_no_gain_by_the_looks_before():
    found = outlook(looks(np.maximum(3.0 * (IMAGES / 50_000) ** -0.5, 0.9)), "fd")  # at rest since 550,000 images
    assert found.tried.high < found.seen and found.guesses[0].value > 0.85
    assert "but it came otherwise" in sentences(found, "Frechet distance", 1, ".2f")


def test_too_few_looks_or_nothing_left_to_gain_say_nothing():
    law = 3.0 * (IMAGES / 50_000) ** -0.5
    assert outlook(looks(law)[: FEWEST - 1], "fd") is None and outlook([], "fd") is None
    assert outlook(looks(law, real=1.0), "fd") is None  # better than real images by chance
    assert outlook(looks(law)[: FEWEST + 1], "fd").tried is None
    assert outlook(looks(law), "accuracy") is None  # nobody looked at it


def test_the_words_give_value_interval_and_images():
    text = sentences(outlook(looks(3.0 * (IMAGES / 50_000) ** -0.5), "fd"), "Frechet distance", 1, ".2f")
    assert "Frechet distance 0.61 now; if it goes on" in text and "0.43 [0.43, 0.43] after 2,400,000 images" in text
    assert "Half of the images would have said 0.61 [0.61, 0.61] for now" in text
