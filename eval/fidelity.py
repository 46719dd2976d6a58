"""How near restored images are to the originals, image by image."""

import numpy as np
import torch
from skimage.metrics import structural_similarity
from torch import Tensor

WIDEST = 0.5  # the largest deviation that pixels in [0, 1] can have
MOST = 100.0  # decibels of an image that is bit-equal, whose ratio is infinite


def psnr(images: Tensor, originals: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in decibels, uint8 [N, C, H, W] against the same -> float32 [N]; at most 100."""
    errors = (images.double() - originals.double()).square().flatten(1).mean(1)
    return (10 * torch.log10(255**2 / errors)).clamp(max=MOST).float()


def ssim(images: Tensor, originals: Tensor) -> Tensor:
    """Structural similarity (Wang et al. 2004; windows of 7 pixels), uint8 [N, C, H, W] -> float32 [N], 1 if equal."""
    pairs = zip(images.numpy(), originals.numpy(), strict=True)
    return torch.tensor(
        [structural_similarity(a, b, channel_axis=0, data_range=255) for a, b in pairs], dtype=torch.float32
    ) if len(images) else torch.empty(0)  # fmt: skip


def mean_image(images: Tensor) -> Tensor:
    """uint8 [K, C, H, W] -> their mean, uint8 [1, C, H, W]: the guess with the least square error."""
    return images.double().mean(0, keepdim=True).round().to(torch.uint8)


def spread(images: Tensor) -> np.ndarray:
    """uint8 [K, C, H, W] -> the standard deviation of each pixel among them, of pixels in [0, 1]: float [H, W]."""
    return (images.double() / 255).std(0, correction=0).mean(0).numpy()
