"""Trains the digit CLIP: open_clip's own architecture, tiny, on digits and captions with known truth.

Two losses over the same cosines. The sigmoid loss (Zhai et al. 2023, SigLIP) holds every caption of a
batch against every image; the usual contrastive loss would take the many images that share a caption
for negatives. Cross-entropy over the ten digits in one wording makes the softmax that is reported
mean a probability; images of no digit are taught to be undecided.
"""

import copy
import json
import math
import random
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from eval.augment import jitter, uniform
from eval.bpe import write_bpe
from eval.captions import FRAMES, ILLEGIBLE, NOUNS, caption, claim, describe, strange_word, truth
from eval.clip_files import CONFIG
from eval.damage import damaged
from eval.optimise import Clock, follow, one_cycle, set_lr
from eval.prompts import DIGITS, WORDS, fill

CONTEXT = 20  # tokens, start and end included
BATCH = 250
CAPTIONS = 48  # a step, beside the ten digits in one wording
CLEAN, DAMAGED, NO_DIGIT = 0.7, 0.2, 0.1  # shares of a batch
PEAK_LR, WEIGHT_DECAY, EMA = 2e-3, 0.05, 0.995
SEED, EPOCHS = 0, 16
VOCABULARY = "bpe_digits.txt.gz"


def config(vocab_size: int, mean: float, std: float) -> dict:
    """The content of `open_clip_config.json`; open_clip reads the path of the vocabulary as relative to
    the working directory, here the root of the repository."""
    vision = {
        "image_size": 28,
        "patch_size": 7,
        "width": 128,
        "layers": 4,
        "head_width": 32,
        "mlp_ratio": 2.0,
        "pool_type": "avg",
    }
    text = {
        "context_length": CONTEXT,
        "vocab_size": vocab_size,
        "width": 128,
        "heads": 4,
        "layers": 4,
        "mlp_ratio": 2.0,
        "tokenizer_kwargs": {"bpe_path": f"checkpoints/judges/clip/{VOCABULARY}"},
    }
    return {
        "model_cfg": {
            "embed_dim": 64,
            "init_logit_scale": math.log(10),
            "init_logit_bias": -5.0,
            "vision_cfg": vision,
            "text_cfg": text,
        },
        "preprocess_cfg": {
            "mean": [mean] * 3,
            "std": [std] * 3,
            "interpolation": "bicubic",
            "resize_mode": "squash",
        },
    }


def batch(images: Tensor, labels: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """uint8 [N, 1, H, W] and labels -> augmented, partly damaged pixels in [0, 1], codes int64 [N, 6]."""
    n = len(images)
    zoom = torch.where(torch.rand(n, generator=rng) < 0.25, uniform(n, 0.6, 1.15, rng), torch.ones(n))
    x = jitter(images.float() / 255, rng, zoom=zoom)
    kind = torch.rand(n, generator=rng)
    quality = torch.where(kind < CLEAN, 0, torch.randint(1, ILLEGIBLE, (n,), generator=rng))
    quality[kind > 1 - NO_DIGIT] = ILLEGIBLE
    return damaged(x, quality, rng), describe(x, labels, quality)


def wordings(codes: Tensor, rng: random.Random) -> tuple[list[str], Tensor]:
    """Captions of randomly chosen images of a batch, and what they claim int64 [M, 6]."""
    rows = codes[torch.tensor(rng.choices(range(len(codes)), k=CAPTIONS))].tolist()
    made = [caption(claim(tuple(row), rng), rng) for row in rows]
    texts = [strange_word(m.text, rng) if rng.random() < 0.15 else m.text for m in made]
    return texts, torch.tensor([m.codes for m in made])


def ten_digits(rng: random.Random) -> list[str]:
    """The ten digits in one wording."""
    if rng.random() < 0.5:
        template = rng.choice(DIGITS["default"])
        return [fill(template, str(d)) for d in range(10)]
    frame, noun, numeral = rng.choice(FRAMES), rng.choice(("", *NOUNS)), rng.random() < 0.5
    lead = rng.choice(("a ", "the ", ""))
    names = [str(d) if numeral else WORDS[d] for d in range(10)]
    return [frame.format(f"{lead}{noun} {name}".replace("  ", " ").strip()) for name in names]


def loss(model: nn.Module, tokens: Tensor, x: Tensor, images: Tensor, claims: Tensor) -> Tensor:
    """Sigmoid loss over all decided pairs plus cross-entropy over the digits.

    `tokens` holds the captions [M, L], then the ten digits [10, L].
    """
    with torch.autocast("cpu", dtype=torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
        seen = model.visual(x.expand(-1, 3, -1, -1))
        said = model.encode_text(tokens)
    seen, said = F.normalize(seen.float(), dim=1), F.normalize(said.float(), dim=1)
    scale = model.logit_scale.exp()
    captions, digits = said[: len(claims)], said[len(claims) :]
    true, decided = truth(images, claims)
    pairs = F.binary_cross_entropy_with_logits(
        scale * seen @ captions.T + model.logit_bias, true.float(), reduction="none"
    )
    labels = images[:, 0]
    target = torch.where(labels[:, None] < 10, F.one_hot(labels.clamp(max=9), 10).float(), torch.tensor(0.1))
    digit = F.cross_entropy(scale * seen @ digits.T, target)
    return 4 * (pairs * decided).sum() / decided.sum() + digit


def build(settings: dict) -> nn.Module:
    """A CLIP with random weights that knows how its images are prepared."""
    from open_clip.model import CLIP, set_model_preprocess_cfg

    model = CLIP(**copy.deepcopy(settings["model_cfg"]))
    set_model_preprocess_cfg(model, settings["preprocess_cfg"] | {"size": 28})
    return model


def optimise(model: nn.Module) -> torch.optim.Optimizer:
    """AdamW; weight decay on matrices only."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": WEIGHT_DECAY}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=1.0, betas=(0.9, 0.98))


def train(
    images: Tensor, labels: Tensor, mean: float, std: float, folder: Path, minutes: float, report: Callable
) -> tuple[nn.Module, Callable, float]:
    """The averaged model, its tokenizer and the passes it took; tokenizer and config go into `folder`.

    uint8 [N, 1, 28, 28] and int64 [N] in. `report(model, tokenizer)` is called after each pass.
    """
    import open_clip

    vocabulary = folder / VOCABULARY
    settings = config(write_bpe(vocabulary), mean, std)
    (folder / CONFIG).write_text(json.dumps(settings, indent=1) + "\n")
    tokenizer = open_clip.SimpleTokenizer(str(vocabulary), context_length=CONTEXT)

    torch.manual_seed(SEED)
    rng, words = torch.Generator().manual_seed(SEED), random.Random(SEED)
    model = build(settings)
    ema = copy.deepcopy(model).eval().requires_grad_(False)
    optimizer, clock = optimise(model), Clock(len(images) // BATCH, EPOCHS, minutes)
    while clock.progress < 1:
        for rows in clock.batches(len(images), BATCH, rng):
            pixels, codes = batch(images[rows], labels[rows], rng)
            texts, claims = wordings(codes, words)
            tokens = tokenizer([*texts, *ten_digits(words)])
            value = loss(model, tokens, (pixels - mean) / std, codes, claims)
            set_lr(optimizer, PEAK_LR * one_cycle(clock.progress))
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            follow(ema, model, EMA, clock.done)
        report(ema, tokenizer)
    return ema, tokenizer, clock.passes
