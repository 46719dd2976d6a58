"""Other ways to fewer misread digits, beside a tuning: what the file says is what is drawn."""

import json

import pytest

from app import frontier, words
from app.store import Store
from app.tabs import tuning
from diffusion_core.errors import UserError
from tests.test_app_tuned import make_tuning


def row(way: str, setting: float, accuracy: float, recall: float) -> dict:
    def estimate(value):
        return {"value": value, "low": value - 0.01, "high": value + 0.005, "n": 100}

    scores = {"accuracy": estimate(accuracy), "recall": estimate(recall), "coverage": estimate(0.5)}
    return {"way": way, "setting": setting, "n": 100, "weights": "", **scores}


ROWS = [
    row(frontier.REAL, 0, 0.997, 0.94),
    row(frontier.GUIDED, 1.5, 0.99, 0.92), row(frontier.GUIDED, 1, 0.97, 0.95),
    row(frontier.TUNED, 1, 0.98, 0.94), row(frontier.CLIP, 3, 0.985, 0.949),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    made = make_tuning(tmp_path)
    (made / frontier.FRONTIER).write_text(json.dumps(ROWS))
    return made


def test_each_way_is_a_line_in_the_order_of_its_settings(folder):
    figure = frontier.figure(frontier.read(folder), "recall")
    lines = {trace.name: (list(trace.x), list(trace.y)) for trace in figure.data}
    assert lines[frontier.GUIDED] == ([95, 92], [97, 99])
    assert lines[frontier.CLIP] == (pytest.approx([95, 94.9]), [97, 98.5]), "it begins where nothing leads"
    assert lines[frontier.TUNED] == ([94], [98]) and lines[words.REAL_IMAGES][1] == [99.7]
    tuned = next(trace for trace in figure.data if trace.name == frontier.TUNED)
    assert tuned.error_y.array[0] == pytest.approx(0.5) and tuned.error_y.arrayminus[0] == pytest.approx(1)
    assert "tuned, guidance 1<br>accuracy 98" in tuned.hovertext[0] and "n = 100" in tuned.hovertext[0]
    assert list(frontier.figure(frontier.read(folder), "coverage").data[0].x) == [50, 50]


def test_the_tab_shows_both_figures_and_nothing_where_nothing_was_measured(folder, tmp_path):
    *_, words, coverage, recall, _ = tuning.page(Store(tmp_path), "tuned", "classifier")
    assert "The same 100 labels" in words and recall.layout.xaxis.title.text == "recall (%)"
    assert coverage.layout.xaxis.title.text == "coverage (%)"
    (folder / frontier.FRONTIER).unlink()
    assert tuning.page(Store(tmp_path), "tuned", "classifier")[5:8] == ("", None, None)


@pytest.mark.parametrize("damage", ["{", '[{"way": "tuned"}]', '{"way": 1}'])
def test_a_damaged_list_is_named(folder, tmp_path, damage):
    (folder / frontier.FRONTIER).write_text(damage)
    with pytest.raises(UserError, match=r"frontier.json of tuned is damaged"):
        frontier.read(folder)
    assert "frontier.json" in Store(tmp_path).tunings()[0].problem
