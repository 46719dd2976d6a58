"""Linear damage: maps A of images [N, C, H, W] to what is left of them, and what undoing them takes.

Every operator has three methods, and `restore.py` needs no more of it:

    forward(x)      A x, of images [N, C, H, W], in whatever shape measurements of it have
    adjoint(y)      A' y, of measurements, [N, C, H, W]
    solve(y, c)     (A A' + c)^-1 y for a scalar c >= 0; at 0 the pseudo-inverse of A A'

They work on pixels and on model range alike, as long as both sides are meant the same way.
"""

from functools import cached_property
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from diffusion_core.errors import UserError

RANK = 1e-6  # eigenvalues of A A' below this share of the largest one are 0


class Operator(Protocol):
    """What is written above. `known` bool [1, 1, H, W]: pixels that A hands on as they are; None where it has none."""

    known: Tensor | None

    def forward(self, x: Tensor) -> Tensor: ...

    def adjoint(self, y: Tensor) -> Tensor: ...

    def solve(self, y: Tensor, c: float) -> Tensor: ...


class Mask:
    """Known pixels are seen, the others are 0. `known` bool [H, W]; all known: the identity."""

    def __init__(self, known: Tensor):
        self.known = known[None, None].bool()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.known.to(x)

    adjoint = forward

    def solve(self, y: Tensor, c: float) -> Tensor:
        return y * self.known.to(y) / (1 + c)


class Pool:
    """Means over squares of `factor` pixels: [N, C, H, W] -> [N, C, H / factor, W / factor]. A A' = 1 / factor^2."""

    known = None

    def __init__(self, factor: int):
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2] % self.factor or x.shape[3] % self.factor:
            raise UserError(f"Images of {x.shape[3]}x{x.shape[2]} pixels cannot be shrunk by {self.factor}.")
        return F.avg_pool2d(x, self.factor)

    def adjoint(self, y: Tensor) -> Tensor:
        return y.repeat_interleave(self.factor, 2).repeat_interleave(self.factor, 3) / self.factor**2

    def solve(self, y: Tensor, c: float) -> Tensor:
        return y / (1 / self.factor**2 + c)


class Matrix:
    """Any linear map of the pixels of a channel: `A` float [m, H * W], measurements [N, C, m]."""

    known = None

    def __init__(self, A: Tensor, shape: tuple[int, int]):
        if A.ndim != 2 or A.shape[1] != shape[0] * shape[1] or not len(A) or not A.isfinite().all():
            raise UserError(
                f"The matrix must hold finite numbers, [m, {shape[0] * shape[1]}] for images of {shape[1]}x{shape[0]} "
                f"pixels, not {list(A.shape)}."
            )
        self.A, self.shape = A, shape

    @cached_property
    def _spectrum(self) -> tuple[Tensor, Tensor]:
        """Eigenvalues [m] and eigenvectors [m, m] of A A', found in float64."""
        values, vectors = torch.linalg.eigh(self.A.double() @ self.A.double().T)
        return values.clamp(min=0), vectors

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(2) @ self.A.to(x).T

    def adjoint(self, y: Tensor) -> Tensor:
        return (y @ self.A.to(y)).unflatten(2, self.shape)

    def solve(self, y: Tensor, c: float) -> Tensor:
        values, vectors = self._spectrum
        shifted = values + c
        inverse = torch.where(shifted > RANK * values.max(), 1 / shifted, 0.0)
        vectors = vectors.to(y)
        return (y @ vectors * inverse.to(y)) @ vectors.T


def blur(kernel: Tensor, shape: tuple[int, int]) -> Matrix:
    """Filtering with `kernel` float [h, w], both odd, over images [H, W] surrounded by paper (0)."""
    height, width = shape
    basis = torch.eye(height * width, dtype=kernel.dtype).view(-1, 1, height, width)
    pad = (kernel.shape[0] // 2, kernel.shape[1] // 2)
    return Matrix(F.conv2d(basis, kernel.flip(0, 1)[None, None], padding=pad).flatten(1).T.contiguous(), shape)


def gaussian_kernel(sigma: float) -> Tensor:
    """float [k, k] that sums to 1; reaches three standard deviations."""
    reach = max(1, round(3 * sigma))
    line = torch.exp(-0.5 * (torch.arange(-reach, reach + 1.0) / sigma).square())
    line = line / line.sum()
    return line[:, None] * line


def motion_kernel(length: int) -> Tensor:
    """float [k, k]: a horizontal line of `length` pixels (odd) that sums to 1."""
    kernel = torch.zeros(length, length)
    kernel[length // 2] = 1 / length
    return kernel
