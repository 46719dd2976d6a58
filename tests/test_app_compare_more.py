"""Several reports at once: colours, the table, what is marked best, the figure, the settings tried, links."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from app import colours, compare_view, links, several, sweep, tradeoff
from app.build import CHECKPOINTS, TABS
from app.entries import Entry, alike
from app.figures import REAL as REAL_COLOUR
from app.links import View
from app.several import Shown
from app.store import Store
from app.tabs import compare, training
from diffusion_core.data import ROOT
from diffusion_core.errors import UserError
from eval.metrics import difference
from tests.made_reports import made_report

# ---------------------------------------------------------------- colours

PAPERS = ("#faf9f7", "#131312")  # app/theme.py, light and dark
# Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB.
VISIONS = {
    "common": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}  # fmt: skip


def linear(colour: str) -> np.ndarray:
    """ "#rrggbb" -> linear RGB [3] in [0, 1]."""
    c = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """WCAG 2: (lighter + 0.05) / (darker + 0.05)."""
    low, high = sorted(float(linear(c) @ (0.2126, 0.7152, 0.0722)) for c in (one, other))
    return (high + 0.05) / (low + 0.05)


def oklab(rgb: np.ndarray) -> np.ndarray:
    """Linear RGB [3] -> OKLab [3] (Ottosson 2020): distances are about as large as they look."""
    lms = np.array([[0.41222147, 0.53633254, 0.05144599], [0.21190350, 0.68069955, 0.10739696],
                    [0.08830246, 0.28171884, 0.62997870]]) @ np.clip(rgb, 0, 1)  # fmt: skip
    return np.array([[0.21045426, 0.79361779, -0.00407205], [1.97799850, -2.42859221, 0.45059371],
                     [0.02590404, 0.78277177, -0.80867577]]) @ np.cbrt(lms)  # fmt: skip


@pytest.mark.parametrize("colour", [*colours.PALETTE, REAL_COLOUR])
def test_a_colour_stands_out_on_light_and_on_dark_paper(colour):
    assert all(contrast(colour, paper) >= 3 for paper in PAPERS)


@pytest.mark.parametrize("vision", VISIONS)
def test_colours_are_told_apart_by_every_kind_of_colour_vision(vision):
    seen = [oklab(np.array(VISIONS[vision]) @ linear(c)) for c in (*colours.PALETTE, REAL_COLOUR)]
    assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) > 0.06


def test_a_checkpoint_has_one_colour_on_every_tab():
    store = Store(CHECKPOINTS)
    named = colours.colours(store)
    keys = [entry.key for entry in store.runs()][: training.MOST_RUNS]
    figure = training.page(store, keys, "loss", 0.0, True)[0]
    assert {trace.name: trace.line.color for trace in figure.data} == {key: named[key] for key in keys}
    reports = several.default(alike(store.reports(), "mnist"))
    _, scatter, _ = compare_view.together(store, reports)
    drawn = {trace.name: trace.marker.color for trace in scatter.data if trace.text}
    assert drawn == {key.split("/")[0]: named[key.split("/")[0]] for key in reports} | {"real test images": REAL_COLOUR}
    assert len(set(drawn.values())) == len(drawn)


# ---------------------------------------------------------------- table

SETS = {"fd": (0.5, 0.1), "recall": (0.9, 0.01), "coverage": (0.5, 0.02)}


def shown(name: str, errors=None, sets=None, **other) -> Shown:
    return Shown(name, "", "#000000", made_report(name, errors or {}, sets=SETS | (sets or {}), **other))


def test_the_best_is_marked_only_where_its_interval_overlaps_no_other():
    good, fair = shown("good", {3: 0.1}), shown("fair", {3: 0.2})
    bad = shown("bad", dict.fromkeys(range(10), 0.5), {"fd": (0.8, 0.1), "recall": (0.95, 0.02)})
    assert several.best([bad, good], "accuracy") == 1 and several.best([good, bad], "accuracy") == 0
    ours, theirs = (several.value(one.report, "accuracy") for one in (good, fair))
    assert ours.value > theirs.value and ours.low < theirs.high
    assert several.best([bad, good, fair], "accuracy") is None
    assert several.best([good, bad], "recall") == 1  # 0.93 to 0.97 against 0.89 to 0.91
    assert several.best([good, shown("x", sets={"recall": (0.93, 0.02)})], "recall") is None  # they touch at 0.91
    assert several.best([good], "recall") is None


def test_of_a_distance_the_lowest_is_best_and_the_floor_is_taken_off():
    low, high = shown("low"), shown("high", sets={"fd": (5.0, 0.1)})
    high = high._replace(report=replace(high.report, reference=low.report.reference))
    assert several.best([high, low], "fd") == 1
    floor = low.report.reference.metrics["overall"]["fd"]
    assert several.value(high.report, "fd") == difference(floor, high.report.metrics["overall"]["fd"])
    assert several.value(high.report, "fd").value == 4.5
    assert several.value(low.report, "fd").value == 0  # this report is its own floor
    assert "<td>0<small>the floor itself</small></td>" in several.table([low])


def test_sets_of_different_sizes_and_tuned_scores_are_not_marked():
    one, larger = shown("one"), shown("larger", sets={"recall": (0.99, 0.001)}, per_class=60)
    assert several.best([one, larger], "recall") is None
    assert several.SIZES in several.table([one, larger]) and several.SIZES not in several.table([one, one])
    assert "real test images" not in several.table([one, larger]).split("</table>")[0]
    bad = shown("bad", dict.fromkeys(range(10), 0.5))
    assert several.best([one, bad], "clip_margin") == 0
    tuned = shown("tuned", rewards=("clip:digit",))
    assert several.best([tuned, bad], "clip_margin") is None
    assert several.table([tuned, bad]).count("trained against it") == 1


def test_a_row_shows_values_and_what_was_not_measured():
    html = several.table([shown("<one>"), Shown("bare", "by hand", "#123456", made_report("bare"))])
    assert "&lt;one&gt;" in html and "<one>" not in html and "--hue:#123456" in html
    assert html.count("not measured") == 3  # of the one without sets, in three columns
    assert "90.0 %<small>[89.0, 91.0]</small>" in html


ENTRIES = [
    Entry("a/1", "a · 20 digits"), Entry("a/2", "a · 10 digits"), Entry("b/1", "b · 20 digits", "damaged"),
    Entry("c/1", "c · 20 digits"), Entry("real/1", "real test digits · 20 digits"),
]  # fmt: skip


def test_the_table_begins_with_the_first_report_of_every_checkpoint():
    assert several.default(ENTRIES) == ["a/1", "c/1"]
    many = [Entry(f"{name}/1", name) for name in "abcdefgh"]
    assert several.default(many) == [entry.key for entry in many[: several.MOST]]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("mnist", "from what is offered"),
        ([f"mnist/{i}" for i in range(7)], "at most 6"),
        (["../mnist"], "no report"),
        ([["mnist"]], "no report"),
    ],
)
def test_a_bad_choice_is_one_line(keys, message):
    with pytest.raises(UserError, match=message):
        compare_view.together(Store(CHECKPOINTS), keys)


def test_no_report_says_what_to_do(tmp_path):
    assert "python -m app score" in compare_view.together(Store(tmp_path), [])[0]


# ---------------------------------------------------------------- figure


def test_a_point_is_recall_and_accuracy_with_their_intervals():
    one, bare = shown("one", {3: 0.4}), Shown("bare", "", "#000000", made_report("bare"))
    figure = tradeoff.tradeoff([one._replace(made="first"), one._replace(made="again"), bare], [])
    assert [trace.text[0] for trace in figure.data] == ["one, first", "one, again", "real test images"]
    mark = figure.data[0]
    recall, accuracy = (one.report.metrics["overall"][m] for m in ("recall", "accuracy"))
    assert (mark.x[0], mark.y[0]) == (100 * recall.value, 100 * accuracy.value)
    assert mark.error_x.array[0] == pytest.approx(100 * (recall.high - recall.value))
    assert mark.error_y.arrayminus[0] == pytest.approx(100 * (accuracy.value - accuracy.low))


def test_the_settings_tried_are_points_of_their_own():
    found = sweep.read(ROOT / "docs")
    figure = tradeoff.tradeoff([shown("one")], [("one", "#123456", found)])
    line, real = figure.data[:2]
    assert line.line.color == "#123456" and len(line.x) == len(found.tried) > 1
    assert line.hovertext[0].startswith(found.tried[0].title.split(", levels")[0]) and "n = 8,000" in line.hovertext[0]
    assert (real.x[0], real.y[0]) == (100 * found.real.recall, 100 * found.real.accuracy)


def test_settings_of_one_number_of_steps_are_joined():
    real, titles = (
        sweep.Setting("real test digits", 9, 1.0, 1.0),
        ("unipc 5 steps, guidance 1", "unipc 8 steps", "unipc 5 steps, x"),
    )
    tried = tuple(sweep.Setting(title, 9, 0.5, i / 10) for i, title in enumerate(titles))
    lines = tradeoff.tradeoff([], [("one", "#123456", sweep.Sweep(real, tried))]).data[:-1]
    assert [list(line.x) for line in lines] == [[0, 20], [10]]


# ---------------------------------------------------------------- settings tried

HEAD = ",".join(sweep.COLUMNS)
REAL_LINE = "real test digits,800,0.99,3.4,0.9,0.93,0.9,0.92"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no CSV file"),
        ("setting,n\n", "its first line must be setting,n,accuracy"),
        (HEAD + "\n", "its first row must be 'real test digits'"),
        (f"{HEAD}\nddim,800,0.9,1,1,1,1,1\n", "its first row must be 'real test digits'"),
        (f"{HEAD}\n{REAL_LINE}\nddim,800\n", "line 3 does not hold 8 values"),
        (f"{HEAD}\n{REAL_LINE}\nddim,800,high,1,1,0.5,1,1\n", "line 3 does not hold 8 values"),
        (f"{HEAD}\n{REAL_LINE}\nddim,800,nan,1,1,0.5,1,1\n", "line 3 needs"),
        (f"{HEAD}\n{REAL_LINE}\nddim,800,99,1,1,0.5,1,1\n", "line 3 needs"),
        (b"\xff\xfe\x00", "no CSV file"),
    ],
)
def test_a_damaged_list_is_one_line_and_the_rest_is_shown(tmp_path, text, message):
    root = tmp_path / "checkpoints"
    made_report("one", sets=SETS).save(root / "one" / "reports" / "r")
    (root / "one" / sweep.SWEEP).write_bytes(text if isinstance(text, bytes) else text.encode())
    table, figure, said = compare_view.together(Store(root), ["one/r"])
    assert message in said.replace("&#x27;", "'") and said.count("<p") == 1 and str(tmp_path) not in said
    assert "one" in table and len(figure.data) == 2


def test_a_list_is_read_in_its_order_and_a_checkpoint_without_one_has_none(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / sweep.SWEEP).write_text(f'{HEAD}\n{REAL_LINE}\n"a, b",80,0.5,1,1,0.25,1,1\nc,90,1,1,1,0,1,1\n')
    found = Store(tmp_path).sweep("one")
    assert found.real == ("real test digits", 800, 0.99, 0.93)
    assert found.tried == (("a, b", 80, 0.5, 0.25), ("c", 90, 1.0, 0.0))
    assert Store(tmp_path).sweep("other") is None and Store(tmp_path).sweep("../one") is None


# ---------------------------------------------------------------- links


def test_a_link_restores_the_reports():
    store = Store(CHECKPOINTS)
    digits = alike(store.reports(), "mnist")
    keys = several.default(digits)[1:]
    html = compare_view.share(keys[0], keys[1], "recall", keys)
    query = html.split('data-link="?')[1].split('"')[0].replace("&amp;", "&")
    view = links.read(dict(part.split("=") for part in query.split("&")), TABS)
    a, b, metric, *_, chosen = compare.opened(store, view)
    assert [update["value"] for update in (a, b, metric, chosen)] == [keys[0], keys[1], "recall", keys]
    assert compare.opened(store, View(reports=("nobody", keys[0], keys[0])))[-1]["value"] == keys[:1]
    assert compare.opened(store, View(reports=("../x",)))[-1]["value"] == several.default(digits)
