"""What a damaged digit is restored with where no diffusion model is at hand: filters, OpenCV, and a Gaussian prior."""

import cv2
import numpy as np
import torch
from scipy.ndimage import median_filter
from skimage.restoration import richardson_lucy
from torch import Tensor

from diffusion_core.damage import Damage, gaussian_kernel, motion_kernel
from diffusion_core.data import Dataset

RADIUS = 3  # pixels that OpenCV's inpainting looks at
ROUNDS = 30  # of Richardson-Lucy
JITTER = 1e-4  # added to the variances of the Gaussian prior: pixels that are always paper have none
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


class Wiener:
    """The Gaussian with the mean and covariance of the training digits as prior: the posterior mean in closed form,
    mu + C A' (A C A' + tau^2)^-1 (y - A mu). The best there is of linear methods."""

    def __init__(self, train: Dataset):
        pixels = train.images.flatten(1).double() / 255
        self.shape, self.mean = train.images.shape[1:], pixels.mean(0)
        self.covariance = torch.cov(pixels.T) + JITTER * torch.eye(len(self.mean), dtype=torch.float64)

    def __call__(self, damage: Damage, recorded: Tensor) -> Tensor:
        basis = torch.eye(len(self.mean), dtype=torch.float64).view(-1, *self.shape)
        A = damage.operator.forward(basis).flatten(1).T  # [m, d]
        seen = A.abs().sum(1) > 0
        A, y = A[seen], recorded.double().flatten(1)[:, seen]
        noise = (damage.noise**2 + 1e-8) * torch.eye(len(A), dtype=torch.float64)
        gain = torch.linalg.solve(A @ self.covariance @ A.T + noise, A @ self.covariance).T  # [d, m]
        found = self.mean + (y - self.mean @ A.T) @ gain.T
        return found.view(-1, *self.shape).mul(255).round().clamp(0, 255).to(torch.uint8)
