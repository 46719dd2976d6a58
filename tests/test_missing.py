"""Missing shapes: real digits among themselves lack nothing, planted gaps are found and named."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from eval.metrics import wilson
from eval.missing import ALL, PAIR, Region, Span, describe, missing, regions
from eval.shape import MEASURES, measure
from eval.significance import holm
from eval.sources import RealSource

NAMES = tuple("0123456789")


@pytest.fixture(scope="module")
def digits() -> pd.DataFrame:
    """The shapes of 4,500 real test digits."""
    data = RealSource("test").data
    columns = {name: values.numpy() for name, values in measure(data.images[:4500]).items()}
    return pd.DataFrame({"label": data.labels[:4500].numpy()} | columns)


def drawn(digits: pd.DataFrame, per_class: int, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`per_class` digits of each label as if they were generated, and all others as the real ones."""
    shuffled = digits.sample(frac=1, random_state=seed)
    nth = shuffled.groupby("label").cumcount()
    return shuffled[nth < per_class], shuffled[nth >= per_class]


def thinned(fake: pd.DataFrame, real: pd.DataFrame, digit: int) -> tuple[pd.DataFrame, float]:
    """`fake` without the digits that are thicker than 80 % of the real ones, and that thickness."""
    limit = real.loc[real.label == digit, "thickness"].quantile(0.8)
    return fake[(fake.label != digit) | (fake.thickness < limit)], limit


# ---------------------------------------------------------------- regions


def test_the_tenths_of_every_measure_hold_every_digit_once(digits: pd.DataFrame):
    fake, real = drawn(digits, 200)
    found = regions(fake, real)
    assert len(found) == 10 * (len(MEASURES) * 10 + 9)
    for digit in range(10):
        for name in MEASURES:
            rows = [r for r in found if (r.label, r.measure, r.also) == (digit, name, None)]
            assert [r.low for r in rows] == [-np.inf, *(r.high for r in rows[:-1])]
            assert rows[-1].high == np.inf
            assert sum(r.share.value for r in rows) == pytest.approx(1)
            assert [r.expected for r in rows] == pytest.approx([0.1] * 10, abs=0.02)  # single values are tied
        cells = [r for r in found if r.label == digit and r.also]
        assert {(r.measure, r.also.measure) for r in cells} == {PAIR}
        assert sum(r.share.value for r in cells) == pytest.approx(1)
        assert sum(r.expected for r in cells) == pytest.approx(1)


def test_a_region_counts_the_digits_in_it(digits: pd.DataFrame):
    fake, real = drawn(digits, 200)
    region = next(r for r in regions(fake, real) if r.label == 3 and r.measure == "slant" and np.isfinite(r.low))
    threes = fake[fake.label == 3].slant
    assert region.share == wilson(int(((threes >= region.low) & (threes < region.high)).sum()), 200)
    cell = next(r for r in regions(fake, real) if r.label == 3 and r.also and np.isfinite(r.high))
    threes = real[real.label == 3]
    inside = (threes.thickness < cell.high) & (threes.slant < cell.also.high)
    assert (cell.low, cell.also.low) == (-np.inf, -np.inf)
    assert cell.expected == pytest.approx(inside.mean())


def test_few_digits_are_cut_into_fifths(digits: pd.DataFrame):
    assert len(regions(*drawn(digits, 99))) == 10 * (len(MEASURES) * 5 + 9)
    assert len(regions(*drawn(digits, 100))) == 10 * (len(MEASURES) * 10 + 9)


def test_ties_and_digits_that_are_not_there(digits: pd.DataFrame):
    """Equal values share a region; nothing generated is not a gap, and nothing real has no regions."""
    fake, real = drawn(digits, 150)
    real = real[real.label < 2].assign(height=19.0)
    fake = fake[fake.label != 1]
    found = regions(fake, real)
    assert {r.label for r in found} == {0, 1}
    assert [r.expected for r in found if r.label == 0 and r.measure == "height"] == [0, 1]
    assert all(r.share.value is None for r in found if r.label == 1)
    assert not any(r.label == 1 for r in missing(fake, real))
    assert regions(fake, real[:0]) == missing(fake, real[:0]) == []


# ---------------------------------------------------------------- gaps


@pytest.mark.parametrize(("per_class", "draws"), [(20, 20), (200, 60)])
def test_real_digits_lack_nothing_of_real_digits(digits: pd.DataFrame, per_class: int, draws: int):
    """Any alarm in at most 5 % of the draws. (Measured on 200 draws of all test digits: 3 % at 200, 0 % at 20.)"""
    alarms = sum(bool(missing(*drawn(digits, per_class, seed))) for seed in range(draws))
    assert alarms <= 0.05 * draws


def test_a_planted_gap_is_found_and_named(digits: pd.DataFrame):
    fake, real = drawn(digits, 200)
    fake, limit = thinned(fake, real, 5)
    first = missing(fake, real)[0]
    assert (first.label, first.measure, first.high, first.also) == (5, "thickness", np.inf, None)
    assert first.low == pytest.approx(limit)  # two tenths, joined
    assert first.share == wilson(0, first.share.n)
    assert first.expected == pytest.approx(0.2, abs=0.01)
    assert {r.label for r in missing(fake, real)} == {5}
    assert describe(first, NAMES).startswith(f"5: strokes thicker than {limit:.1f} px are rare: 0.0 % [0.0 %, ")


def test_a_gap_of_two_measures_at_once_is_found(digits: pd.DataFrame):
    """Neither thick nor left-leaning eights are rare, but those that are both."""
    fake, real = drawn(digits, 250)
    eights = real[real.label == 8]
    thick, left = eights.thickness.quantile(2 / 3), eights.slant.quantile(1 / 3)
    fake = fake[(fake.label != 8) | (fake.thickness < thick) | (fake.slant >= left)]
    found = missing(fake, real)
    assert [(r.label, r.measure, r.also.measure) for r in found if r.also] == [(8, *PAIR)]
    cell = next(r for r in found if r.also)
    assert cell[2:4] == pytest.approx((thick, np.inf))
    assert cell.also[1:] == pytest.approx((-np.inf, left))


def test_gaps_come_by_size(digits: pd.DataFrame):
    fake, real = drawn(digits, 200)
    fake, _ = thinned(fake, real, 5)
    fake = fake[(fake.label != 1) | (fake.slant < 0.2)]
    found = missing(fake, real)
    gaps = [r.expected - r.share.value for r in found]
    assert {r.label for r in found} == {1, 5}
    assert gaps == sorted(gaps, reverse=True)


@pytest.mark.parametrize(("kept", "named"), [(7, False), (3, True)])
def test_only_what_is_at_most_half_as_frequent_is_missing(digits: pd.DataFrame, kept: int, named: bool):
    """`kept` tenths of the widest digits are left; with 2,000 digits, 7 of 10 are surely too few as well."""
    fake, real = drawn(digits.assign(label=0), 2000)
    wide = fake.width >= real.width.quantile(0.9)
    fake = fake[~wide | (wide.cumsum() % 10 < kept)]
    last = next(r for r in regions(fake, real) if r.measure == "width" and r.high == np.inf)
    n, m, hits = len(fake), len(real), round(last.share.value * len(fake))
    table = [[hits, n - hits], [round(last.expected * m), m - round(last.expected * m)]]
    assert 100 * stats.fisher_exact(table, alternative="less").pvalue < 0.05
    assert (last in missing(fake, real)) == named


def test_missing_is_fishers_test_with_holms_correction(digits: pd.DataFrame):
    """Written out with scipy's own test, before neighbours are joined."""
    fake, real = drawn(digits, 120)
    fake, _ = thinned(thinned(fake, real, 5)[0], real, 1)
    sizes = {d: (int((fake.label == d).sum()), int((real.label == d).sum())) for d in range(10)}
    found = regions(fake, real)
    p = []
    for r in found:
        n, m = sizes[r.label]
        hits, real_hits = round(r.share.value * n), round(r.expected * m)
        table = [[hits, n - hits], [real_hits, m - real_hits]]
        p.append(float(stats.fisher_exact(table, alternative="less").pvalue))
    rare = [r for r, q in zip(found, holm(p), strict=True) if q < 0.05 and r.share.value <= r.expected / 2]
    assert len(rare) >= 2
    joined = missing(fake, real)
    assert all(any(r.measure == j.measure and j.low <= r.low and r.high <= j.high for j in joined) for r in rare)
    assert sum(r.expected for r in rare) == pytest.approx(sum(r.expected for r in joined))


def test_tables_without_labels_are_seen_as_one(digits: pd.DataFrame):
    fake, real = drawn(digits, 100)
    fake = fake[fake.thickness < real.thickness.quantile(0.8)].assign(label=ALL)
    first = missing(fake, real)[0]
    assert (first.label, first.measure) == (ALL, "thickness")
    assert describe(first, NAMES).startswith("all: strokes thicker than ")
    columns = {name: fake[name].to_numpy() for name in ("label", *MEASURES)}  # a dict of arrays is a table too
    assert missing(columns, real) == missing(fake, real)


# ---------------------------------------------------------------- words


def test_sentences():
    share = wilson(2, 200)
    thick = Region(5, "thickness", 5.1, np.inf, share, 0.1)
    tail = " are rare: 1.0 % [0.3 %, 3.6 %] of the generated images, 10.0 % of the real"
    assert describe(thick, NAMES) == "5: strokes thicker than 5.1 px" + tail
    left = thick._replace(measure="slant", low=-np.inf, high=np.radians(-12))
    assert describe(left, NAMES) == "5: slants below -12°" + tail
    middle = thick._replace(label=ALL, measure="length", low=30.26, high=35)
    assert describe(middle, NAMES) == "all: strokes 30.3 to 35.0 px long" + tail
    both = thick._replace(also=Span("slant", 0.1, np.inf))
    assert (
        describe(both, ("a", "b", "c", "d", "e", "five"))
        == "five: strokes thicker than 5.1 px and slants above 6°" + tail
    )
    with pytest.raises(ValueError, match="nothing was generated"):
        describe(thick._replace(share=wilson(0, 0)), NAMES)
