"""The sentence at the end of a comparison: what it rests on, whom it names, and what it does not hide."""

import pytest

from eval.compare import compare
from tests.made_reports import made_report

BAD = {8: 0.5, 9: 0.6}


def verdict(a, b):
    return compare(a, b).verdict


def test_it_names_size_digits_and_judges():
    early, late = made_report("early", BAD), made_report("late")
    d = compare(early, late).row("accuracy").difference
    assert verdict(early, late) == (
        f"late is better than early: accuracy {100 * d.value:+.1f} points "
        f"(95 % {100 * d.low:+.1f} to {100 * d.high:+.1f}, n = 400 pairs); better on 8 and 9, worse on none; "
        "the second classifier, nearest neighbours and CLIP agree."
    )
    assert verdict(late, early).startswith("early is worse than late: accuracy -")
    assert "better on none, worse on 8 and 9; the second" in verdict(late, early)
    every = made_report("every", dict.fromkeys(range(10), 0.5), judges=("classifier",))
    assert verdict(every, made_report("good", judges=("classifier",))).endswith("better on every class, worse on none.")


def test_nothing_found_is_said_and_agreed_on():
    a, b = made_report("a", {3: 0.1}), made_report("b", {4: 0.1})
    assert verdict(a, b).startswith("b and a cannot be told apart: accuracy ")
    assert verdict(a, b).endswith("the second classifier, nearest neighbours and CLIP agree.")


@pytest.mark.parametrize(
    ("clip_a", "clip_b", "said"),
    [
        ({}, {}, "but by CLIP they cannot be told apart (+0.0 points)"),
        ({}, {7: 0.9}, "but by CLIP b is worse (-"),
    ],
)
def test_a_judge_that_disagrees_is_named(clip_a, clip_b, said):
    fair = ("classifier", "second", "knn")
    a = made_report("a", judges=dict.fromkeys(fair, BAD) | {"clip": clip_a})
    b = made_report("b", judges={judge: {} for judge in fair} | {"clip": clip_b})
    assert "; the second classifier and nearest neighbours agree; " in verdict(a, b)
    assert said in verdict(a, b) and "b is better than a: accuracy" in verdict(a, b)


def test_a_judge_that_was_trained_against_is_not_rested_on():
    early = made_report("early", BAD)
    tuned = made_report("tuned", rewards=("classifier", "knn:pixels"))
    assert "tuned is better than early: second-classifier accuracy +" in verdict(early, tuned)
    assert verdict(early, tuned).endswith(
        "; CLIP agrees; not counted, because one of them was trained against it: the classifier and nearest neighbours."
    )
    clip = [made_report(n, e, judges=("clip",), rewards=("clip",)) for n, e in (("a", BAD), ("b", None))]
    assert verdict(*clip).startswith(
        "b and a cannot be compared: one of them was trained against CLIP, so CLIP accuracy +"
    )
    assert verdict(*clip).endswith(" is no evidence.")
    untuned = [made_report(n, e, judges=("clip",)) for n, e in (("a", BAD), ("b", None))]
    assert "b is better than a: CLIP accuracy +" in verdict(*untuned)


def test_variety_that_is_paid_is_said():
    def varied(name, errors, recall, vendi, prefix="", **info):
        sets = {f"{prefix}recall": (recall, 0.01), f"{prefix}vendi": (vendi, 0.2), f"{prefix}coverage": (0.9, 0.01)}
        return made_report(name, errors, sets=sets, **info)

    wide, narrow = varied("wide", BAD, 0.92, 9.0), varied("narrow", None, 0.86, 8.9)
    assert "worse on none; but less varied: recall -0.06; the second" in verdict(wide, narrow)
    assert "worse on 8 and 9; but more varied: recall +0.06; the second" in verdict(narrow, wide)
    assert "varied" not in verdict(varied("a", BAD, 0.86, 8.9), varied("b", None, 0.92, 9.0))  # better in both
    same = verdict(varied("a", None, 0.92, 9.0), varied("b", None, 0.86, 8.0))
    assert "cannot be told apart" in same and "; less varied: recall -0.06 and vendi -1; " in same
    # a difference that one of three measures shows by chance: p = .028 alone, .083 of three
    assert "varied" not in verdict(varied("a", BAD, 0.92, 9.0), varied("b", None, 0.9041, 9.0))
    tuned = varied("b", None, 0.86, 8.9, "clip_", rewards=("clip",))
    assert "varied" not in verdict(varied("a", BAD, 0.92, 9.0, "clip_"), tuned)
