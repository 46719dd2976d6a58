"""The networks of the classifier judges: pixels in [0, 1] [N, C, H, W] -> logits [N, classes], and features before.

Their images' channels, size, mean and deviation are given when they are built. They differ in kind, so that what two of
them say does not hang on one; things that are harder to tell apart than digits get larger ones.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def conv_bn(inside: int, outside: int) -> nn.Sequential:
    """3x3 convolution, batch norm, ReLU: [N, inside, H, W] -> [N, outside, H, W]."""
    conv = nn.Conv2d(inside, outside, 3, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outside), nn.ReLU(inplace=True))


class Net(nn.Module):
    """What all share: how pixels are scaled, and logits as a linear function of `features`."""

    def __init__(self, mean: float, std: float, width: int, classes: int):
        super().__init__()
        self.mean, self.std = mean, std
        self.head = nn.Linear(width, classes)

    def scaled(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std

    def features(self, x: Tensor) -> Tensor:
        """Pixels in [0, 1] [N, C, H, W] -> penultimate features [N, D]."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))

    def prepare(self, x: Tensor) -> None:
        """Called once before training, with some of the training pixels in [0, 1] [N, C, H, W]."""


class JudgeNet(Net):
    """Five convolutions with batch norm, and the mean over all places."""

    wide = 1  # multiplies the channels

    def __init__(self, classes: int, image: tuple[int, int, int], mean: float, std: float):
        wide = self.wide
        super().__init__(mean, std, 128 * wide, classes)
        self.body = nn.Sequential(
            conv_bn(image[0], 32 * wide),
            nn.MaxPool2d(2),  # [N, 32, 14, 14] of 28x28
            conv_bn(32 * wide, 48 * wide),
            conv_bn(48 * wide, 48 * wide),
            nn.MaxPool2d(2),  # [N, 48, 7, 7]
            conv_bn(48 * wide, 96 * wide),
            conv_bn(96 * wide, 128 * wide),
        )

    def features(self, x: Tensor) -> Tensor:
        return self.body(self.scaled(x)).mean((2, 3))


class WideJudgeNet(JudgeNet):
    """A `JudgeNet` of twice the channels."""

    wide = 2


class SelectorNet(Net):
    """Two wide 5x5 convolutions and a dense layer, no batch norm."""

    def __init__(self, classes: int, image: tuple[int, int, int], mean: float, std: float):
        super().__init__(mean, std, 128, classes)
        self.body = nn.Sequential(
            nn.Conv2d(image[0], 32, 5, padding=2),
            nn.MaxPool2d(2),
            nn.GELU(),  # [N, 32, 14, 14] of 28x28
            nn.Conv2d(32, 64, 5, padding=2),
            nn.MaxPool2d(2),
            nn.GELU(),  # [N, 64, 7, 7]
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(64 * (image[1] // 4) * (image[2] // 4), 128),
            nn.GELU(),
        )

    def features(self, x: Tensor) -> Tensor:
        return self.body(self.scaled(x))


class DepthwiseBlock(nn.Module):
    """ConvNeXt block (Liu et al. 2022): x + MLP(norm(depthwise 5x5(x))), the MLP and norm at each pixel."""

    def __init__(self, channels: int):
        super().__init__()
        self.mix = nn.Conv2d(channels, channels, 5, padding=2, groups=channels)
        self.mlp = nn.Sequential(
            nn.LayerNorm(channels), nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.mlp(self.mix(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class DepthwiseNet(Net):
    """A residual trunk of depthwise convolutions at a quarter of the size, layer norm, no pooling."""

    def __init__(self, classes: int, image: tuple[int, int, int], mean: float, std: float):
        super().__init__(mean, std, 96, classes)
        self.body = nn.Sequential(
            nn.Conv2d(image[0], 32, 4, stride=2, padding=1),  # [N, 32, 14, 14] of 28x28
            nn.GELU(),
            nn.Conv2d(32, 96, 3, stride=2, padding=1),  # [N, 96, 7, 7]
            *[DepthwiseBlock(96) for _ in range(4)],
        )
        self.norm = nn.LayerNorm(96)

    def features(self, x: Tensor) -> Tensor:
        return self.norm(self.body(self.scaled(x)).mean((2, 3)))


class ResidualBlock(nn.Module):
    """x + two 3x3 convolutions with batch norm of x (He et al. 2016)."""

    def __init__(self, channels: int):
        super().__init__()
        self.body = nn.Sequential(conv_bn(channels, channels), conv_bn(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class ResidualNet(Net):
    """Eight convolutions with batch norm, four of them in residual blocks, and the largest value over all places."""

    def __init__(self, classes: int, image: tuple[int, int, int], mean: float, std: float):
        super().__init__(mean, std, 256, classes)
        self.body = nn.Sequential(
            conv_bn(image[0], 32),
            conv_bn(32, 64),
            nn.MaxPool2d(2),  # [N, 64, 16, 16] of 32x32
            ResidualBlock(64),
            conv_bn(64, 128),
            nn.MaxPool2d(2),  # [N, 128, 8, 8]
            conv_bn(128, 256),
            nn.MaxPool2d(2),  # [N, 256, 4, 4]
            ResidualBlock(256),
        )

    def features(self, x: Tensor) -> Tensor:
        return F.adaptive_max_pool2d(self.body(self.scaled(x)), 1).flatten(1)


class WhitenedNet(Net):
    """Three stages of two convolutions on 2x2 patches that are whitened: airbench's (Jordan 2024, arXiv 2404.00498).

    The first layer is not learned: the eigenvectors of the patches' covariance, each over the root of its eigenvalue,
    and the same ones negated.
    """

    widths = (64, 256, 256)
    least = 5e-4  # added to the eigenvalues: flat patches hold little but noise

    def __init__(self, classes: int, image: tuple[int, int, int], mean: float, std: float):
        super().__init__(mean, std, self.widths[-1], classes)
        patch = 4 * image[0]
        self.first = nn.Conv2d(image[0], 2 * patch, 2, bias=False).requires_grad_(False)
        inside = (2 * patch, *self.widths[:-1])
        self.body = nn.Sequential(*[self.stage(*pair) for pair in zip(inside, self.widths, strict=True)])

    @staticmethod
    def stage(inside: int, outside: int) -> nn.Sequential:
        """[N, inside, H, W] -> [N, outside, H // 2, W // 2]."""
        return nn.Sequential(
            nn.Conv2d(inside, outside, 3, padding=1, bias=False),
            nn.MaxPool2d(2),
            nn.BatchNorm2d(outside),
            nn.GELU(),
            nn.Conv2d(outside, outside, 3, padding=1, bias=False),
            nn.BatchNorm2d(outside),
            nn.GELU(),
        )

    @torch.no_grad()
    def prepare(self, x: Tensor) -> None:
        """Sets the first layer by the patches of these images."""
        patches = F.unfold(self.scaled(x), 2).transpose(1, 2).flatten(0, 1)  # [N places, 4 C]
        values, vectors = torch.linalg.eigh(torch.cov(patches.T))
        whitening = vectors.T / (values[:, None] + self.least).sqrt()
        self.first.weight.copy_(torch.cat([whitening, -whitening]).view_as(self.first.weight))

    def features(self, x: Tensor) -> Tensor:
        return F.adaptive_max_pool2d(self.body(F.gelu(self.first(self.scaled(x)))), 1).flatten(1)


# Cards say their judge's network by this name.
NETS = {net.__name__: net for net in (JudgeNet, WideJudgeNet, SelectorNet, DepthwiseNet, ResidualNet, WhitenedNet)}
