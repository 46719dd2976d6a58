"""The Studies tab: it says of a study what its rows say, and how to run one that was not."""

import json
import re
from urllib.parse import parse_qsl

import pytest
from PIL import Image

from app import links, study_charts, study_view, studying
from app.build import TABS
from app.links import View
from app.store import Store
from app.tabs import studies
from diffusion_core.errors import UserError
from eval.studies import STUDIES
from eval.study import REAL, jobs
from eval.study_results import write
from eval.study_verdict import OPEN


def rows_of(study) -> list[dict]:
    """A row a run: the later a variant stands, the worse it is; where the rate is 0.1, two of three runs are lost."""
    rows = []
    for job in jobs(study):
        worse = 0 if job.name == REAL else 0.01 * list(study.variants).index(job.name)
        lost = job.name.endswith(", 0.1") and job.seed < 2
        each = {str(d): {"f1": 0.9 - 0.01 * d, "accuracy": 0.9, "clip_margin": 0.4} for d in range(10)}
        row = {
            "variant": job.name, "seed": job.seed, "made": job.made, "revision": "0", "accuracy": 0.95 - worse,
            "recall": 0.9 - worse + 0.001 * job.seed, "fd": 1 + worse, "per_class": each, "clip_margin": 0.4,
        }  # fmt: skip
        if job.variant.train:
            looks = [{"images": n, "per_class": each} for n in job.looks]
            row |= {"images": study.images, "looks": looks, "diverged": 12 if lost else None, "parameters": 1000}
            row |= {"loss": None if lost else 0.2 + worse + 0.001 * job.seed, "loss_q1": 0.1 + worse}
            row["curve"] = [[128 * i, 1 / i + worse, 1, 1, 1, 1] for i in (1, 2, 3)]
        rows.append(row)
    return rows


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Every study but one beside an empty folder of checkpoints; of "norm" only a part."""
    top = tmp_path_factory.mktemp("top")
    for study in STUDIES.values():
        if study.name == "depth":
            continue
        rows, folder = rows_of(study), top / "studies" / study.name
        folder.mkdir(parents=True)
        rows = rows[:5] if study.name == "norm" else rows
        (folder / studying.ROWS).write_text("".join(json.dumps(row) + "\n" for row in rows))
        write(study, rows, folder)
    Image.new("L", (280, 112)).save(top / "studies" / "skip" / studying.picture("with skips"))
    (top / "studies" / "skip" / studying.COSTS).write_text(
        '{"variant": "with skips", "step_ms": 7.25, "digit_ms": 1}\n'
    )
    return top


@pytest.fixture(scope="module")
def store(root):
    return Store(root / "checkpoints")


def test_a_study_says_its_claim_its_verdict_and_by_how_much(store):
    cards, words, choices, figure, losses, _, table, pictures, end = studies.page(store, "skip", None)
    assert cards.count("<li>") == len(STUDIES) and cards.count('aria-pressed="true"') == 1
    assert 'data-study="skip" aria-pressed="true"' in cards
    assert STUDIES["skip"].claim in words and '<span class="outcome good">held</span>' in words
    assert (
        "0.1000 (with skips) against 0.1100 (without skips), −0.0100 [−0.0100, −0.0100] or −9 % over 5 seeds" in words
    )
    assert choices["value"] == "loss_q1" and ("recall", "recall") in choices["choices"]
    assert list(figure.data[0].y) == ["with skips", "without skips"]
    assert list(figure.data[0].x) == pytest.approx([0.1, 0.11])
    assert [trace.name for trace in losses.data] == ["with skips", "without skips"]
    assert "ms a training step" in table and ">7.2<" in table and "real test digits" in table
    assert pictures.count("<img") == 1 and "Forty digits: with skips" in pictures
    assert "python -m app study skip" in end


def test_what_was_not_run_says_how(store):
    _, words, choices, figure, losses, aside, table, pictures, end = studies.page(store, "depth", None)
    assert "not run yet" in words and "has not been run" in words and "python -m app study depth" in end
    assert figure is None and losses is None and table == pictures == ""
    assert choices["visible"] is aside["visible"] is False


def test_what_is_not_whole_says_so(store):
    cards, words, *_ = studies.page(store, "norm", None)
    assert "5 runs so far" in cards and "Not all of its runs are done" in words and OPEN not in words


def test_another_metric_and_choices_that_are_none(store):
    figure = studies.page(store, "skip", "accuracy")[3]
    assert list(figure.data[0].x) == pytest.approx([95, 94, 95]) and figure.data[0].y[-1] == REAL
    assert studies.page(store, "skip", "second_fd")[2]["value"] == "loss_q1"  # nobody measured that
    for bad in (("nope", None), (None, None), (["skip"], None), ("skip", "nope"), ("skip", ["loss"])):
        with pytest.raises((UserError, TypeError)):
            studies.page(store, *bad)


def test_the_map_of_rates_says_where_training_diverged(store):
    figure = studies.page(store, "rate", None)[3]
    values, lost = figure.data
    assert list(values.y) == ["no norm", "batch norm", "group norm", "rms norm"]
    assert list(values.x) == ["1e-05", "0.0001", "0.001", "0.01", "0.1"]
    assert values.z[0][1] == pytest.approx(0.211) and not any(any(row) for row in lost.z)
    assert values.text[0][4] == "0.2420<br>diverged<br>2 of 3<br>step 12" and values.text[0][0] == "0.2010"
    assert studies.page(store, "rate", None)[4] is None  # twenty lines would be no figure


def test_curves_of_digits_and_the_trade_of_guidance(store):
    figure = studies.page(store, "emergence", None)[3]
    assert [trace.name for trace in figure.data] == [str(d) for d in range(10)]
    study = STUDIES["emergence"]
    assert list(figure.data[3].x) == [*study.looks, study.images] and figure.data[3].y[0] == pytest.approx(0.87)
    figure = studies.page(store, "guidance", None)[3]
    assert len(figure.data) == 10 and figure.data[0].name == "unipc, 8 steps" and len(figure.data[0].x) == 4
    assert figure.data[-1].name == REAL


def test_every_study_has_a_figure_for_every_metric(store):
    for name in STUDIES:
        found = store.studied(name)
        for metric in found.metrics if found else ():
            assert study_charts.figure(found, metric).data, (name, metric)


def test_links(store):
    (query,) = re.findall(r'data-link="\?([^"]+)"', studies.page(store, "rate", None)[-1])
    view = links.read(dict(parse_qsl(query.replace("&amp;", "&"))), TABS)
    assert view == View(tab="studies", study="rate")
    assert studies.opened(store, view) == ["rate", None]
    assert studies.opened(store, links.read({"study": "nope"}, TABS)) == ["skip", None]


def test_a_damaged_study_is_one_line(root, store):
    path = root / "studies" / "onestep" / studying.ROWS
    kept = path.read_text()
    for damage in ("{", '{"variant": 3}\n', "[]\n"):
        path.write_text(damage)
        with pytest.raises(UserError, match="damaged") as caught:
            store.studied("onestep")
        assert "\n" not in str(caught.value)
        cards = studies.page(store, "skip", None)[0]
        assert "cannot be read" in cards  # and all others go on
    path.write_text(kept)
    assert store.studied("onestep").whole
    assert store.studied("../studies/skip") is None and store.studied("nope") is None


def test_nothing_there_at_all(tmp_path):
    cards = studies.page(Store(tmp_path / "checkpoints"), "skip", None)[0]
    assert cards.count("not run yet") == len(STUDIES)
    assert study_view.outcome(None) == ("not run yet", "open")
