"""Captions with known truth, for training a data set's small CLIP.

Images and captions are described by the same six codes (`FIELDS`). A caption that leaves a field open
says nothing of it (-1); an image whose measurement lies between two words leaves it open too. So the
truth of every caption for every image of a batch is known: true, false, or undecided. What strokes look like is said,
and measured, of handwriting only.
"""

import random
from typing import NamedTuple

import torch
from torch import Tensor

from eval import measure
from eval.prompts import WORDS, article, fill, templates
from eval.source_base import Form

OPEN = -1
JUNK = -2  # the class of an image that shows none: no caption that names a class is true of it
FIELDS = ("class", "quality", "thickness", "slant", "width", "size")

# One row per code, the synonyms of each in the row.
QUALITY = (
    ("clean", "clear", "sharp"),
    ("noisy", "grainy"),
    ("blurred", "blurry", "fuzzy"),
    ("broken", "cracked", "interrupted"),
    ("smudged", "smeared"),
)
ILLEGIBLE = len(QUALITY)  # the quality code of junk; it is said with a phrase of its own
SCRIBBLES = ("an illegible scribble", "an illegible mark", "an unreadable scrawl", "a meaningless scribble")
NONSENSE = ("a meaningless pattern", "nothing recognisable", "an unrecognisable shape", "meaningless noise")
ADJECTIVES = {
    "quality": QUALITY,
    "thickness": (("thin", "fine", "light"), ("thick", "bold", "heavy")),
    "slant": (
        ("left-slanted", "left slanted", "left-leaning"),
        ("upright", "straight"),
        ("right-slanted", "right slanted", "right-leaning"),
    ),
    "width": (("narrow", "slim"), ("wide", "broad")),
    "size": (("small", "tiny"), ("large", "big")),
}

# Borders between the words, from the quantiles of the training digits: about a quarter of them are thin,
# a quarter thick, and so on; what lies between is left open. Every MNIST digit is 20 pixels long, so
# "small" is learned from shrunken copies.
THIN, THICK = 2.05, 2.8  # pixels
LEFT, UPRIGHT, RIGHT = -0.1, (-0.05, 0.15), 0.27  # pixels to the right per pixel upwards
NARROW, WIDE = 0.55, 0.92  # width over height
SMALL, LARGE = 16.5, 19.5  # pixels

FRAMES = ("{}", "a picture of {}", "an image of {}", "a photo of {}", "a drawing of {}", "this is {}")
NUMBERS = ("digit", "number", "numeral", "figure", "handwritten digit", "handwritten number")


class Vocabulary(NamedTuple):
    """How the images of a data set are spoken of."""

    names: tuple[tuple[str, ...], ...]  # of each class, any of them at will
    nouns: tuple[str, ...]  # for any class
    nonsense: tuple[str, ...]  # for images of none
    templates: tuple[str, ...]  # of the default prompt set
    strokes: bool  # whether the shape of strokes is spoken of


def vocabulary(data: Form) -> Vocabulary:
    """Digits have two names, numeral and word; every other class the one that the data set gives it."""
    said = templates(data.name)["default"]
    if data.strokes:
        names = tuple((name, WORDS[int(name)]) for name in data.class_names)
        return Vocabulary(names, NUMBERS, (*SCRIBBLES, f"not a {data.noun}"), said, True)
    nonsense = (*NONSENSE, f"not a {data.noun}")
    return Vocabulary(tuple((name,) for name in data.class_names), (data.noun, "thing"), nonsense, said, False)


class Caption(NamedTuple):
    """What is said, and the codes of what it claims (six ints in the order of `FIELDS`)."""

    text: str
    codes: tuple[int, ...]


# ---------------------------------------------------------------- images -> codes


def between(values: Tensor, low: float, high: float) -> Tensor:
    """[N] -> 0 below `low`, 1 above `high`, open between."""
    codes = torch.full_like(values, OPEN, dtype=torch.int64)
    codes[values < low], codes[values > high] = 0, 1
    return codes


def describe(x: Tensor, labels: Tensor, quality: Tensor | None = None, strokes: bool = True) -> Tensor:
    """Codes int64 [N, 6] of images in [0, 1] [N, C, H, W]; `quality` [N] is 0 (clean) where not given.

    Measure before damaging: a blurred stroke is not a thick one. The shape of junk is left open, and that of anything
    but `strokes`.
    """
    quality = torch.zeros_like(labels) if quality is None else quality
    shape = _shape(x) if strokes else labels.new_full((len(labels), len(FIELDS) - 2), OPEN)
    junk = quality == ILLEGIBLE
    shape[junk] = OPEN
    return torch.cat([torch.where(junk, JUNK, labels)[:, None], quality[:, None], shape], dim=1)


def _shape(x: Tensor) -> Tensor:
    """The last four codes int64 [N, 4] of drawings [N, 1, H, W]."""
    lean = measure.slant(x)
    slant = torch.full_like(lean, OPEN, dtype=torch.int64)
    slant[lean < LEFT], slant[lean > RIGHT] = 0, 2
    slant[(lean > UPRIGHT[0]) & (lean < UPRIGHT[1])] = 1
    return torch.stack(
        [
            between(measure.thickness(x), THIN, THICK),
            slant,
            between(measure.aspect(x), NARROW, WIDE),
            between(measure.size(x), SMALL, LARGE),
        ],
        dim=1,
    )


def truth(images: Tensor, captions: Tensor) -> tuple[Tensor, Tensor]:
    """Codes [N, 6] and [M, 6] -> (true bool [N, M], decided bool [N, M]).

    A caption is false where one claim fails, true where all hold, undecided otherwise.
    """
    image, claim = images[:, None], captions[None]  # [N, 1, 6], [1, M, 6]
    said = claim != OPEN
    false = (said & (image != OPEN) & (image != claim)).any(2)
    unsure = (said & (image == OPEN)).any(2)
    return ~false & ~unsure, false | ~unsure


# ---------------------------------------------------------------- codes -> captions


def caption(codes: tuple[int, ...], words: Vocabulary, rng: random.Random) -> Caption:
    """Some wording of `codes`: names the class where it is given, then what is claimed.

    A plain class is half the time said with a template of the default prompt set. Claims that a phrase
    for junk cannot make are dropped from the codes.
    """
    label, quality, *shape = codes
    if quality == ILLEGIBLE:
        return Caption(rng.choice(words.nonsense), (OPEN, ILLEGIBLE) + (OPEN,) * 4)
    if label != OPEN and quality == OPEN and max(shape) == OPEN and rng.random() < 0.5:
        return Caption(fill(rng.choice(words.templates), words.names[label][0]), codes)
    adjectives = [
        rng.choice(ADJECTIVES[field][code]) for field, code in zip(FIELDS[1:], codes[1:], strict=True) if code != OPEN
    ]
    rng.shuffle(adjectives)
    return Caption(rng.choice(FRAMES).format(_noun_phrase(adjectives, label, words, rng)), codes)


def _noun_phrase(adjectives: list[str], label: int, words: Vocabulary, rng: random.Random) -> str:
    if label == OPEN:
        return article(" ".join([*adjectives, rng.choice(words.nouns)]))
    name = rng.choice(words.names[label])
    if words.strokes and rng.random() < 0.5:
        name = f"{rng.choice(words.nouns)} {name}"
    phrase = " ".join([*adjectives, name])
    return rng.choice((article(phrase), f"the {phrase}", phrase))


def all_classes(words: Vocabulary, rng: random.Random) -> list[str]:
    """Every class in one wording."""
    if rng.random() < 0.5:
        template = rng.choice(words.templates)
        return [fill(template, names[0]) for names in words.names]
    frame, noun, kind = rng.choice(FRAMES), rng.choice(("", *words.nouns)), rng.randrange(len(words.names[0]))
    lead = rng.choice(("a ", "the ", ""))
    phrases = [f"{noun} {names[kind]}".strip() if words.strokes else names[kind] for names in words.names]
    return [frame.format(lead + phrase) for phrase in phrases]


def claim(image: tuple[int, ...], rng: random.Random) -> tuple[int, ...]:
    """What a caption of an image with these codes says: some of what is known of it, never nothing."""
    label, quality, *shape = image
    if quality == ILLEGIBLE:
        return (OPEN, ILLEGIBLE) + (OPEN,) * 4
    if rng.random() < 0.3:
        return (label,) + (OPEN,) * 5
    said = [rng.random() < share for share in (0.7, 0.3 if quality == 0 else 0.8, 0.4, 0.4, 0.3, 0.2)]
    codes = tuple(code if keep else OPEN for code, keep in zip((label, quality, *shape), said, strict=True))
    return codes if max(codes) > OPEN else (label, *codes[1:])


def strange_word(text: str, rng: random.Random) -> str:
    """The text with a word of random letters somewhere: unknown words should not matter."""
    word = "".join(rng.choices("aabcdeefghiijklmnooprsttuwy", k=rng.randint(2, 5)))
    words = text.split(" ")
    words.insert(rng.randint(0, len(words)), word)
    return " ".join(words)
