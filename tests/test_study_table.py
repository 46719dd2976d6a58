"""Tables and verdicts of studies against closed forms, on rows with known answers; the shipped ones against theirs."""

import json

import numpy as np
import pytest
from scipy import stats

from app import studying
from benchmarks.studies import DOCUMENT, written
from eval.studies import STUDIES, study
from eval.study import REAL
from eval.study_results import PLOT, RESULT, TABLE, results
from eval.study_special import appeared, best_rate, late_digits
from eval.study_table import METRICS, by_seed, over_seeds, paired, table
from eval.study_verdict import HELD, NOT, OPEN, Contrast, contrasts, shown, together
from tests.made_studies import LOSS, made_rows, made_study

SHIPPED = sorted(path.parent for path in studying.STUDIES.glob(f"*/{studying.ROWS}"))


def rows_of(**values) -> list[dict]:
    """loss of each variant, a value a seed."""
    return [{"variant": v, "seed": i, "loss": x} for v, losses in values.items() for i, x in enumerate(losses)]


def test_the_interval_over_seeds_is_students():
    x = [0.3, 0.7, 0.4, 0.55]
    found = over_seeds(x)
    expected = stats.t.interval(0.95, 3, loc=np.mean(x), scale=stats.sem(x))
    assert found.value == pytest.approx(np.mean(x)) and found[1:3] == pytest.approx(expected) and found.n == 4
    assert over_seeds([0.3])[:3] == (pytest.approx(0.3), None, None)
    assert over_seeds([]).value is None


def test_differences_are_paired_by_seed():
    rows = rows_of(a=[1.0, 2.0, 3.0, 9.0], b=[1.1, 2.1, 3.2])
    found = paired(rows, "b", "a", "loss")
    test = stats.ttest_rel([1.1, 2.1, 3.2], [1.0, 2.0, 3.0]).confidence_interval(0.95)
    assert found.value == pytest.approx(0.4 / 3) and found[1:3] == pytest.approx(tuple(test)) and found.n == 3
    assert paired(rows[::-1], "b", "a", "loss") == found


def test_a_value_that_is_missing_is_left_out_and_a_metric_without_any_has_no_line():
    rows = rows_of(a=[1.0, None, 3.0])
    assert by_seed(rows, "a", "loss") == {0: 1.0, 2: 3.0}
    lines = table(rows, ["a"])
    assert [(line.metric, line.mean.n, line.mean.value) for line in lines] == [("loss", 2, 2.0)]
    assert lines[0].difference.value is None


@pytest.mark.parametrize(
    ("new", "better", "verdict"),
    [([0.4, 0.43, 0.43], "lower", HELD), ([0.4, 0.43, 0.43], "higher", NOT), ([0.6, 0.62, 0.63], "lower", NOT),
     ([0.6, 0.62, 0.63], "higher", HELD), ([0.4, 0.6, 0.5], "lower", OPEN), ([0.4], "lower", OPEN)],
)  # fmt: skip
def test_a_verdict_needs_the_whole_interval_on_one_side(new, better, verdict):
    conclude = contrasts(Contrast("new", "old", "loss", better))
    assert conclude(rows_of(old=[0.5, 0.52, 0.54], new=new)).verdict == verdict


def test_a_claim_of_parts_holds_only_as_a_whole():
    assert together([HELD, HELD]) == HELD
    assert together([HELD, OPEN]) == OPEN
    assert together([HELD, OPEN, NOT]) == NOT


def test_sentences_say_the_numbers():
    study = made_study()
    verdict, (first, second) = study.conclude(made_rows(study))
    assert verdict == HELD
    assert first == (
        "Loss on test digits: 0.4200 (new) against 0.5200 (old), −0.1000 [−0.1248, −0.0752] or −19 % over 3 seeds."
    )
    assert second == (
        "Read right by the classifier: 91.00 % (new) against 91.00 % (old), +0.00 points [+0.00, +0.00] over 3 seeds."
    )
    assert shown(1234567.0, "parameters") == "1,234,567" and shown(-3.14159, "seconds", True) == "-3.1 s"


def rates(best: float, top: int | None) -> list[dict]:
    """Two norms and three rates, of which `best` has the lowest loss; the highest diverged at step `top`."""
    return [
        {"variant": f"{norm} {rate:g}", "seed": seed, "loss": (0.2 if rate == best else 0.5) + 0.001 * seed,
         "diverged": top if rate == 0.1 else None}
        for norm in ("no", "rms") for rate in (1e-5, 1e-3, 0.1) for seed in range(3)
    ]  # fmt: skip


def test_a_map_of_rates():
    conclude = best_rate(1e-3, (1e-5, 1e-3, 0.1), ("no", "rms"), lambda norm, rate: f"{norm} {rate:g}")
    found = conclude(rates(1e-3, 7))
    assert found.verdict == HELD
    assert "0.001 with no norm (0.201)" in found.sentences[0]
    assert "0.1 with rms norm (3 of 3 runs, first at step 7)" in found.sentences[1]
    assert conclude(rates(1e-3, None)).verdict == NOT
    assert conclude(rates(1e-5, 7)).verdict == NOT
    lost = [row | {"loss": None} if row["variant"].endswith("0.1") else row for row in rates(1e-3, 7)]
    assert conclude(lost).verdict == HELD
    assert conclude([]).verdict == OPEN


def emerging(seed: int, first: dict[int, int]) -> dict:
    """A run in which digit d is read right from `first[d]` images on, and never before."""
    looks = [
        {"images": n, "per_class": {str(d): {"f1": float(n >= first.get(d, 200))} for d in range(10)}}
        for n in (100, 200, 400, 800)
    ]
    return {"variant": "as it trains", "seed": seed, "looks": looks, "images": 800, "per_class": looks[-1]["per_class"]}


def test_when_digits_appear():
    row = emerging(0, {0: 100, 8: 800, 9: 10**6})
    assert appeared(row, 0) == 100
    assert appeared(row, 1) == pytest.approx(100 * 2**0.8)  # eight tenths of the way from 0 to 1, on a log scale
    assert appeared(row, 9) == 1600
    conclude = late_digits((0, 1), (8, 9))
    late = [emerging(i, {0: 100, 1: 100, 8: 800, 9: 400 + 400 * (i % 2)}) for i in range(4)]
    verdict, sentences = conclude(late)
    assert verdict == HELD and "over 4 seeds" in sentences[1]
    assert sentences[0].index("0 (100)") < sentences[0].index("2 (174)") < sentences[0].index("8 (")
    early = [emerging(i, {0: 800, 1: 400 + 400 * (i % 2), 8: 100, 9: 100}) for i in range(4)]
    assert conclude(early).verdict == NOT
    assert conclude([emerging(0, {})]).verdict == OPEN and conclude([]).verdict == OPEN


def test_the_made_up_study_has_the_known_table_and_result():
    study = made_study()
    found = results(study, made_rows(study))
    lines = found[TABLE].splitlines()
    assert lines[0] == "variant,metric,n,mean,low,high,difference,difference_low,difference_high"
    low, high = stats.t.interval(0.95, 2, loc=0.42, scale=stats.sem(LOSS["new"]))
    start = f"new,loss,3,0.42,{low:.6g},{high:.6g},-0.1,"
    assert any(line.startswith(start) for line in lines), lines
    assert not any(line.startswith("real test digits,loss") for line in lines)
    assert found[PLOT].count("<circle") == 2 and ">old</text>" in found[PLOT]
    result = json.loads(found[RESULT])
    assert (result["verdict"], result["runs"], result["of"]) == (HELD, 9, 9)


def test_the_document_has_the_table_of_what_is_shipped():
    text = DOCUMENT.read_text()
    rows = {name: studying.read_rows(studying.STUDIES / name) for name in STUDIES}
    assert written(text, rows) == text, "python -m benchmarks.studies writes it again"
    skip = STUDIES["skip"]
    made = made_rows(skip, {"with skips": [0.1, 0.11, 0.1, 0.12, 0.1], "without skips": [0.2] * 5, REAL: [None] * 5})
    made = [row | {"loss_q1": row["loss"]} for row in made]
    again = written(text, rows | {"skip": made})
    assert f"| `skip` | {skip.claim} | **held** | Loss at the least noise: 0.1060 (with skips) against 0.2000" in again
    assert written(again, rows) == text


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_what_is_shipped_follows_from_its_rows(folder):
    one, rows = study(folder.name), studying.read_rows(folder)
    assert len({(row["variant"], row["seed"]) for row in rows}) == len(rows)
    assert not studying.missing(one, rows)
    for name, content in results(one, rows).items():
        assert (folder / name).read_text() == content, f"{name} is not what its rows say"
    assert {path.name for path in folder.glob("*.png")} >= {studying.picture(name) for name in one.variants}


@pytest.mark.parametrize("one", STUDIES.values(), ids=lambda one: one.name)
def test_every_study_is_whole_and_concludes_nothing_from_nothing(one):
    assert one.seeds >= 3 and one.metric in METRICS and one.baseline in one.variants
    assert len({studying.picture(name) for name in one.variants}) == len(one.variants)
    assert one.conclude([]).verdict == OPEN
    assert all(images <= one.images for images in one.looks)
