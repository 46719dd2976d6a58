"""What a damaged digit is restored with where no diffusion model is at hand: filters and OpenCV."""

import cv2
import numpy as np
import torch
from scipy.ndimage import median_filter
from skimage.restoration import richardson_lucy
from torch import Tensor

from diffusion_core.damage import Damage, gaussian_kernel, motion_kernel

RADIUS = 3  # pixels that OpenCV's inpainting looks at
ROUNDS = 30  # of Richardson-Lucy
NAMES = {
    **dict.fromkeys(("box", "cut", "stripes", "pixels"), "OpenCV inpainting (Telea)"),
    "noise": "OpenCV non-local means",
    "shrink": "bicubic enlarging",
    **dict.fromkeys(("blur", "shake"), "Richardson-Lucy"),
}


def median(pictures: Tensor) -> Tensor:
    """Each of uint8 [N, 1, H, W] with every pixel the median of the 3x3 around it."""
    return torch.from_numpy(median_filter(pictures.numpy(), (1, 1, 3, 3)))


def classical(kind: str, severity: float, damage: Damage, recorded: Tensor, pictures: Tensor) -> Tensor:
    """The usual method for this kind of damage (`NAMES`), uint8 [N, 1, H, W]; most of them take bytes."""
    if kind == "noise":
        strength = 255 * damage.noise
        return _each(pictures, lambda image: cv2.fastNlMeansDenoising(image, None, strength, 5, 15))
    if kind == "shrink":
        small = recorded.mul(255).round().to(torch.uint8)
        return _each(small, lambda image: cv2.resize(image, (28, 28), interpolation=cv2.INTER_CUBIC))
    if kind in ("blur", "shake"):
        length = 2 * (round(severity) // 2) + 1
        kernel = (gaussian_kernel(severity) if kind == "blur" else motion_kernel(length)).numpy()
        return _each(pictures, lambda image: _sharpened(image, kernel))
    hidden = (~damage.operator.known[0, 0]).numpy().astype(np.uint8)
    return _each(pictures, lambda image: cv2.inpaint(image, hidden, RADIUS, cv2.INPAINT_TELEA))


def _sharpened(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    found = richardson_lucy(image.astype(np.float64) / 255, kernel, num_iter=ROUNDS, filter_epsilon=1e-6)
    return (found * 255).round().clip(0, 255).astype(np.uint8)


def _each(pictures: Tensor, change) -> Tensor:
    return torch.from_numpy(np.stack([change(np.ascontiguousarray(image[0])) for image in pictures.numpy()]))[:, None]
