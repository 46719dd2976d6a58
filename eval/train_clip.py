"""Trains a data set's small CLIP: open_clip's own architecture, tiny, on images and captions with known truth.

Two losses over the same cosines. The sigmoid loss (Zhai et al. 2023, SigLIP) holds every caption of a
batch against every image; the usual contrastive loss would take the many images that share a caption
for negatives. Cross-entropy over all classes in one wording makes the softmax that is reported
mean a probability; images of no class are taught to be undecided.
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

from eval.augment import uniform, varied
from eval.bpe import write_bpe
from eval.captions import ILLEGIBLE, Vocabulary, all_classes, caption, claim, describe, strange_word, truth, vocabulary
from eval.clip import prepare
from eval.clip_files import CONFIG
from eval.damage import damaged
from eval.optimise import Clock, follow, one_cycle, set_lr
from eval.source_base import Form

CONTEXT = 20  # tokens, start and end included
BATCH = 250
CAPTIONS = 48  # a step, beside all classes in one wording
CLEAN, DAMAGED, NO_CLASS = 0.7, 0.2, 0.1  # shares of a batch
PEAK_LR, WEIGHT_DECAY, EMA = 2e-3, 0.05, 0.995
SEED, EPOCHS = 0, 16
VOCABULARY = "bpe.txt.gz"


def eye(data: Form) -> dict:
    """open_clip's settings of the image tower: a ViT; for pictures that fill their frame a ResNet, which learns more
    from few of them and is shown them at twice their size, as it begins by making them four times smaller."""
    if data.fills:
        return {"image_size": 2 * data.shape[1], "layers": [2, 2, 2, 2], "width": 24, "head_width": 64}
    return {
        "image_size": data.shape[1],
        "patch_size": 7 if data.strokes else 4,  # strokes are thin and few: 16 patches show them as well as 49
        "width": 128,
        "layers": 4,
        "head_width": 32,
        "mlp_ratio": 2.0,
        "pool_type": "avg",
    }


def config(data: Form, vocab_size: int) -> dict:
    """The content of `open_clip_config.json`; open_clip reads the path of the vocabulary as relative to
    the working directory, here the root of the repository."""
    text = {
        "context_length": CONTEXT,
        "vocab_size": vocab_size,
        "width": 128,
        "heads": 4,
        "layers": 4,
        "mlp_ratio": 2.0,
        "tokenizer_kwargs": {"bpe_path": f"checkpoints/judges/{data.name}/clip/{VOCABULARY}"},
    }
    return {
        "model_cfg": {
            "embed_dim": 64,
            "init_logit_scale": math.log(10),
            "init_logit_bias": -5.0,
            "vision_cfg": eye(data),
            "text_cfg": text,
        },
        "preprocess_cfg": {
            "mean": [data.mean] * 3,
            "std": [data.std] * 3,
            "interpolation": "bicubic",
            "resize_mode": "squash",
        },
    }


def batch(data: Form, images: Tensor, labels: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """uint8 [N, C, H, W] and labels -> augmented, partly damaged pixels in [0, 1], codes int64 [N, 6]."""
    n = len(images)
    zoom = torch.where(torch.rand(n, generator=rng) < 0.25, uniform(n, 0.6, 1.15, rng), torch.ones(n))
    x = varied(images.float() / 255, data, rng, zoom)
    kind = torch.rand(n, generator=rng)
    quality = torch.where(kind < CLEAN, 0, torch.randint(1, ILLEGIBLE, (n,), generator=rng))
    quality[kind > 1 - NO_CLASS] = ILLEGIBLE
    return damaged(x, quality, rng), describe(x, labels, quality, data.strokes)


def wordings(codes: Tensor, words: Vocabulary, rng: random.Random) -> tuple[list[str], Tensor]:
    """Captions of randomly chosen images of a batch, and what they claim int64 [M, 6]."""
    rows = codes[torch.tensor(rng.choices(range(len(codes)), k=CAPTIONS))].tolist()
    made = [caption(claim(tuple(row), rng), words, rng) for row in rows]
    texts = [strange_word(m.text, rng) if rng.random() < 0.15 else m.text for m in made]
    return texts, torch.tensor([m.codes for m in made])


def loss(model: nn.Module, tokens: Tensor, x: Tensor, images: Tensor, claims: Tensor) -> Tensor:
    """Sigmoid loss over all decided pairs plus cross-entropy over the classes.

    `tokens` holds the captions [M, L], then all classes [K, L]; `x` pixels in [0, 1].
    """
    with torch.autocast("cpu", dtype=torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
        seen = model.visual(prepare(x, model.visual.preprocess_cfg).contiguous(memory_format=torch.channels_last))
        said = model.encode_text(tokens)
    seen, said = F.normalize(seen.float(), dim=1), F.normalize(said.float(), dim=1)
    scale = model.logit_scale.exp()
    captions, classes = said[: len(claims)], said[len(claims) :]
    true, decided = truth(images, claims)
    pairs = F.binary_cross_entropy_with_logits(
        scale * seen @ captions.T + model.logit_bias, true.float(), reduction="none"
    )
    labels, k = images[:, 0], len(classes)
    target = torch.where(labels[:, None] >= 0, F.one_hot(labels.clamp(min=0), k).float(), torch.tensor(1 / k))
    right = F.cross_entropy(scale * seen @ classes.T, target)
    return 4 * (pairs * decided).sum() / decided.sum() + right


def build(settings: dict) -> nn.Module:
    """A CLIP with random weights that knows how its images are prepared."""
    from open_clip.model import CLIP, set_model_preprocess_cfg

    model = CLIP(**copy.deepcopy(settings["model_cfg"]))
    size = settings["model_cfg"]["vision_cfg"]["image_size"]
    set_model_preprocess_cfg(model, settings["preprocess_cfg"] | {"size": size})
    return model


def optimise(model: nn.Module) -> torch.optim.Optimizer:
    """AdamW; weight decay on matrices only."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": WEIGHT_DECAY}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=1.0, betas=(0.9, 0.98))


def train(
    data: Form, images: Tensor, labels: Tensor, folder: Path, minutes: float, report: Callable
) -> tuple[nn.Module, Callable, float]:
    """The averaged model, its tokenizer and the passes it took; tokenizer and config go into `folder`.

    uint8 [N, C, H, W] and int64 [N] in. `report(model, tokenizer)` is called after each pass.
    """
    import open_clip

    words, vocabulary_file = vocabulary(data), folder / VOCABULARY
    settings = config(data, write_bpe(vocabulary_file, words))
    (folder / CONFIG).write_text(json.dumps(settings, indent=1) + "\n")
    tokenizer = open_clip.SimpleTokenizer(str(vocabulary_file), context_length=CONTEXT)

    torch.manual_seed(SEED)
    rng, choice = torch.Generator().manual_seed(SEED), random.Random(SEED)
    model = build(settings).to(memory_format=torch.channels_last)
    ema = copy.deepcopy(model).eval().requires_grad_(False)
    optimizer, clock = optimise(model), Clock(math.ceil(len(images) / BATCH), EPOCHS, minutes)
    while clock.progress < 1:
        for rows in clock.batches(len(images), BATCH, rng):
            pixels, codes = batch(data, images[rows], labels[rows], rng)
            texts, claims = wordings(codes, words, choice)
            tokens = tokenizer([*texts, *all_classes(words, choice)])
            value = loss(model, tokens, pixels, codes, claims)
            set_lr(optimizer, PEAK_LR * one_cycle(clock.progress))
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            follow(ema, model, EMA, clock.done)
        report(ema, tokenizer)
    return ema.to(memory_format=torch.contiguous_format), tokenizer, clock.passes
