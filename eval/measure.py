"""What can be measured on a digit: stroke thickness, slant, proportions, size. All in pixels.

Images are float [N, 1, H, W] in [0, 1], 0 is paper and 1 is ink; every function returns [N].
"""

import torch
from torch import Tensor

TINY = 1e-6


def thickness(x: Tensor) -> Tensor:
    """Mean stroke width in pixels: twice the ink over the length of its outline.

    A bar of width w and length L has ink w L and outline 2 L; the outline is the total variation, so
    grey edges need no threshold.
    """
    ink = torch.nn.functional.pad(x[:, 0], (1, 1, 1, 1))  # ink at the border has an outline too
    right = ink[:, :-1, 1:] - ink[:, :-1, :-1]
    down = ink[:, 1:, :-1] - ink[:, :-1, :-1]
    outline = (right.square() + down.square()).sqrt().sum((1, 2))
    return 2 * ink.sum((1, 2)) / (outline + TINY)


def slant(x: Tensor) -> Tensor:
    """How far the ink runs to the right for each pixel upwards; 0 is upright, negative leans left.

    The regression of x on height: -mu_11 / mu_02 in image coordinates, whose y points down.
    """
    ink = x[:, 0]
    rows = torch.arange(ink.shape[1], dtype=ink.dtype)[None, :, None]
    columns = torch.arange(ink.shape[2], dtype=ink.dtype)[None, None, :]
    total = ink.sum((1, 2), keepdim=True) + TINY
    dy = rows - (ink * rows).sum((1, 2), keepdim=True) / total
    dx = columns - (ink * columns).sum((1, 2), keepdim=True) / total
    return -(ink * dx * dy).sum((1, 2)) / ((ink * dy * dy).sum((1, 2)) + TINY)


def box(x: Tensor) -> tuple[Tensor, Tensor]:
    """Height and width in pixels of the box around all ink darker than one half; 0 without ink."""
    ink = x[:, 0] > 0.5
    return _extent(ink.any(2)), _extent(ink.any(1))


def _extent(hit: Tensor) -> Tensor:
    """bool [N, L] -> number of places from the first True to the last one, 0 where none is."""
    first = hit.float().argmax(1)
    last = hit.shape[1] - 1 - hit.float().flip(1).argmax(1)
    return torch.where(hit.any(1), (last - first + 1).float(), torch.zeros(len(hit)))


def aspect(x: Tensor) -> Tensor:
    """Width of the box over its height."""
    height, width = box(x)
    return width / height.clamp(min=1)


def size(x: Tensor) -> Tensor:
    """The longer side of the box, in pixels. MNIST scales every digit to 20."""
    return torch.maximum(*box(x))
