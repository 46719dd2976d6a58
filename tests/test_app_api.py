"""The functions for programs: the same digits as the page's, judged the same, and one line for a mistake."""

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from app import api
from app.store import Store
from app.words import JUDGES
from diffusion_core import data, noise
from diffusion_core.errors import UserError
from diffusion_core.generate import generate
from eval.compare import compare
from tests.pages import make_root


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(make_root(tmp_path_factory.mktemp("checkpoints")))


@pytest.fixture(scope="module")
def call(store):
    return api.endpoints(store)


def png(pixels) -> str:
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(pixels)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def test_generate_draws_what_the_core_draws(store, call):
    found = call["generate"]("early", [5, 6], 2, 30, steps=3)
    model = store.checkpoint("early")
    labels, seeds = noise.plan(2, 30, 10, (5, 6))
    images = generate(model, labels, seeds, replace(model.meta.sample, steps=3))
    assert (found["labels"], found["seeds"]) == (labels.tolist(), seeds.tolist()) and found["sample"]["steps"] == 3
    assert torch.equal(api.decoded(found["images"], data.spec("mnist")), images)


def test_score_reads_real_digits_as_the_judges_do(store, call):
    test = data.load("mnist", "test")
    images, labels = test.images[:20], test.labels[:20]
    found = call["score"]([png(image[0]) for image in images], labels.tolist())
    assert set(found["accuracy"]) == set(JUDGES) and found["accuracy"]["classifier"]["n"] == 20
    read = [row[0]["judged"] for row in found["images"]]
    assert read == store.judges.read(images, "mnist").argmax(1).tolist()
    right = sum(a == b for a, b in zip(read, labels.tolist(), strict=True))
    assert found["accuracy"]["classifier"]["value"] == right / 20


def test_report_and_compare_say_what_the_files_say(store, call):
    early, mnist = (store.report(store.report_key(name)) for name in ("early", "mnist"))
    found = call["report"]("early")
    assert found["metrics"]["per_class"]["5"]["accuracy"]["value"] == early.metrics["per_class"]["5"]["accuracy"].value
    assert found["real"]["overall"]["accuracy"]["value"] == early.reference.metrics["overall"]["accuracy"].value
    assert call["compare"]("early", "mnist")["verdict"] == compare(early, mnist).verdict


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("generate", ("nobody", [5]), "no checkpoint"),
        ("generate", ("early", []), "at least one class"),
        ("generate", ("early", [5], 10**9), "number of each class"),
        ("generate", ("early", [5], 1, 0, 10**9), "Steps must be"),
        ("score", ([], []), "1 to 200 images"),
        ("score", ([png(np.zeros((28, 28), np.uint8))], []), "as many labels"),
        ("score", ([png(np.zeros((28, 28), np.uint8))], [10]), "A label must be"),
        ("score", ([png(np.zeros((28, 29), np.uint8))], [1]), "not 28 by 28"),
        ("score", (["not base64!"], [1]), "no PNG"),
        ("score", ([base64.b64encode(b"GIF89a").decode()], [1]), "no PNG"),
        ("report", ("../early",), "no report"),
        ("compare", ("early", None), "no report"),
    ],
)
def test_a_mistake_is_one_line(call, name, arguments, message):
    with pytest.raises(UserError, match=message) as caught:
        call[name](*arguments)
    assert "\n" not in str(caught.value)
