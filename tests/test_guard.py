"""The guard of a tuning on made-up looks: what it keeps, when it stops, and why it says so."""

import pytest

from eval import guard

BASE = {
    "second_accuracy": 0.97, "heldout_margin": 0.3, "second_recall": 0.93, "second_coverage": 0.9, "second_fd": 4.0,
    "ink": 100.0, "thickness": 3.0, "second_vendi": 11.0, "independent_margin": 0.2,
}  # fmt: skip


def look(**changes) -> dict:
    return BASE | changes


def test_the_best_within_the_limits_is_kept():
    rows = [
        BASE,
        look(second_accuracy=0.98),
        look(second_accuracy=0.99, second_recall=0.91),
        look(second_accuracy=0.975),
    ]
    assert [d.best for d in guard.decisions(rows)] == [True, True, False, False] and guard.best(rows) == 1


def test_with_equal_accuracy_the_held_out_margin_decides():
    assert guard.best([BASE, look(heldout_margin=0.31), look(heldout_margin=0.305)]) == 1


def test_where_nothing_is_better_the_parent_is_kept():
    assert guard.best([BASE, look(second_accuracy=0.96), look(second_recall=0.5, second_accuracy=1.0)]) == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"second_recall": 0.919}, "recall fell from 0.930 to 0.919"),
        ({"second_coverage": 0.88}, "coverage fell from 0.900 to 0.880"),
        ({"second_fd": 4.3}, "the Frechet distance went from 4 to 4.3"),
        ({"ink": 104.0}, "the ink went from 100 to 104"),
        ({"ink": 96.0}, "the ink went from 100 to 96"),
        ({"thickness": 3.2}, "the thickness of strokes went from 3 to 3.2"),
        ({"second_vendi": 10.4}, "the Vendi score went from 11 to 10.4"),
        ({"independent_margin": 0.19}, "the other CLIP's margin went from 0.2 to 0.19"),
    ],
)
def test_every_limit_stops_the_run_after_two_looks_in_a_row_and_is_named(change, words):
    bad = look(second_accuracy=0.99, **change)
    assert guard.beyond(BASE, bad) == (words,)
    stops = [d.stop for d in guard.decisions([BASE, bad, look(), bad, bad, bad])]
    assert stops[:4] == [None] * 4 and words in stops[4] and len(stops) == 5


def test_more_recall_than_real_digits_have_may_be_lost_down_to_theirs():
    base = look(real={"second_recall": 0.9, "second_coverage": 0.95})
    assert guard.beyond(base, look(second_recall=0.901)) == ()
    assert len(guard.beyond(base, look(second_recall=0.899))) == 1
    assert len(guard.beyond(base, look(second_coverage=0.889))) == 1, "the parent had less than real digits"
    assert guard.beyond(base, look(second_coverage=0.891)) == ()


@pytest.mark.parametrize("change", [{"second_recall": 0.921}, {"second_fd": 4.19}, {"second_fd": 1.0}, {"ink": 102.9}])
def test_what_is_within_the_limits_stops_nothing(change):
    assert guard.beyond(BASE, look(**change)) == ()
    assert not any(d.stop for d in guard.decisions([BASE, *[look(**change)] * 5]))


def test_in_training_the_least_distance_is_best_and_patience_may_end_it():
    rows = [{"second_fd": value} for value in (9.0, 4.0, 5.0, 3.0, 3.5, 3.2, 3.1)]
    assert [d.best for d in guard.progress(rows)] == [True, True, False, True, False, False, False]
    assert not any(d.stop for d in guard.progress(rows))
    ended = guard.progress(rows, patience=2)
    assert len(ended) == 6 and "2 looks in a row" in ended[-1].stop


def test_a_run_that_gets_no_better_ends():
    decided = guard.decisions([BASE, look(second_accuracy=0.98), *[look()] * 20])
    assert len(decided) == 2 + guard.STALE and "no better" in decided[-1].stop
