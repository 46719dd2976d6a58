"""The report side of the page over two data sets: classes by their names, images in colour, and nothing mixed."""

import base64
import io
import json
import os
import re
import shutil
from dataclasses import replace
from html import unescape

import numpy as np
import pytest
from PIL import Image

from app import (
    card,
    classes,
    colours,
    compare_view,
    comparison_text,
    inspection,
    lookalikes,
    markup,
    matrix,
    report_text,
    rivals,
    several,
    sprites,
    tuned,
    words,
)
from app.entries import alike
from app.hero import hero, title
from app.links import View
from app.store import Store
from app.tabs import compare, confusion, denoise, inspect, judges, play, reports, scores, training, tuning
from app.tabs import lookalikes as twins
from app.verdicts import verdicts
from diffusion_core.errors import UserError
from eval.compare import compare as compare_reports
from eval.html import to_html
from eval.metrics import wilson
from eval.pairs import flips
from eval.sources import RealSource
from tests.made_data import MADE
from tests.made_page import PER_CLASS, made_root, seen_report
from tests.made_reports import made_report
from tests.test_app_training import make_run
from tests.test_app_tuned import make_tuning

KEY, EARLY = "shapes/made", "shapes-early/made"
NAMES = MADE.class_names


@pytest.fixture(scope="module")
def root(made_data, tmp_path_factory):
    return made_root(tmp_path_factory.mktemp("two") / "checkpoints")


@pytest.fixture(scope="module")
def store(root):
    return Store(root)


def chosen(tab, store, /, **view) -> list:
    """What a link opens, each picker by its value."""
    return [update["value"] if isinstance(update, dict) else update for update in tab.opened(store, View(**view))]


def offered(update: dict) -> list[str]:
    return [shown for shown, _ in update["choices"]]


def pictures(html: str) -> list[np.ndarray]:
    """The images of a gallery, uint8 [H, W, 3] each."""
    found = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(uri)))) for uri in found]


# ---------------------------------------------------------------- names


def test_a_name_that_is_a_number_does_not_stand_alone():
    assert classes.called("5", "mnist") == "digit 5" and classes.called("ankle boot", "fashion") == "ankle boot"
    assert classes.called("5", "nobody's") == "image 5"


def test_the_head_shows_every_data_set_and_is_called_after_the_first(store, root, made_data, tmp_path):
    html = hero(store)
    assert "<h1>Digits out of noise</h1>" in html and "draw handwritten digits and shapes; judges" in html
    assert html.count('class="pixels ink"') == 1 and html.count('class="pixels"') == 1  # colour is no stencil
    assert "Shapes drawn by a model shown here: 44 samples" in html and html.count("--rows:1") == 2
    shutil.copytree(root / "shapes", tmp_path / "shapes")
    alone = Store(tmp_path)
    assert title(alone) == "Shapes out of noise" and "draws shapes; four judges" in hero(alone)


def test_the_pair_shown_first_is_the_one_people_ask_for_or_the_commonest_mistake():
    assert classes.pair("mnist", [[0] * 10] * 10) == (5, 6) and classes.pair("cifar10", [[0] * 10] * 10) == (3, 5)
    assert classes.pair("made", [[9, 1, 0], [0, 9, 4], [2, 0, 9]]) == (1, 2)
    assert classes.pair("made", [[9, 0], [0, 9]]) == (0, 1)
    assert classes.pair("mnist", [[9, 2], [0, 9]]) == (0, 1), "a report of fewer classes"


def test_classes_of_a_data_set_that_nobody_knows_go_by_their_numbers(made_data):
    assert classes.names("made", 3) == NAMES
    assert classes.names("made", 2) == classes.names("nobody's", 2) == ("0", "1")


def test_a_verdict_says_what_the_class_read_is_called(store):
    table = store.report(KEY).table.iloc[:1]
    (row,) = verdicts(table, table["label"].to_numpy(), NAMES)
    assert {verdict.read for verdict in row} == {"red square"} and "red square" in markup.verdict_line(row[0])
    (row,) = verdicts(table, table["label"].to_numpy())
    assert row[0].read == "0"


# ---------------------------------------------------------------- the store


def test_each_data_set_has_its_place_and_is_named_where_there_are_two(store):
    owners = [entry.key.split("/")[0] for entry in store.reports()]
    assert owners == ["mnist", "mnist", "early", "shapes", "shapes-early", "real"]
    titles = {entry.key.split("/")[0]: entry.title for entry in store.reports()}
    assert titles["shapes"] == f"shapes · made, {3 * PER_CLASS} shapes"
    assert titles["early"].startswith("early · mnist, ") and "digits" in titles["early"]
    assert titles["mnist"].startswith("mnist · 20 digits"), "its name says it"
    assert [entry.title for entry in store.checkpoints()][2:] == [
        "shapes · made, 160 images seen", "shapes-early · made, 160 images seen",
    ]  # fmt: skip


def test_what_is_never_shown_together_may_have_one_colour(store):
    found = colours.colours(store)
    assert found["mnist"] != found["early"] and found["shapes"] != found["shapes-early"]
    assert found["shapes"] in (found["mnist"], found["early"])


def test_real_images_of_another_data_set_are_not_beside_a_report(store):
    report = store.report(KEY)
    assert store.real_beside(replace(report, scorers=("classifier@fake0",))) is None
    assert store.real_beside(store.report(store.report_key("early"))) is not None
    assert store.real_rows(0, "mnist") is not None and store.real_rows(0, "made") is None


@pytest.fixture
def with_real(root, tmp_path, made_data):
    """The store with the real test images of the second data set, scored by the judges of its reports."""
    real = RealSource("test", MADE.name)
    labels, seeds = real.plan(None)
    report = seen_report(name="real")
    rows = [int(np.flatnonzero(report.table["label"] == label)[0]) for label in labels.tolist()]
    table = report.table.iloc[rows].reset_index(drop=True).assign(seed=seeds.numpy())
    folder = tmp_path / "checkpoints"
    plan = report.plan | {"per_class": None, "count": len(table)}
    replace(report, table=table, plan=plan, source=real.info).save(folder / "real" / "reports" / "made")
    for name in ("shapes", "shapes-early"):
        (folder / name).symlink_to(root / name)
    return Store(folder)


def test_real_images_are_read_from_their_own_data_set(with_real):
    report = with_real.report(KEY)
    real = with_real.real_beside(report)
    assert real.source.dataset == "made" and tuple(real.images.shape[1:]) == MADE.shape
    assert [entry.title for entry in with_real.reports()][-1].startswith("real test shapes · ")
    _grid, _words, found = confusion.page(with_real, KEY, "real", "classifier", False, False, [0, 0], 0)
    assert pictures(found)[0].shape == (32, 32, 3)


def test_real_images_that_are_not_here_are_blanks_beside_their_numbers(with_real, monkeypatch):
    """A fresh clone has the reports of every data set and the images of one."""
    folder, key = os.environ[MADE.env], "real/made"
    monkeypatch.delenv(MADE.env)
    entry = next(entry for entry in with_real.reports() if entry.key == key)
    assert entry.problem is None and with_real.report(key).images is None
    _grid, head, cell = confusion.page(with_real, KEY, "real", "classifier", False, False, [0, 0], 0)
    galleries = [
        cell,
        inspect.gallery(with_real.report(key), 0, "all", "clip_probability", "worst", 0),
        twins.page(with_real, key, 0, 1, "classifier")[3],
    ]
    for html in galleries:
        told = unescape(html)
        assert told.count("The images of 'made' are not on this machine") == 1 and "app dataset made --take" in told
        assert len({picture.tobytes() for picture in pictures(html)}) == 1
        assert pictures(html)[0].shape == (32, 32) and "no. " in html
    assert "red square" in head
    page = to_html(with_real.report(key))
    assert "not on the machine that wrote this page" in page and "Which classes are taken for which" in page
    monkeypatch.setenv(MADE.env, folder)
    _grid, _head, cell = confusion.page(with_real, KEY, "real", "classifier", False, False, [0, 0], 0)
    assert pictures(cell)[0].shape == (32, 32, 3) and "not on this machine" not in cell


# ---------------------------------------------------------------- scores


def test_scores_name_their_classes(store):
    above, figure, table, _below = scores.page(store, EARLY, "accuracy")
    assert "disc hardest" in scores.hardest(worse(store), "accuracy") and "real test images" in above
    assert list(figure.data[0].x) == list(NAMES) and figure.layout.xaxis.automargin
    assert all(f'<th scope="row">{name}</th>' in table for name in NAMES)
    assert "digit" not in table and "digit" not in str(figure.to_dict())


def worse(store):
    """The early report beside the later one's images as the real ones."""
    return replace(store.report(EARLY), reference=store.report(KEY).summary)


def test_the_rows_of_many_classes_are_in_the_order_of_their_numbers():
    names = tuple(f"kind {i}" for i in range(12))
    report = made_report(class_names=names, per_class=4)
    assert re.findall(r'<th scope="row">(kind \d+)</th>', scores.table(report, "accuracy")) == list(names)
    figure = scores.figures.score_bars(report.metrics["per_class"], None, "accuracy", names)
    assert list(figure.data[0].x) == list(names)


def test_long_names_are_cut_short_below_a_figure():
    names = ("a very long name indeed", "bag")
    report = made_report(class_names=names, per_class=4)
    axis = scores.figures.score_bars(report.metrics["per_class"], None, "accuracy", names).layout.xaxis
    assert list(axis.tickvals) == list(names) and list(axis.ticktext) == ["a very long …", "bag"]


def test_only_scores_and_judges_that_a_report_has_are_offered(store):
    _, metric = scores.opened(store, View(a="shapes"))
    assert "Nearest neighbours accuracy" not in offered(metric) and "CLIP margin" in offered(metric)
    assert not [title for title in offered(metric) if "troke" in title]
    judge = confusion.opened(store, View(a="shapes"))[2]
    assert offered(judge) == ["Classifier", "Second classifier", "CLIP"] and judge["value"] == "classifier"
    assert confusion.opened(store, View(a="shapes", judge="knn"))[2]["value"] == "classifier"
    orders = inspect.opened(store, View(a="shapes"))[2]
    assert "Slant" not in offered(orders) and "CLIP score" in offered(orders)


# ---------------------------------------------------------------- confusion


def test_every_cell_opens_its_images_in_colour(store):
    report = store.report(EARLY)
    for r in range(3):
        for c in range(3):
            html = confusion.thumbnails(report, "classifier", (r, c), 0)
            rows = confusion.rows_of(report, "classifier", (r, c))
            assert len(rows) == report.confusions["classifier"][r][c]
            for picture, image in zip(pictures(html), report.images[rows], strict=True):
                np.testing.assert_array_equal(picture, image.permute(1, 2, 0).numpy())
    assert 'alt="disc, seed ' in confusion.thumbnails(report, "classifier", (1, 2), 0)
    assert "no red square was read as cross" in confusion.thumbnails(report, "classifier", (0, 2), 0)


def test_the_matrix_says_names_and_links_say_numbers(store):
    *settings, of = chosen(confusion, store, a="shapes-early")
    grid, words, _found = confusion.page(store, *settings)
    assert of == "made" and 'aria-label="asked disc, judged cross: ' in grid and "disc judged cross" in grid
    assert "Asked for disc, read as cross by the classifier" in words and "cell=1,2" in words
    assert chosen(confusion, store, a="shapes-early", cell=(2, 0))[5] == [2, 0]
    assert chosen(confusion, store, a="shapes-early", cell=(5, 6))[5] is None
    with pytest.raises(UserError, match="from 0 to 2"):
        confusion.page(store, EARLY, "generated", "classifier", False, False, [1, 3], 0)


def test_long_names_stand_on_end_and_many_classes_scroll():
    def html(names):
        return matrix.matrix([[1] * len(names)] * len(names), names, (0, 1), (0, 1), False, "CLIP")

    assert 'class="matrix"' in html(["0", "1"]) and 'class="matrix named"' in html(["ankle boot", "bag"])
    assert "--longest:10" in html(["ankle boot", "bag"]) and '<span title="' not in html(["ankle boot", "bag"])
    assert f'title="{"x" * 40}"' in html(["x" * 40, "bag"]) and f"--longest:{words.LONGEST}" in html(["x" * 40, "bag"])
    assert 'class="scroll"' in html([str(i) for i in range(30)]) and 'class="scroll"' not in html(list("0123456789"))
    assert "&lt;b&gt;" in html(["<b>", "c"]) and "<b>," not in html(["<b>", "c"])


def test_what_is_absent_is_said_in_one_line(store, made_data, monkeypatch):
    with pytest.raises(UserError, match="python -m app score real --data made"):
        confusion.page(store, KEY, "real", "classifier", False, False, None, 0)
    assert "Until then" not in reports.page(store)[0]
    monkeypatch.delenv(MADE.env)
    with pytest.raises(UserError, match="The images of 'made' are not on this machine"):
        confusion.page(store, KEY, "difference", "classifier", False, False, None, 0)
    assert unescape(reports.page(store)[0]).count("The images of 'made' are not on this machine") == 1
    for tab in (confusion, inspect, twins):
        *settings, _ = chosen(tab, store, a="shapes")
        assert pictures("".join(part for part in tab.page(store, *settings) if isinstance(part, str)))


def test_a_report_of_a_data_set_that_is_not_known_here_opens(tmp_path):
    seen_report(replace(MADE, name="theirs"), "model").save(tmp_path / "model" / "reports" / "r")
    lone = Store(tmp_path)
    (entry,) = lone.reports()
    assert entry.title == f"model · {3 * PER_CLASS} images"
    grid, _words, _ = confusion.page(lone, *chosen(confusion, lone)[:-1])
    assert "asked disc, judged cross" in grid
    assert "There is no data set" in reports.page(lone)[0]
    scores.page(lone, *chosen(scores, lone))
    inspect.page(lone, *chosen(inspect, lone)[:-1])


# ---------------------------------------------------------------- inspect, twins


def test_inspect_ranks_classes_by_name(store):
    *settings, of = chosen(inspect, store, a="shapes-early", tab="inspect", digits=(2,))
    assert settings[4] == 2 and of == "made"
    ranking, figure, gallery, link = inspect.page(store, *settings)
    assert "<b>cross</b>" in ranking and "cross: the classifier reads" in ranking and "as red square" in ranking
    assert f"of {PER_CLASS} samples of cross." in gallery and 'alt="cross, seed ' in gallery and "digits=2" in link
    assert "images of cross (%)" in str(figure.layout.yaxis.title.text)
    assert chosen(inspect, store, a="shapes", tab="inspect", digits=(7,))[4] is None
    assert inspection.hardest(worse(store))[0].label == 1


def test_twins_are_the_commonest_mistake_unless_a_link_names_them(store):
    assert chosen(twins, store, a="shapes-early") == [EARLY, "1", "2", "classifier", "made"]
    assert chosen(twins, store, a="shapes-early", cell=(0, 2))[1:3] == ["0", "2"]
    assert chosen(twins, store, a="shapes-early", cell=(5, 6))[1:3] == ["1", "2"]
    assert chosen(twins, store, a="mnist")[1:3] == ["5", "6"]
    assert offered(twins.opened(store, View(a="shapes"))[1]) == list(NAMES)


def test_twins_hold_only_checkpoints_of_one_data_set_beside_one_another(store):
    words, figure, tables, found, ways = twins.page(store, EARLY, "1", "2", "classifier")
    assert "images of disc as cross" in words and "disc read as cross" in tables
    assert ">shapes</th>" in tables and ">mnist</th>" not in tables and "real test digits" not in tables
    assert [trace.name for trace in figure.data] == ["disc", "cross"] and "Images of disc that look most" in found
    assert "Watch disc and cross come" in ways and "cell=1,2" in ways
    assert "digit" not in re.sub(r"digits=", "", words + tables + found + ways)
    assert lookalikes.share(store.report(EARLY), "classifier", 1, 2).n == PER_CLASS


# ---------------------------------------------------------------- compare, several, training


def test_only_reports_of_one_data_set_are_offered_beside_a(store):
    a, b, _metric, label, *_, table = compare.opened(store, View(a="shapes"))
    assert [value["value"] for value in (a, b)] == [KEY, EARLY]
    assert {key for _, key in b["choices"]} == {key for _, key in table["choices"]} == {KEY, EARLY}
    assert len(a["choices"]) == 6 and offered(label) == ["All", *NAMES]
    mixed = compare.opened(store, View(a="shapes", b="early", reports=("mnist", EARLY)))
    assert mixed[1]["value"] == EARLY and mixed[-1]["value"] == [EARLY]
    assert rivals.rival(store, KEY) == EARLY and rivals.of_one_data_set(store, KEY, EARLY)
    assert not any(rivals.of_one_data_set(store, KEY, key) for key in (store.report_key("mnist"), None, "own/gone"))
    assert alike(store.reports(), "made") == [entry for entry in store.reports() if entry.key in (KEY, EARLY)]


def test_what_is_of_two_data_sets_is_not_compared(store):
    early = store.report_key("early")
    said, figure, *_ = compare_view.page(store, early, KEY, "accuracy", "all", "differ", 0)
    assert "different data sets: mnist and made" in said and figure is None
    with pytest.raises(UserError, match="different data sets"):
        compare_view.together(store, [early, KEY])
    table, figure, _ = compare_view.together(store, [KEY, EARLY])
    assert table.count("<tr>") == 4 and "real test images" in table and several.HOW.split(".")[0] in table


def test_pairs_and_what_changed_are_of_classes(store):
    shown = compare_view.show(store, *chosen(compare, store, a="shapes-early", b="shapes"))
    _verdict, figure, below, pairs, _more, grid, about, inside, *_ = shown
    assert list(figure.data[0].x) == list(NAMES) and '<th scope="row">red square</th>' in below
    assert "Asked for disc, read as cross by the classifier" in about and "asked disc, judged cross" in grid
    assert 'data-wipe="Disc, seed ' in pairs and 'alt="A: disc, seed ' in pairs
    assert "--large:384px;--small:288px" in pairs, "12 and 9 times 32 pixels"
    assert pictures(inside)[0].shape == (32, 32, 3)
    cut = compare_view.turned(store, EARLY, KEY, "accuracy", "1", "differ", 0)
    assert cut.count('class="pair"') == PER_CLASS
    with pytest.raises(UserError, match="Choose the score, the class"):
        compare_view.turned(store, EARLY, KEY, "accuracy", "3", "differ", 0)


def test_runs_of_two_data_sets_have_no_curve_together(root, tmp_path):
    for name in ("mnist", "shapes", "shapes-early"):
        (make_run(tmp_path, name) / "checkpoint.json").write_bytes((root / name / "checkpoint.json").read_bytes())
        (tmp_path / name / "model.safetensors").write_bytes((root / name / "model.safetensors").read_bytes())
    look = {"images": 0, "per_class": {str(d): {"clip_probability": 0.5} for d in range(3)}}
    (tmp_path / "shapes" / "evaluations.jsonl").write_text(json.dumps(look) + "\n")
    store = Store(tmp_path)
    assert store.runs()[1].title == "shapes · made, 1,000 images"
    with pytest.raises(UserError, match="different data sets: mnist and made"):
        training.page(store, ["mnist", "shapes"], "loss", 0.6, True)
    figure = training.page(store, ["shapes"], "clip", 0.6, True)[0]
    assert {trace.name for trace in figure.data} == {*NAMES, "all images"}
    assert len(training.page(store, ["shapes", "shapes-early"], "loss", 0.0, True)[0].data) == 2


# ---------------------------------------------------------------- tuning


def test_a_tuning_of_images_without_strokes_is_shown_with_its_classes(root, tmp_path):
    folder = make_tuning(tmp_path, parent="shapes")
    (tmp_path / "shapes").symlink_to(root / "shapes")
    rows = [json.loads(line) for line in (folder / "evaluations.jsonl").read_text().splitlines()]
    (folder / "evaluations.jsonl").write_text(
        "".join(json.dumps({k: v for k, v in row.items() if k != "ink"}) + "\n" for row in rows)
    )
    store = Store(tmp_path)
    assert store.tunings()[0].dataset == "made"
    _words, figure, numbers, grid, pairs, *_ = tuning.page(store, "tuned", "classifier")
    assert "ink" not in [trace.name for trace in figure.data] and "Ink" not in numbers and "Recall" in numbers
    assert all(f"<span>{name}</span>" in grid for name in NAMES) and "read <b>disc</b>" in pairs
    assert "<b>red square</b>" in tuned.gallery(store.tuning("tuned"), NAMES)


# ---------------------------------------------------------------- judges


@pytest.fixture
def cards(tmp_path, monkeypatch):
    """A folder of judges: MNIST's beside two of the second data set."""
    for judge in ("classifier", "clip"):
        test = judges.measured(judges.read_card(judges.FOLDER / "mnist" / judge))
        keys = ("accuracy", "calibration_error", "reliability")
        test = {key: test[key] for key in keys} | {
            "confusion": [[30, 0, 0], [0, 20, 5], [1, 0, 19]],
            "per_class": {str(d): wilson(hits, 20).to_dict() for d, hits in enumerate((20, 16, 19))},
        }
        folder = tmp_path / "judges" / "made" / judge
        folder.mkdir(parents=True)
        (folder / "card.json").write_text(
            json.dumps({"test": test, "class_names": NAMES, "architecture": "net", "role": "reports"})
        )
    (tmp_path / "judges" / "mnist").symlink_to(judges.FOLDER / "mnist")
    monkeypatch.setattr(judges, "FOLDER", tmp_path / "judges")


def test_judges_are_those_of_a_data_set(store, cards):
    assert judges.judged() == ["mnist", "made"]
    assert judges.known("made") == [("Classifier", "classifier"), ("CLIP", "clip")] and len(judges.known("mnist")) == 4
    table, _figure, each, grid, words, found = judges.page(store, "made", "clip", None, 0)
    assert table.count("<tr>") == 3 and "disc (80.0 %)" in table and '<th scope="row">cross</th>' in each
    assert "asked disc, judged cross: 5 of 25" in grid and "score real --data made" in words and found == ""
    assert chosen(judges, store, a="made") == ["made", "classifier", None, 0]
    assert chosen(judges, store, a="shapes", judge="clip")[:2] == ["made", "clip"]
    assert chosen(judges, store, a="nobody", judge="knn")[:2] == ["mnist", "knn"]
    for dataset, judge in (("../mnist", "clip"), ("made", "knn"), (None, "clip"), ("made", [])):
        with pytest.raises(UserError):
            judges.page(store, dataset, judge, None, 0)


# ---------------------------------------------------------------- text, cards, pixels


def test_the_terminal_speaks_of_classes(store):
    report, early = store.report(KEY), store.report(EARLY)
    text = "\n".join(report_text.lines(report))
    assert "red square" in text and "the class asked for" in text and "digit" not in text
    rows = compare_reports(early, report)
    gained = [flip._asdict() for flip in flips(early, report, "classifier").gained]
    pairs = {"config": [], "flips": {"classifier": {"gained": gained, "lost": []}}}
    said = "\n".join(comparison_text.lines(rows, pairs))
    assert "class by class" in said and "disc (seed" in said


def test_an_images_card_has_its_class_and_leaves_out_what_was_not_measured(store):
    report = store.report(KEY)
    row = {key: np.array([value]) for key, value in report.table.iloc[1].items() if key != "clip_margin"}
    html = card.card(report.images[1], 1, 7, MADE, row, None, [], "python -m app sample", {})
    assert 'aria-label="disc, seed 7"' in html and "<span>red square</span>" in html
    assert "Nearest real" not in html and "Beside real" not in html


@pytest.mark.parametrize(("side", "shown"), [(28, 56), (32, 64), (64, 64), (128, 128)])
def test_a_pixel_of_a_thumbnail_is_a_whole_number_of_pixels(side, shown):
    uri = sprites.data_uri(sprites.png(np.zeros((side, side, 3), np.uint8)))
    assert sprites.side(uri) == side
    html = markup.image(uri, "an image")
    assert f'width="{side}"' in html and f"--tile-px:{shown}px" in html


@pytest.mark.parametrize("tab", [denoise, play])
def test_a_model_without_a_classifier_says_so_where_its_images_would_be(store, tab):
    asked = [
        value.get("value") if isinstance(value, dict) else value
        for value in tab.opened(store, View(tab=tab.TITLE.lower(), a="shapes"))
    ]
    shown = tab.page(store, *asked)
    first = shown[0] if tab is denoise else next(shown)[0]
    assert first.startswith('<p class="problem">') and "&#x27;made&#x27; has no judge &#x27;classifier&#x27;" in first


def test_a_poster_needs_no_judge(store):
    asked = dict(
        zip(play.Controls._fields, play.opened(store, View(tab="play", play="poster", a="shapes")), strict=True)
    )
    asked = {name: value.get("value") if isinstance(value, dict) else value for name, value in asked.items()}
    *_, poster, progress = list(play.page(store, *asked.values()))[-1]
    assert "<img" in poster and "problem" not in poster + progress
