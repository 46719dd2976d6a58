"""Trains the classifier judges: cross-entropy on varied images, AdamW, one cycle, averaged weights."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eval.augment import varied
from eval.judge_nets import NETS
from eval.optimise import Clock, follow, one_cycle, set_lr
from eval.source_base import Form

BATCH = 250


@dataclass(frozen=True)
class Recipe:
    """How one judge is trained; `epochs` passes over the training images."""

    architecture: str
    role: str
    seed: int
    epochs: float
    peak_lr: float
    weight_decay: float = 0.05
    ema_half_life: float = 0.25  # in epochs


RECIPES = {
    "classifier": Recipe("JudgeNet", "reports every accuracy; never tuned against", 0, 10, 4e-3),
    "second": Recipe("DepthwiseNet", "reports beside the classifier; chooses nothing", 2, 12, 3e-3),
    "selector": Recipe("SelectorNet", "chooses settings; never reports", 1, 10, 1.5e-3),
}
LARGER = {  # things and animals are harder than digits: larger networks and more passes
    "classifier": replace(RECIPES["classifier"], architecture="ResidualNet", epochs=16),
    "second": replace(RECIPES["second"], architecture="WideJudgeNet", epochs=16, peak_lr=4e-3),
    "selector": replace(RECIPES["selector"], epochs=16),
}


def recipe(judge: str, data: Form) -> Recipe:
    """How `judge`, one of RECIPES, is trained for images of this form."""
    return (RECIPES if data.strokes else LARGER)[judge]


def train(
    recipe: Recipe,
    form: Form,
    images: Tensor,
    labels: Tensor,
    minutes: float,
    report: Callable[[nn.Module], None],
) -> tuple[nn.Module, float]:
    """The averaged network and the passes it took. uint8 [N, C, H, W] and int64 [N] in.

    `report` is called with the averaged network after each pass.
    """
    torch.manual_seed(recipe.seed)
    rng = torch.Generator().manual_seed(recipe.seed)
    net = NETS[recipe.architecture](len(form.class_names), form.shape, form.mean, form.std)
    net = net.to(memory_format=torch.channels_last)  # twice as fast on a CPU
    ema = copy.deepcopy(net).eval().requires_grad_(False)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1.0, weight_decay=recipe.weight_decay)
    clock = Clock(math.ceil(len(images) / BATCH), recipe.epochs, minutes)
    beta = 0.5 ** (1 / (recipe.ema_half_life * clock.per_epoch))
    while clock.progress < 1:
        for rows in clock.batches(len(images), BATCH, rng):
            x = varied(images[rows].float() / 255, form, rng)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits = net(x.contiguous(memory_format=torch.channels_last))
            loss = F.cross_entropy(logits.float(), labels[rows])
            set_lr(optimizer, recipe.peak_lr * one_cycle(clock.progress))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            follow(ema, net, beta, clock.done)
        report(ema)
    return ema.to(memory_format=torch.contiguous_format), clock.passes
