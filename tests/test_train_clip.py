"""Training a small CLIP as a user would, on a made data set of 135 pictures in colour."""

import json

import pytest
import torch

from diffusion_core.data import load, spec
from eval import train_clip
from eval.cards import measured
from eval.clip import load_small_clip
from eval.clip_files import CONFIG, WEIGHTS
from eval.prompts import PROMPT_SETS
from eval.train_clip import config, eye
from eval.train_judges import main


def test_what_is_reloaded_is_what_was_measured(made_data, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(train_clip, "EPOCHS", 4)
    main(["clip", "--data", "made", "--out", str(tmp_path)])
    folder = tmp_path / "made" / "clip"
    clip, test = load_small_clip(folder, made_data), load("made", "test")
    found = measured(clip.logits(test.images).softmax(1), test.labels)
    card = json.loads((folder / "card.json").read_text())
    assert found["confusion"] == card["test"]["default"]["confusion"]
    assert found["mean_confidence"] == pytest.approx(card["test"]["default"]["mean_confidence"], abs=1e-5)
    assert card["training"]["epochs"] == 4 and card["training"]["split"].startswith("train, first 135 images")
    assert card["training"]["augmentation"].startswith("as the classifier; 20 % damaged")
    assert (folder / WEIGHTS).stat().st_size < 10e6
    assert capsys.readouterr().out.count("held out") == 4 * len(PROMPT_SETS)
    vision = json.loads((folder / CONFIG).read_text())["model_cfg"]["vision_cfg"]
    assert vision["image_size"] == 64 and isinstance(vision["layers"], list)


def test_each_kind_of_image_has_its_eye():
    assert eye(spec("mnist"))["patch_size"] == 7 and eye(spec("fashion"))["patch_size"] == 4
    assert (
        "patch_size" not in eye(spec("cifar10"))
        and config(spec("cifar10"), 300)["preprocess_cfg"]["mean"] == [spec("cifar10").mean] * 3
    )


def test_a_classifier_learns_from_fewer_images_than_one_batch(made_data, tmp_path):
    """135 pictures of three colours: one step a pass, 14 passes, and better than chance by far."""
    main(["second", "--data", "made", "--out", str(tmp_path)])
    card = json.loads((tmp_path / "made" / "second" / "card.json").read_text())
    assert card["training"]["epochs"] == 14 and card["test"]["accuracy"]["value"] > 0.6
    assert torch.tensor(card["test"]["confusion"]).sum() == 75
