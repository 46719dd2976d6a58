"""The digit CLIP, and any other open_clip model: loading, preparing, scoring, and what it means."""

import json
import os
import shutil

import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from diffusion_core.data import load, spec
from eval import measure
from eval.captions import THICK, THIN, vocabulary
from eval.cards import measured
from eval.clip import load_clip, load_small_clip, prepare
from eval.clip_files import CONFIG, WEIGHTS
from eval.errors import UserError
from eval.judge import JUDGES
from eval.meaning import damage_auc, shape_auc
from eval.prompts import PROMPT_SETS, captions

FOLDER = JUDGES / "mnist" / "clip"
PART = slice(None, None, 5)


@pytest.fixture(scope="module")
def clip():
    return load_clip()


@pytest.fixture(scope="module")
def real_digits():
    return load("mnist", "test")


# ---------------------------------------------------------------- the shipped digit CLIP


@pytest.fixture(scope="module")
def seen(clip, real_digits):
    """Embeddings of all 10,000 test digits."""
    return clip.encode_images(real_digits.images)


@pytest.mark.parametrize("prompts", PROMPT_SETS)
def test_accuracy_on_real_test_digits(clip, real_digits, seen, prompts):
    judged = (seen[PART] @ clip.text_bank(prompts).T).argmax(1)
    assert (judged == real_digits.labels[PART]).float().mean() >= 0.98


@pytest.mark.parametrize("prompts", PROMPT_SETS)
def test_the_card_tells_the_truth(clip, real_digits, seen, prompts):
    p = (clip.scale * seen @ clip.text_bank(prompts).T).softmax(1)
    found, told = measured(p, real_digits.labels), clip.card["test"][prompts]
    assert found["confusion"] == told["confusion"]
    assert found["accuracy"] == pytest.approx(told["accuracy"])
    assert found["mean_confidence"] == pytest.approx(told["mean_confidence"], abs=1e-4)
    assert told["accuracy"]["value"] >= 0.98


def test_open_clip_loads_it_bit_for_bit(clip):
    model, _ = open_clip.create_model_from_pretrained(f"local-dir:{FOLDER}")
    stored = load_file(FOLDER / WEIGHTS)
    for state in (model.state_dict(), clip.model.state_dict()):
        assert set(state) == set(stored)
        assert all(torch.equal(state[key], stored[key]) for key in stored)


def test_open_clip_finds_the_tokenizer_from_the_root(clip, monkeypatch):
    monkeypatch.chdir(JUDGES.parent.parent)
    tokens = open_clip.get_tokenizer("local-dir:checkpoints/judges/mnist/clip")(["a thin seven", "not a digit"])
    assert torch.equal(tokens, clip.tokenizer(["a thin seven", "not a digit"]))
    assert tokens.shape == (2, 20)


def test_it_loads_from_anywhere(monkeypatch, tmp_path, clip):
    monkeypatch.chdir(tmp_path)
    again = load_small_clip(FOLDER, spec("mnist"))
    assert torch.equal(again.text_bank(), clip.text_bank())


def test_cosines_are_cosines_and_do_not_depend_on_batch_or_order(clip, real_digits):
    images = real_digits.images[:128]
    whole = clip.cosines(images)
    assert whole.abs().max() <= 1
    torch.testing.assert_close(clip.encode_images(images).norm(dim=1), torch.ones(128))
    for size in (1, 7, 64):
        parts = torch.cat([clip.cosines(part) for part in images.split(size)])
        torch.testing.assert_close(parts, whole, atol=1e-5, rtol=0)
    order = torch.randperm(128, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(clip.cosines(images[order]), whole[order], atol=1e-5, rtol=0)


@pytest.mark.parametrize("prompts", PROMPT_SETS)
def test_the_bank_is_the_normalised_mean_of_its_captions(clip, prompts):
    bank = clip.text_bank(prompts)
    vectors = clip.encode_texts(captions("mnist", "3", prompts))
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(len(vectors)))
    torch.testing.assert_close(bank[3], F.normalize(vectors.mean(0), dim=0))
    torch.testing.assert_close(bank.norm(dim=1), torch.ones(10))
    others = [clip.text_bank(other) for other in PROMPT_SETS if other != prompts]
    assert not any(torch.allclose(bank, other) for other in others)


def test_gradients_reach_the_pixels(clip, real_digits):
    x = (real_digits.images[:6].float() / 255).requires_grad_()
    logits = clip.logits_from_pixels(x)
    torch.testing.assert_close(logits, clip.logits(real_digits.images[:6]), atol=1e-4, rtol=1e-4)
    logits.sum().backward()
    assert x.grad.isfinite().all() and x.grad.abs().sum((1, 2, 3)).min() > 0


def test_pixels_are_prepared_as_open_clip_does(clip, real_digits):
    _, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{FOLDER}")
    theirs = torch.stack([preprocess(Image.fromarray(image[0].numpy())) for image in real_digits.images[:5]])
    ours = prepare(real_digits.images[:5].float() / 255, clip.model.visual.preprocess_cfg)
    torch.testing.assert_close(ours, theirs)


# ---------------------------------------------------------------- what it means


def test_a_thin_seven_is_a_thin_seven(clip, real_digits):
    sevens = real_digits.images[real_digits.labels == 7]
    width = measure.thickness(sevens.float() / 255)
    order = width.argsort()
    thin, thick = clip.encode_images(sevens[order[:100]]), clip.encode_images(sevens[order[-100:]])
    assert width[order[99]] < THIN and width[order[-100]] > THICK
    for text, near, far in (("a thin seven", thin, thick), ("a thick seven", thick, thin)):
        direction = clip.encode_texts([text])[0]
        assert (near @ direction).mean() > (far @ direction).mean() + 0.1


def test_captions_rank_damage_and_shape(clip, real_digits):
    damage, shape = (
        damage_auc(clip, real_digits.images[:400], vocabulary(spec("mnist"))),
        shape_auc(clip, real_digits.images[:2000]),
    )
    assert len(damage) == 5 and min(damage.values()) > 0.8, damage
    assert len(shape) == 6 and min(shape.values()) > 0.8, shape


def test_words_of_shape_do_not_change_the_digit(clip, real_digits):
    images, labels = real_digits.images[:500], real_digits.labels[:500]
    bank = clip.encode_texts([f"a thin right-slanted {d}" for d in range(10)])
    assert ((clip.encode_images(images) @ bank.T).argmax(1) == labels).float().mean() > 0.95


def test_noise_is_given_to_no_digit(clip):
    noise = torch.randint(0, 256, (50, 1, 28, 28), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    assert clip.logits(noise).softmax(1).amax(1).mean() < 0.6


# ---------------------------------------------------------------- missing, damaged, other models


@pytest.mark.parametrize("name", [WEIGHTS, "card.json"])
def test_a_missing_file_is_named(tmp_path, name):
    copy = shutil.copytree(FOLDER, tmp_path / "clip")
    (copy / name).unlink()
    with pytest.raises(UserError, match=name):
        load_small_clip(copy, spec("mnist"))


def test_damaged_weights_are_refused(tmp_path):
    copy = shutil.copytree(FOLDER, tmp_path / "clip")
    raw = bytearray((copy / WEIGHTS).read_bytes())
    raw[len(raw) // 2] ^= 1
    (copy / WEIGHTS).write_bytes(raw)
    with pytest.raises(UserError, match="damaged"):
        load_small_clip(copy, spec("mnist"))


def random_clip(folder, size: int):
    """A small random open_clip model with the stock tokenizer, saved in `folder`."""
    vision = {"image_size": size, "patch_size": 16, "width": 64, "layers": 1, "head_width": 32}
    text = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
    cfg = {"embed_dim": 16, "vision_cfg": vision, "text_cfg": text}
    torch.manual_seed(0)
    model = open_clip.model.CLIP(**json.loads(json.dumps(cfg)))
    preprocess = {"mean": [0.5] * 3, "std": [0.25] * 3, "interpolation": "bicubic", "resize_mode": "squash"}
    folder.mkdir()
    (folder / CONFIG).write_text(json.dumps({"model_cfg": cfg, "preprocess_cfg": preprocess}))
    save_file(model.state_dict(), folder / WEIGHTS)
    return model.eval()


def test_any_open_clip_folder_can_judge(tmp_path, real_digits):
    model = random_clip(tmp_path / "mine", 32)
    ours = load_clip(str(tmp_path / "mine"))
    images = real_digits.images[:9]
    assert ours.cosines(images).shape == (9, 10)
    torch.testing.assert_close(ours.scale, model.logit_scale.exp().item())
    _, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{tmp_path / 'mine'}")
    theirs = torch.stack([preprocess(Image.fromarray(image[0].numpy())) for image in images])
    with torch.no_grad():
        seen = F.normalize(model.encode_image(theirs), dim=1)
    assert (ours.encode_images(images) * seen).sum(1).min() > 0.999  # PIL rounds to 8 bits when it resizes
    x = (images.float() / 255).requires_grad_()
    ours.logits_from_pixels(x).sum().backward()
    assert x.grad.abs().sum() > 0
    assert ours.id.startswith("clip:mine@") and str(tmp_path) not in ours.id


def test_colour_images_are_not_made_grey(tmp_path):
    random_clip(tmp_path / "mine", 32)
    clip = load_clip(str(tmp_path / "mine"))
    colour = torch.randint(0, 256, (3, 3, 32, 32), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    assert not torch.allclose(clip.encode_images(colour), clip.encode_images(colour[:, [2, 0, 1]]), atol=1e-3)


def test_a_folder_that_is_no_clip(tmp_path):
    with pytest.raises(UserError, match=CONFIG):
        load_clip(str(tmp_path))
    random_clip(tmp_path / "mine", 32)
    (tmp_path / "mine" / WEIGHTS).unlink()
    with pytest.raises(UserError) as error:
        load_clip(str(tmp_path / "mine"))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["nosuch", "ViT-B-32/nosuch", "NoSuch/openai", ""])
def test_an_unknown_tag_lists_known_ones(name):
    with pytest.raises(UserError) as error:
        load_clip(name)
    assert "\n" not in str(error.value)
    assert "ViT-B-32/" in str(error.value)


def test_weights_that_cannot_be_had_are_a_one_line_error(monkeypatch, tmp_path):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", os.fspath(tmp_path))
    with pytest.raises(UserError) as error:
        load_clip("ViT-B-32/datacomp_xl_s13b_b90k")
    assert "\n" not in str(error.value) and "cannot be loaded" in str(error.value)
