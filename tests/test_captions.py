"""Captions for the digit CLIP: measurements, truth, wording, damage, vocabulary."""

import gzip
import random

import pytest
import torch

from diffusion_core.data import DataSpec, spec
from eval import measure
from eval.bpe import BYTES, SPECIAL, write_bpe
from eval.captions import (
    ILLEGIBLE,
    JUNK,
    OPEN,
    all_classes,
    caption,
    claim,
    describe,
    strange_word,
    truth,
    vocabulary,
)
from eval.damage import DAMAGE, damaged
from eval.errors import UserError
from eval.prompts import DIGITS, GENERIC, PROMPT_SETS, WORDS, captions, fill
from eval.train_clip import batch, wordings

MNIST = spec("mnist")
WORDED = vocabulary(MNIST)


def bar(width: int, lean: float = 0.0, height: int = 20) -> torch.Tensor:
    """A bar of `width` pixels around column 14; its top is `lean` pixels a row further right. [1, 1, 28, 28]."""
    x = torch.zeros(1, 1, 28, 28)
    for row in range(4, 4 + height):
        left = round(14 - width / 2 + lean * (14 - row))
        x[0, 0, row, left : left + width] = 1
    return x


# ---------------------------------------------------------------- measurements


@pytest.mark.parametrize("width", [2, 3, 5])
def test_thickness_of_a_bar_is_its_width(width):
    outline = 2 * (width + 20) - (2 - 2**0.5)  # the total variation cuts one corner
    assert measure.thickness(bar(width)).item() == pytest.approx(2 * width * 20 / outline, rel=1e-4)
    assert measure.thickness(bar(width)).item() == pytest.approx(width, rel=0.25)


def test_thickness_ignores_how_dark_the_ink_is_and_where_it_lies():
    thick = measure.thickness(bar(4))
    torch.testing.assert_close(measure.thickness(bar(4) * 0.5), thick)
    torch.testing.assert_close(measure.thickness(bar(4).roll(-12, dims=3)), thick)


@pytest.mark.parametrize("lean", [-0.5, -0.25, 0.0, 0.25, 0.5])
def test_slant_is_signed_to_the_right(lean):
    assert measure.slant(bar(3, lean)).item() == pytest.approx(lean, abs=0.02)


def test_box_aspect_and_size():
    height, width = measure.box(bar(5))
    assert (height.item(), width.item()) == (20, 5)
    assert measure.aspect(bar(5)).item() == pytest.approx(0.25)
    assert measure.size(bar(5)).item() == 20
    blank = torch.zeros(1, 1, 28, 28)
    assert [f(blank).item() for f in (measure.size, measure.aspect, measure.thickness, measure.slant)] == [0] * 4


def test_codes_of_bars():
    thin, thick = bar(2, lean=0.4), bar(5, lean=-0.4)
    codes = describe(torch.cat([thin, thick, bar(2, height=12)]), torch.tensor([1, 7, 1]))
    assert codes[0].tolist() == [1, 0, 0, 2, 0, 1]  # clean, thin, right, narrow, large
    assert codes[1, :4].tolist() == [7, 0, 1, 0]  # clean, thick, left
    assert codes[2].tolist() == [1, 0, 0, 1, 0, 0]  # upright, small


def test_junk_shows_no_digit_and_has_no_shape():
    codes = describe(bar(2), torch.tensor([1]), torch.tensor([ILLEGIBLE]))
    assert codes.tolist() == [[JUNK, ILLEGIBLE, OPEN, OPEN, OPEN, OPEN]]


# ---------------------------------------------------------------- truth


def test_truth_table():
    images = torch.tensor([[7, 0, 0, OPEN, 0, 1], [3, 0, 1, 2, 1, 1], [JUNK, ILLEGIBLE] + [OPEN] * 4])
    claims = torch.tensor(
        [
            [7, OPEN, OPEN, OPEN, OPEN, OPEN],  # a seven
            [7, OPEN, 0, OPEN, OPEN, OPEN],  # a thin seven
            [7, OPEN, OPEN, 2, OPEN, OPEN],  # a right-slanted seven
            [OPEN, ILLEGIBLE, OPEN, OPEN, OPEN, OPEN],  # not a digit
        ]
    )
    true, decided = truth(images, claims)
    assert true.tolist() == [[True, True, False, False], [False] * 4, [False, False, False, True]]
    assert decided.tolist() == [[True, True, False, True], [True] * 4, [True] * 4]


def test_a_claim_is_true_of_its_own_image():
    rng = random.Random(0)
    codes = torch.tensor([[4, 1, OPEN, 2, 0, 1], [9, 0, 1, 0, OPEN, OPEN], [JUNK, ILLEGIBLE] + [OPEN] * 4])
    for row in codes:
        claims = torch.tensor([claim(tuple(row.tolist()), rng) for _ in range(200)])
        assert (claims != OPEN).any(1).all()
        true, decided = truth(row[None], claims)
        assert true.all() and decided.all()


# ---------------------------------------------------------------- wording


def test_captions_say_what_they_claim():
    rng = random.Random(0)
    for _ in range(200):
        said = caption((7, OPEN, 0, 2, OPEN, OPEN), WORDED, rng).text
        assert "7" in said or "seven" in said
        assert any(word in said for word in ("thin", "fine", "light"))
        assert "right" in said
        assert caption((OPEN, ILLEGIBLE, OPEN, OPEN, OPEN, OPEN), WORDED, rng).text in WORDED.nonsense


def test_held_out_wordings_never_occur_in_training():
    rng = random.Random(0)
    forbidden = {c for d in range(10) for c in captions("mnist", str(d), "heldout")}
    seen = {caption((d, *[OPEN] * 5), WORDED, rng).text for d in range(10) for _ in range(2000)}
    seen |= {text for _ in range(500) for text in all_classes(WORDED, rng)}
    assert not seen & forbidden
    assert len(seen) > 500


def test_prompt_sets_share_no_template():
    for family in (DIGITS, GENERIC):
        assert set(family) == set(PROMPT_SETS)
        assert not set(family["default"]) & set(family["heldout"])


def test_captions_of_a_class():
    assert captions("mnist", "7")[:2] == ["a handwritten digit 7", "the number seven"]
    assert captions("clothes", "ankle boot")[0] == "a photo of an ankle boot"
    assert fill("{numeral} {word} {name}", "0") == "0 zero 0"
    assert len({c for d in range(10) for c in captions("mnist", str(d), "heldout")}) == 40
    with pytest.raises(UserError, match="Known: default, heldout"):
        captions("mnist", "7", "nosuch")


def test_ten_digits_differ_only_in_the_digit():
    rng = random.Random(1)
    for _ in range(50):
        texts = all_classes(WORDED, rng)
        names = [str(d) if str(d) in text else WORDS[d] for d, text in enumerate(texts)]
        assert len({text.replace(name, "#") for text, name in zip(texts, names, strict=True)}) == 1


SHAPES = DataSpec("shapes", ("red square", "disc", "airy cross"), (3, 32, 32), 0.5, 0.25, noun="shape")


def test_what_is_no_handwriting_is_spoken_of_by_its_class_names():
    words, rng = vocabulary(SHAPES), random.Random(0)
    codes = describe(torch.rand(3, 3, 32, 32), torch.arange(3), torch.tensor([0, 1, ILLEGIBLE]), SHAPES.strokes)
    assert codes.tolist() == [[0, 0] + [OPEN] * 4, [1, 1] + [OPEN] * 4, [JUNK, ILLEGIBLE] + [OPEN] * 4]
    for label, name in enumerate(SHAPES.class_names):
        said = {caption((label, *[OPEN] * 5), words, rng).text for _ in range(300)}
        assert all(name in text for text in said) and len(said) > 10
        assert not said & set(captions("shapes", name, "heldout"))
    assert "a photo of an airy cross" in said and not any("a airy" in text for text in said)
    assert "not a shape" in words.nonsense
    texts = all_classes(words, rng)
    assert [name in text for name, text in zip(SHAPES.class_names, texts, strict=True)] == [True] * 3


def test_a_batch_of_pictures_in_colour():
    images = torch.randint(0, 256, (300, 3, 32, 32), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    x, codes = batch(SHAPES, images, torch.arange(300) % 3, torch.Generator().manual_seed(0))
    assert x.shape == images.shape and x.min() >= 0 and x.max() <= 1 + 1e-6
    assert (codes[:, 2:] == OPEN).all() and set(codes[:, 0].tolist()) == {0, 1, 2, JUNK}
    assert len(torch.unique(codes[:, 1])) == ILLEGIBLE + 1


def test_every_channel_is_damaged_alike():
    x = torch.rand(6, 1, 32, 32, generator=torch.Generator().manual_seed(0)).expand(-1, 3, -1, -1)
    for code in (2, 3, 4):  # blurred, broken, smudged; noise differs from channel to channel
        worse = DAMAGE[code](x, torch.Generator().manual_seed(1))
        torch.testing.assert_close(worse[:, 0], worse[:, 2])


def test_a_strange_word_is_only_added():
    text = "the number seven"
    longer = strange_word(text, random.Random(0)).split()
    assert len(longer) == 4
    assert [w for w in longer if w in text.split()] == text.split()


# ---------------------------------------------------------------- damage


def test_damage_changes_images_and_stays_in_range():
    x = torch.cat([bar(3, lean) for lean in torch.linspace(-0.5, 0.5, 12).tolist()])
    for function in DAMAGE.values():
        worse = function(x, torch.Generator().manual_seed(0))
        assert worse.shape == x.shape
        assert worse.min() >= 0 and worse.max() <= 1 + 1e-6
        assert ((worse - x).abs().mean((1, 2, 3)) > 0.01).all()


def test_damage_does_what_its_name_says():
    x, rng = torch.cat([bar(3, lean) for lean in torch.linspace(-0.4, 0.4, 20).tolist()]), torch.Generator()
    ink = x.sum((1, 2, 3))
    torch.testing.assert_close(DAMAGE[2](x, rng).sum((1, 2, 3)), ink, rtol=0.02, atol=0)  # blur keeps ink
    assert (DAMAGE[3](x, rng) <= x + 1e-6).all()  # gaps only take away
    assert (DAMAGE[4](x, rng) >= x - 1e-6).all()  # smears only add


def test_damaged_leaves_clean_images_alone_and_repeats_with_its_seed():
    x, quality = bar(3).repeat(6, 1, 1, 1), torch.tensor([0, 1, 2, 3, 4, 5])
    first, again = (damaged(x, quality, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, again)
    assert torch.equal(first[0], x[0])
    assert all(not torch.equal(first[i], x[i]) for i in range(1, 6))


def test_batch_and_wordings_agree():
    images = (bar(3) * 255).to(torch.uint8).repeat(300, 1, 1, 1)
    x, codes = batch(MNIST, images, torch.full((300,), 1), torch.Generator().manual_seed(0))
    assert x.shape == (300, 1, 28, 28) and x.min() >= 0 and x.max() <= 1
    clean = (codes[:, 1] == 0).float().mean().item()
    assert clean == pytest.approx(0.7, abs=0.08)
    texts, claims = wordings(codes, WORDED, random.Random(0))
    true, _ = truth(codes, claims)
    assert len(texts) == len(claims) and true.any(0).all()  # each caption is true of some image


# ---------------------------------------------------------------- vocabulary


def test_vocabulary_spells_every_caption(tmp_path):
    import open_clip

    size = write_bpe(tmp_path / "bpe.txt.gz", WORDED)
    raw = gzip.decompress((tmp_path / "bpe.txt.gz").read_bytes()).decode()
    assert not raw.endswith("\n")
    assert size == BYTES + raw.count("\n") + SPECIAL
    tokenizer = open_clip.SimpleTokenizer(str(tmp_path / "bpe.txt.gz"), context_length=20)
    assert tokenizer.vocab_size == size
    assert len(tokenizer.encode("seven")) == 1
    for text in (c for name in PROMPT_SETS for d in range(10) for c in captions("mnist", str(d), name)):
        tokens = tokenizer.encode(text)
        assert len(tokens) <= 18, text  # start and end fit too
        assert tokenizer.decode(tokens).replace(" ", "") == text.replace(" ", "")
    write_bpe(tmp_path / "again.txt.gz", WORDED)
    assert (tmp_path / "again.txt.gz").read_bytes() == (tmp_path / "bpe.txt.gz").read_bytes()
