"""Does a small CLIP mean what it says beyond the class? Ranking tests on images with known answers."""

import torch
from torch import Tensor

from eval import measure
from eval.captions import ILLEGIBLE, LEFT, NARROW, RIGHT, THICK, THIN, WIDE, Vocabulary
from eval.cards import auc
from eval.clip import ClipModel
from eval.damage import DAMAGE

SAID_OF_DAMAGE = {1: "a noisy {}", 2: "a blurred {}", 3: "a broken {}", 4: "a smudged {}"}
SAID_OF_SHAPE = (  # caption, measure, below or above which it holds, beyond which its opposite does
    ("a thin digit", measure.thickness, THIN, THICK),
    ("a thick digit", measure.thickness, THICK, THIN),
    ("a left-slanted digit", measure.slant, LEFT, RIGHT),
    ("a right-slanted digit", measure.slant, RIGHT, LEFT),
    ("a narrow digit", measure.aspect, NARROW, WIDE),
    ("a wide digit", measure.aspect, WIDE, NARROW),
)


def damage_auc(clip: ClipModel, images: Tensor, words: Vocabulary, seed: int = 0) -> dict[str, float]:
    """Caption -> probability that a damaged copy is closer to it than a clean image [N, C, H, W]."""
    rng = torch.Generator().manual_seed(seed)
    x, clean, result = images.float() / 255, clip.encode_images(images), {}
    said = {code: text.format(words.nouns[0]) for code, text in SAID_OF_DAMAGE.items()}
    for code, text in (said | {ILLEGIBLE: words.nonsense[0]}).items():
        worse = (DAMAGE[code](x, rng) * 255).round().to(torch.uint8)
        direction = clip.encode_texts([text])[0]
        result[text] = auc(clip.encode_images(worse) @ direction, clean @ direction)
    return result


def shape_auc(clip: ClipModel, images: Tensor) -> dict[str, float]:
    """Caption -> probability that an image of which it is true is closer to it than one of the opposite."""
    x, seen, result = images.float() / 255, clip.encode_images(images), {}
    for text, ruler, here, opposite in SAID_OF_SHAPE:
        value, cosine = ruler(x), seen @ clip.encode_texts([text])[0]
        low, high = (value < min(here, opposite)), (value > max(here, opposite))
        true, false = (low, high) if here < opposite else (high, low)
        result[text] = auc(cosine[true], cosine[false])
    return result
