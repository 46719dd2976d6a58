"""Trains the classifier judges: cross-entropy on varied images, AdamW or Muon, one cycle, averaged weights."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diffusion_core.optimizers import Muon
from eval.augment import varied
from eval.judge_nets import NETS
from eval.optimise import Clock, follow, one_cycle, set_lr
from eval.source_base import Form

BATCH = 250
SEEN_FIRST = 5_000  # images that a network is prepared by


@dataclass(frozen=True)
class Recipe:
    """How one judge is trained; `epochs` passes over the training images."""

    architecture: str
    role: str
    seed: int
    epochs: float
    peak_lr: float
    weight_decay: float = 0.05
    muon_lr: float = 0.0  # of the convolutions; 0: AdamW is theirs too
    ema_half_life: float = 0.25  # in epochs


RECIPES = {
    "classifier": Recipe("JudgeNet", "reports every accuracy; never tuned against", 0, 10, 4e-3),
    "second": Recipe("DepthwiseNet", "reports beside the classifier; chooses nothing", 2, 12, 3e-3),
    "selector": Recipe("SelectorNet", "chooses settings; never reports", 1, 10, 1.5e-3),
}
LARGER = {  # garments are harder than digits: larger networks and more passes
    "classifier": replace(RECIPES["classifier"], architecture="ResidualNet", epochs=16),
    "second": replace(RECIPES["second"], architecture="WideJudgeNet", epochs=16, peak_lr=4e-3),
    "selector": replace(RECIPES["selector"], epochs=16),
}
PICTURES = {  # what fills its frame is harder still
    "classifier": replace(RECIPES["classifier"], architecture="WhitenedNet", epochs=14, muon_lr=0.03),
    "second": replace(RECIPES["second"], architecture="WideJudgeNet", epochs=14, peak_lr=4e-3, muon_lr=0.03),
    "selector": replace(RECIPES["selector"], architecture="ResidualNet", epochs=10, peak_lr=4e-3, muon_lr=0.03),
}


def recipe(judge: str, data: Form) -> Recipe:
    """How `judge`, one of RECIPES, is trained for images of this form."""
    return (RECIPES if data.strokes else PICTURES if data.fills else LARGER)[judge]


def optimizers(net: nn.Module, recipe: Recipe) -> dict[torch.optim.Optimizer, float]:
    """What steps the network, each with its highest rate: AdamW, beside Muon for convolutions where that is asked."""
    learned = [p for p in net.parameters() if p.requires_grad]
    hidden = [p for p in learned if p.ndim == 4 and p.shape[1] > 4] if recipe.muon_lr else []  # not the one of pixels
    rest = [p for p in learned if all(p is not other for other in hidden)]
    made = {torch.optim.AdamW(rest, lr=1.0, weight_decay=recipe.weight_decay): recipe.peak_lr}
    return made | ({Muon(hidden, lr=1.0): recipe.muon_lr} if hidden else {})


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
    net.prepare(images[:SEEN_FIRST].float() / 255)
    net = net.to(memory_format=torch.channels_last)  # twice as fast on a CPU
    ema = copy.deepcopy(net).eval().requires_grad_(False)
    peaks = optimizers(net, recipe)
    clock = Clock(math.ceil(len(images) / BATCH), recipe.epochs, minutes)
    beta = 0.5 ** (1 / (recipe.ema_half_life * clock.per_epoch))
    while clock.progress < 1:
        for rows in clock.batches(len(images), BATCH, rng):
            x = varied(images[rows].float() / 255, form, rng)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits = net(x.contiguous(memory_format=torch.channels_last))
            loss = F.cross_entropy(logits.float(), labels[rows])
            net.zero_grad(set_to_none=True)
            loss.backward()
            for optimizer, peak in peaks.items():
                set_lr(optimizer, peak * one_cycle(clock.progress))
                optimizer.step()
            follow(ema, net, beta, clock.done)
        report(ema)
    return ema.to(memory_format=torch.contiguous_format), clock.passes
