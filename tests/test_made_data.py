"""A data set unlike MNIST, through everything between its files and a report's page: names of words, colour, 32 x 32.

Its tables have no measures of strokes and no neighbours, as where nothing is drawn with a pen and no training image is
at hand.
"""

import csv
import io
import json
import re
import zipfile
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from app import train_command
from diffusion_core import data
from eval import details, html_images
from eval.data_card import to_card as set_card
from eval.errors import UserError
from eval.filters import Sieve
from eval.findings import findings
from eval.html import command, to_html
from eval.memorisation import NeighbourScorer
from eval.model_card import to_card
from eval.report import load
from eval.rows import label_of
from eval.sources import RealSource, open_source
from eval.summary import JUDGES, summarise
from eval.synthesis import Block, LeftOut, Request, Synthesis
from eval.tidy import to_csv
from eval.writers import COLOUR, FORMATS, PLACE, DataSet, png
from tests.made_data import COUNTS, MADE, draw
from tests.made_reports import made_report
from tests.test_outputs import Reader, tiles

EACH, NAMES = 20, MADE.class_names
NONE = SimpleNamespace(metrics={"overall": {}, "per_class": {}})
NOTHING = LeftOut(*[torch.empty(0, dtype=torch.int64)] * 4)
LABELS, SEEDS = torch.arange(3).repeat(EACH), torch.arange(3 * EACH)


@pytest.fixture(scope="module")
def images(made_data):
    return draw(LABELS, SEEDS)


def table(wrong: dict[int, int]) -> pd.DataFrame:
    """Every judge reads every image right but for `wrong`: {label: what all but its first three images are read as}."""
    labels, columns = LABELS.numpy(), {"label": LABELS.numpy(), "seed": SEEDS.numpy()}
    read = labels.copy()
    for label, as_other in wrong.items():
        read[np.flatnonzero(labels == label)[3:]] = as_other
    p = np.full((len(labels), 3), 0.05)
    p[np.arange(len(labels)), read] = 0.9
    asked = p[np.arange(len(labels)), labels]
    for judge in JUDGES:
        columns |= {f"{judge}_label": read} | {f"{judge}_p{d}": p[:, d] for d in range(3)}
        columns["clip_probability" if judge == "clip" else f"{judge}_confidence"] = asked
    return pd.DataFrame(columns | {"disagreement": np.zeros(len(labels))})


@pytest.fixture(scope="module")
def report(made_data, images):
    """Of 20 crosses 17 are read as discs."""
    scored = table({2: 1})
    found = replace(
        made_report("made", per_class=EACH, class_names=NAMES, shape=MADE.shape, dataset="made"),
        table=scored, images=images, summary=summarise(scored, 3), reference=summarise(table({}), 3),
    )  # fmt: skip
    return details.added(found, table({}), ())


# ---------------------------------------------------------------- from a table to what is said of it


def test_findings_name_classes(images):
    found = findings(table({2: 1}), NONE, NONE, table({}), {"class_names": NAMES, "images": images})
    assert [(f.kind, f.labels) for f in found] == [("wrong", (2,)), ("confused", (2, 1))]
    sayers = "(so say the classifier, the second classifier, the nearest neighbours and CLIP)"
    assert [f.text for f in found] == [
        f"cross: often wrong, only 15 % are read as the class asked for, of real images 100 % {sayers}.",
        f"cross is read as disc in 85 % of its images, in 0 % of the real ones {sayers}.",
    ]
    (swap, *_) = findings(table({0: 1, 1: 0}), NONE, NONE, table({}), {"class_names": NAMES, "images": images})
    assert swap.text == (
        "red square and disc are swapped: red square is read as disc in 85 % of its images, disc as red square in 85 % "
        f"{sayers}."
    )
    same = torch.zeros_like(images) + torch.arange(32, dtype=torch.uint8)
    (repeated,) = findings(table({}), NONE, NONE, table({}), {"class_names": NAMES, "images": same})
    assert repeated.text == "All classes: the same images again and again, 3 among 60."


def test_a_report_without_strokes_and_neighbours_lacks_just_these(report, tmp_path):
    assert set(report.details) == {"findings"} and report.details["findings"][0]["digits"] == [2]
    assert not {"thickness", "memorised"} & report.metrics["overall"].keys()
    report.save(tmp_path / "report")
    again = load(tmp_path / "report")
    assert again.metrics == report.metrics and torch.equal(again.images, report.images)
    assert again.source == report.source


def test_the_page_names_classes_and_shows_colours(report):
    page = to_html(report)
    read = Reader(page)
    assert list(read.text) == [
        "findings", "headline", "classes", "samples", "confusion", "doubtful", "words", "origin",
    ]  # fmt: skip
    assert set(NAMES) <= set(read.text["classes"]) and "red square" in read.text["samples"]
    assert "cross read as disc (17 of 20)" in page.replace("\n", " ")
    assert 'title="asked cross, read disc: 17 of 20"' in page and 'class="worded"' in page
    sheet = tiles(page, 32)
    order = [i for d in range(3) for i in np.flatnonzero(report.table.label == d)]
    assert all(np.array_equal(sheet[k], report.images[i].permute(1, 2, 0)) for k, i in enumerate(order))
    assert not re.search(r"\bdigits?\b", page, re.I)


def test_grey_images_are_turned_to_ink_only_where_a_pen_drew_them(report, made_data, monkeypatch):
    grey = replace(report, images=report.images[:, :1])
    assert "invert(1)" not in to_html(grey)
    assert html_images.on_paper(replace(report, source=replace(report.source, dataset="mnist")))
    assert not html_images.on_paper(replace(report, source=replace(report.source, dataset="no such")))


def test_csv_and_card_name_classes(report):
    scopes = [row["scope"] for row in csv.DictReader(io.StringIO(to_csv(report)))]
    assert list(dict.fromkeys(scopes)) == ["overall", *NAMES]
    card = to_card(report)
    assert command(report) == "python -m app score made --per-class 20 --seed 0"
    file = replace(report, source=replace(report.source, kind="folder", given="mine"))
    assert command(file) == "python -m app score mine --data made --per-class 20 --seed 0"
    assert "60 images" in card and "real test images" in card and not re.search(r"\bdigits?\b", card)


# ---------------------------------------------------------------- sources and filters


def test_distances_are_those_of_the_data_set(made_data, images):
    assert NeighbourScorer("made")(images, LABELS)["train_index"].max() < sum(COUNTS["train"])
    values = Sieve({"from_training": 0.2, "diversity": 0.1}, "made")(images, LABELS).values
    assert values["from_training"].isfinite().all() and 0.2 < values["from_training"].median() < 3
    copies = RealSource("train", "made").data
    assert Sieve({"from_training": 0.2}, "made")(copies.images[:9], copies.labels[:9]).reason.tolist() == [0] * 9


class Drawn:
    """Draws anything but crosses: those are discs that lie in the training split."""

    def __init__(self):
        real = RealSource("train", "made")
        self.info, self.class_names, self.data = real.info, real.class_names, real.data

    def images(self, labels, seeds):
        disc = self.data.images[self.data.labels == 1][0]
        return torch.where((labels == 2)[:, None, None, None], disc, draw(labels, seeds))


def test_a_set_is_drawn_by_class_and_says_which_it_gave_up(made_data, monkeypatch):
    monkeypatch.setattr("eval.synthesis.PATIENCE", 50)
    *_, last = Synthesis(Drawn(), Request(9, (1.0, 1.0, 0.0), 20_001, {"from_training": 0.01})).blocks(9, 9)
    assert last.block.labels.tolist() == [0, 1, 0, 1, 0, 1, 0, 1, 0]
    assert last.block.seeds[:4].tolist() == [20_001, 20_002, 20_004, 20_005]
    with pytest.raises(UserError, match="images of 'cross' the filters let 0 through"):
        list(Synthesis(Drawn(), Request(30, (1.0, 1.0, 1.0), 20_000, {"from_training": 0.01})).blocks(30, 30))


# ---------------------------------------------------------------- forms of a data set


@pytest.fixture(scope="module")
def written(made_data, images, tmp_path_factory):
    """{form: folder}."""
    scores = {"confidence": torch.rand(60, generator=torch.Generator().manual_seed(0)).double()}
    block, folders = Block(images, LABELS, SEEDS, scores, NOTHING), {}
    for name, form in FORMATS.items():
        folders[name] = tmp_path_factory.mktemp(name) / PLACE
        folders[name].mkdir()
        form.write(folders[name], DataSet(60, made_data, ("confidence",), lambda: iter([block])))
    return folders


@pytest.mark.parametrize("form", FORMATS)
def test_every_form_is_read_back(written, images, form):
    where = written[form] / COLOUR if form == "idx" else written[form]
    source = open_source(str(where), dataset="made")
    labels, seeds = source.plan(None)
    found = source.images(labels, seeds)
    if source.info.seeded:
        assert torch.equal(labels, LABELS) and torch.equal(seeds, SEEDS) and torch.equal(found, images)
    else:  # IDX has no place for seeds
        mine, theirs = (
            sorted((d, i.numpy().tobytes()) for d, i in zip(y.tolist(), x, strict=True))
            for y, x in ((labels, found), (LABELS, images))
        )
        assert mine == theirs


def test_a_set_written_as_idx_can_be_trained_on(written, images):
    found = data.load("made", "train", written["idx"])
    assert torch.equal(found.images, images) and torch.equal(found.labels, LABELS)


@pytest.mark.parametrize("form", ["npz", "idx"])
def test_what_the_card_says_opens_it(written, images, form, monkeypatch):
    monkeypatch.chdir(written[form].parent)
    found = {}
    exec(FORMATS[form].opening(MADE), found)
    assert np.array_equal(found["images"], images.permute(0, 2, 3, 1)) and np.array_equal(found["labels"], LABELS)


def test_the_card_of_a_set_names_its_classes():
    estimate = {"value": 0.9, "low": 0.8, "high": 0.95, "n": 20}
    score = {"overall": estimate | {"n": 60}, "per_class": [estimate] * 3, "real": estimate}
    record = {
        "count": 60, "checkpoint": "mine", "sha256": "12", "format": "idx", "sample": {"steps": 4}, "seed": 7,
        "filters": {}, "command": "x", "labels": [{"delivered": 20, "tried": 20, "left_out": {}}] * 3,
        "scores": {"classifier": score, "second": score},
    }  # fmt: skip
    card = set_card(record, MADE)
    assert "| red square | 20 | 20 | 90 % [80, 95] |" in card and "| class | images |" in card
    assert "seed 7 + 3 j + d" in card and "Labels: 0 red square, 1 disc, 2 cross." in card
    assert "license" not in card and not re.search(r"\bdigits?\b", card.replace("digits.npz", ""))
    mnist = replace(MADE, name="mnist", class_names=("0", "1", "2"))
    assert "license: cc-by-sa-3.0" in set_card(record, mnist) and "Labels:" not in set_card(record, mnist)


# ---------------------------------------------------------------- folders and labels of anybody


def save(folder, named: dict[str, int], images):
    """The first image of a label in each class folder."""
    for name, label in named.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "a.png").write_bytes(png(images[label]))


@pytest.mark.parametrize(
    "named", [{"cross": 2, "disc": 1, "red square": 0}, {"0": 0, "2": 2}, {"cross": 2, "0": 0}, {"red square": 0}]
)
def test_class_folders_go_by_name_or_index_and_never_by_order(images, tmp_path, named):
    save(tmp_path / "mine", named, images)
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
        for path in sorted((tmp_path / "mine").rglob("*.png")):
            archive.write(path, path.relative_to(tmp_path / "mine"))
    for where in ("mine", "mine.zip"):
        source = open_source(str(tmp_path / where), dataset="made")
        labels, seeds = source.plan(None)
        assert sorted(labels.tolist()) == sorted(named.values()), "one class folder in a .zip is no wrapping"
        found = source.images(labels, seeds)
        assert all(torch.equal(image, images[label]) for label, image in zip(labels.tolist(), found, strict=True))


def test_a_folder_that_is_no_class_is_named_with_those_there_are(images, tmp_path):
    save(tmp_path / "mine", {"circle": 1}, images)
    known = r"0..2 \(red square, disc, cross\)"
    with pytest.raises(UserError, match=rf"'circle' is not a class of 'made' \(they are {known}\)"):
        open_source(str(tmp_path / "mine"), dataset="made")
    with pytest.raises(UserError, match=rf"label 'dog' is not one of the classes {known}"):
        label_of("dog", NAMES)
    many = tuple(f"kind {i}" for i in range(100))
    with pytest.raises(UserError, match=r"0..99 \(kind 0, .*kind 10, ..., kind 99\)"):
        label_of("dog", many)


def test_numbers_as_names_are_names():
    """Of classes called 1, 2, 3 the folder 1 is the first class, and a folder 0 is none."""
    names = ("1", "2", "3")
    assert [label_of(name, names) for name in names] == [0, 1, 2]
    assert [label_of(number, names) for number in (0, 1, 2, -1)] == [0, 1, 2, -1] and label_of("-1", names) == -1
    with pytest.raises(UserError, match="not one of the classes"):
        label_of("0", names)


def test_names_of_files_hold_indices(images, tmp_path, monkeypatch):
    monkeypatch.setitem(data.DATASETS, "made", replace(MADE, class_names=("1", "2", "0")))
    (tmp_path / "0-000007.png").write_bytes(png(images[0]))
    source = open_source(str(tmp_path), dataset="made")
    assert [column.tolist() for column in source.plan(None)] == [[0], [7]]


def test_a_picture_in_grey_is_a_picture_in_colour_of_equal_channels(images, tmp_path):
    Image.fromarray(images[0, 0].numpy()).save(tmp_path / "a.png")
    source = open_source(str(tmp_path), dataset="made")
    assert torch.equal(source.images(*source.plan(None))[0], images[0, :1].expand(3, 32, 32))
    assert json.loads(json.dumps(source.info.class_names)) == list(NAMES)


def test_a_training_without_judges_goes_on_and_says_so_unless_looks_were_asked_for(made_data, tmp_path, capsys):
    asked = SimpleNamespace(look_every=None, patience=None, json=False)
    assert train_command.looks(asked, tmp_path, "made") is None
    assert "not judged while it trains: 'made' has no judge" in capsys.readouterr().out
    for wanted in ({"look_every": 100}, {"patience": 2}):
        with pytest.raises(UserError, match="has no judge 'classifier' yet"):
            train_command.looks(SimpleNamespace(**vars(asked) | wanted), tmp_path, "made")
