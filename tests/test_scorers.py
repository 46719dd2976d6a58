"""The shipped scorers: columns, ranges, independence of the batch; and how they are picked."""

import pytest
import torch

from diffusion_core import data
from eval.errors import UserError
from eval.scorers import SCORERS, ClipScorer, load_scorers, score
from eval.summary import METRICS, summarise


@pytest.fixture(scope="module")
def digits():
    test = data.load("mnist", "test")
    return test.images[:200], test.labels[:200]


@pytest.fixture(scope="module", params=SCORERS)
def scorer(request):
    return load_scorers([request.param])[0]


def test_real_digits_are_recognised(scorer, digits):
    images, labels = digits
    columns = scorer(images, labels)
    assert tuple(columns) == scorer.columns and all(v.shape == (200,) for v in columns.values())
    assert (columns[f"{scorer.name}_label"] == labels).float().mean() > 0.95
    p = torch.stack([columns[f"{scorer.name}_p{d}"] for d in range(10)], dim=1)
    assert torch.allclose(p.sum(1), torch.ones(200), atol=1e-5) and p.min() >= 0
    own = columns["classifier_confidence" if scorer.name == "classifier" else "clip_probability"]
    assert torch.equal(own, p[torch.arange(200), labels])


def test_scores_are_about_the_digit_asked_for(scorer, digits):
    images, labels = digits
    right, wrong = scorer(images, labels), scorer(images, (labels + 1) % 10)
    own = "classifier_confidence" if scorer.name == "classifier" else "clip_probability"
    assert right[own].mean() > 0.9 > 0.1 > wrong[own].mean()
    assert torch.equal(right[f"{scorer.name}_label"], wrong[f"{scorer.name}_label"])


def test_columns_do_not_depend_on_the_batch(scorer, digits):
    images, labels = digits[0][:65], digits[1][:65]
    whole = scorer(images, labels)
    order = torch.randperm(65, generator=torch.Generator().manual_seed(0))
    shuffled = scorer(images[order], labels[order])
    for column, values in whole.items():
        for size in (1, 7, 64):
            parts = [scorer(x, y)[column] for x, y in zip(images.split(size), labels.split(size), strict=True)]
            assert torch.allclose(torch.cat(parts), values, atol=1e-5)
        assert torch.allclose(shuffled[column], values[order], atol=1e-5)


class Cosines:
    """A CLIP whose cosines are given."""

    id, scale, class_names = "clip:given@0/default", 10.0, tuple("012")

    def __init__(self, rows):
        self.rows = torch.tensor(rows)

    def cosines(self, images):
        return self.rows


def test_clip_margin_and_probability_by_hand(monkeypatch):
    given = Cosines([[0.5, 0.2, 0.4], [0.5, 0.2, 0.4]])
    monkeypatch.setattr("eval.scorers.load_clip", lambda name: given)
    columns = ClipScorer("given")(torch.zeros(2, 1, 28, 28, dtype=torch.uint8), torch.tensor([0, 1]))
    assert columns["clip_label"].tolist() == [0, 0]
    assert columns["clip_cosine"].tolist() == pytest.approx([0.5, 0.2])
    assert columns["clip_margin"].tolist() == pytest.approx([0.1, -0.3])
    assert columns["clip_probability"].tolist() == pytest.approx([0.705385, 0.035119], abs=1e-6)
    assert ClipScorer("given").name == "clip:given"


def test_every_metric_has_its_column(digits):
    images, labels = digits
    table = score(load_scorers(), images, labels, torch.arange(200))
    assert list(table.columns[:2]) == ["label", "seed"] and len(table) == 200
    assert set(summarise(table, 10).metrics["overall"]) == set(METRICS)


def test_unknown_scorers_are_named():
    with pytest.raises(UserError, match=r"'nosuch'\. Known: classifier, clip"):
        load_scorers(["nosuch"])
    with pytest.raises(UserError, match="Known"):
        load_scorers([])
