"""The model as a classifier: the label under which it denoises an image best (Li et al. 2023, Clark & Jaini 2023).

For the ideal denoiser the likelihood of an image is an integral of its errors (the I-MMSE relation; Kong, Brekelmans &
Ver Steeg 2023, eq. 8). Up to a term that is the same for every label,

    -ln p(x0 | label) = 1/2 integral of E_n |x0 - D(x0 + sigma n, sigma, label)|^2 d(1 / sigma^2)

which is a mean over ln sigma with weight 1 / sigma^2. All labels see the same noise, so that most of its chance cancels
in the difference.
"""

import math

import torch
from torch import Tensor

from diffusion_core.checkpoint import Checkpoint
from diffusion_core.noise import Noise
from diffusion_core.parallel import side_by_side
from diffusion_core.pixels import to_model

LEVELS = 10
RANGE = (0.3, 4.0)  # noise levels: below, labels make no difference; above, nothing can be told apart


def log_likelihoods(checkpoint: Checkpoint, images: Tensor, seeds: Tensor, levels: int = LEVELS) -> Tensor:
    """ln p(image | label) up to a constant an image: uint8 [N, C, H, W] -> float32 [N, classes]."""
    classes = checkpoint.meta.network.classes
    sigmas = torch.linspace(*map(math.log, RANGE), levels).exp()
    step = math.log(RANGE[1] / RANGE[0]) / (levels - 1)
    weights = torch.full((levels,), step)
    weights[[0, -1]] /= 2  # trapezoids

    @torch.no_grad()
    def one(i: int) -> Tensor:
        x0 = to_model(images[i : i + 1], checkpoint.spec)  # [1, C, H, W]
        noise = Noise(seeds[i : i + 1]).normal(levels, *x0.shape[1:])[0]  # [K, C, H, W]
        x = (x0 + sigmas.view(-1, 1, 1, 1) * noise).repeat_interleave(classes, 0)  # [K * classes, C, H, W]
        labels = torch.arange(classes).repeat(levels)
        parts = zip(*(t.split(3 * classes) for t in (x, sigmas.repeat_interleave(classes), labels)), strict=True)
        D = torch.cat([checkpoint.denoiser(*(t.to(checkpoint.device) for t in part)).cpu() for part in parts])
        errors = (D - x0).square().sum((1, 2, 3)).view(levels, classes)
        return -(weights / sigmas**2) @ errors

    return torch.stack(list(side_by_side(one, range(len(images)), checkpoint.device)))


def probabilities(log_likelihoods: Tensor) -> Tensor:
    """p(label | image) where all labels are as frequent: [N, classes] -> [N, classes], each row sums to 1."""
    return torch.softmax(log_likelihoods.double(), dim=1).float()
