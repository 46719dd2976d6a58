"""The shipped scorers: columns, ranges, independence of the batch; and how they are picked."""

import pytest
import torch

from diffusion_core import data
from eval.errors import UserError
from eval.scorers import SCORERS, ClipScorer, load_scorers, score
from eval.summary import JUDGES, METRICS, summarise


@pytest.fixture(scope="module")
def digits():
    test = data.load("mnist", "test")
    return test.images[:200], test.labels[:200]


@pytest.fixture(scope="module", params=SCORERS)
def scorer(request):
    return load_scorers([request.param])[0]


@pytest.fixture(scope="module", params=JUDGES)
def judge(request):
    return load_scorers([request.param])[0]


OWN = {"clip": "clip_probability"}  # the probability of the digit asked for; of the others <judge>_confidence


def test_a_scorer_returns_the_columns_it_names(scorer, digits):
    columns = scorer(*digits)
    assert tuple(columns) == scorer.columns and all(v.shape == (200,) for v in columns.values())
    assert set(scorer.asked) <= set(scorer.columns)


def test_real_digits_are_recognised(judge, digits):
    images, labels = digits
    columns = judge(images, labels)
    assert (columns[f"{judge.name}_label"] == labels).float().mean() > 0.95
    p = torch.stack([columns[f"{judge.name}_p{d}"] for d in range(10)], dim=1)
    assert torch.allclose(p.sum(1), torch.ones(200), atol=1e-5) and p.min() >= 0
    assert torch.equal(columns[OWN.get(judge.name, f"{judge.name}_confidence")], p[torch.arange(200), labels])


def test_only_the_columns_that_say_so_depend_on_the_digit_asked_for(scorer, digits):
    images, labels = digits
    right, wrong = scorer(images, labels), scorer(images, (labels + 1) % 10)
    changed = [column for column in scorer.columns if not torch.equal(right[column], wrong[column])]
    assert changed == list(scorer.asked)
    if scorer.name in JUDGES:
        own = OWN.get(scorer.name, f"{scorer.name}_confidence")
        assert right[own].mean() > 0.9 > 0.1 > wrong[own].mean()


def test_columns_do_not_depend_on_the_batch(scorer, digits):
    images, labels = digits[0][:15], digits[1][:15]
    whole = scorer(images, labels)
    order = torch.randperm(15, generator=torch.Generator().manual_seed(0))
    shuffled = scorer(images[order], labels[order])
    for size in (1, 7):
        parts = [scorer(x, y) for x, y in zip(images.split(size), labels.split(size), strict=True)]
        for column, values in whole.items():
            assert torch.allclose(torch.cat([part[column] for part in parts]), values, atol=1e-5)
    for column, values in whole.items():
        assert torch.allclose(shuffled[column], values[order], atol=1e-5)


def test_disagreement_is_the_share_of_judges_beside_the_majority(digits):
    images, labels = digits
    table = score(load_scorers(["classifier", "second", "clip"]), images, labels, torch.arange(200))
    for row in table.itertuples():
        read = [row.classifier_label, row.second_label, row.clip_label]
        assert row.disagreement == pytest.approx(1 - max(map(read.count, read)) / 3, abs=1e-6)


def test_images_without_labels_get_the_columns_that_need_none(digits):
    scorers = load_scorers(["classifier", "clip"])
    table = score(scorers, digits[0], torch.full((200,), -1), torch.arange(200))
    assert not {c for s in scorers for c in s.asked} & set(table.columns)
    assert (table.classifier_label == digits[1].numpy()).mean() > 0.95
    found = summarise(table, 10)
    assert set(found.metrics["overall"]) == {"disagreement"} and not found.confusions


class Cosines:
    """A CLIP whose cosines are given."""

    id, scale, class_names = "clip:given@0/default", 10.0, tuple("012")

    def __init__(self, rows):
        self.rows = torch.tensor(rows)

    def encode_images(self, images):
        return self.rows

    def text_bank(self):
        return torch.eye(3)


def test_clip_margin_and_probability_by_hand(monkeypatch):
    given = Cosines([[0.5, 0.2, 0.4], [0.5, 0.2, 0.4]])
    monkeypatch.setattr("eval.scorers.load_clip", lambda name, dataset: given)
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
    known_later = {"memorised", "nearer"}  # columns that need the real reference, see eval/run.py
    assert set(summarise(table, 10).metrics["overall"]) == set(METRICS) - known_later


def test_unknown_scorers_are_named():
    with pytest.raises(UserError, match=r"'nosuch'\. Known: classifier, second, knn, clip, shape, neighbours"):
        load_scorers(["nosuch"])
    with pytest.raises(UserError, match="Known"):
        load_scorers([])
