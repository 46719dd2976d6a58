"""The networks of other projects that draw MNIST, untrained: what a call costs does not depend on the weights.

Each is built as its project builds it by default. TeaPearce/Conditional_Diffusion_MNIST is a script without a licence
to copy from; a network of its shape and size is written here from its description.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ConvBlock(nn.Module):
    """Two 3x3 convolutions with batch norm and GELU."""

    def __init__(self, before: int, after: int, residual: bool = False):
        super().__init__()
        self.one = nn.Sequential(nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.GELU())
        self.two = nn.Sequential(nn.Conv2d(after, after, 3, padding=1), nn.BatchNorm2d(after), nn.GELU())
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        h = self.one(x)
        return (h + self.two(h)) / 2**0.5 if self.residual else self.two(h)


def embed(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, outputs), nn.GELU(), nn.Linear(outputs, outputs))


class UpBlock(nn.Module):
    """Concatenate, double the size, two blocks."""

    def __init__(self, before: int, after: int):
        super().__init__()
        up = nn.ConvTranspose2d(before, after, 2, 2)
        self.layers = nn.Sequential(up, ConvBlock(after, after), ConvBlock(after, after))

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return self.layers(torch.cat([x, skip], 1))


class TeaPearceSized(nn.Module):
    """A network of the size of TeaPearce's ContextUnet with its defaults: x [N, 1, 28, 28], t [N], label int [N]."""

    def __init__(self, width: int = 128, classes: int = 10):
        super().__init__()
        self.width, self.classes = width, classes
        self.enter = ConvBlock(1, width, residual=True)
        self.down1 = nn.Sequential(ConvBlock(width, width), nn.MaxPool2d(2))
        self.down2 = nn.Sequential(ConvBlock(width, 2 * width), nn.MaxPool2d(2))
        self.to_vector = nn.Sequential(nn.AvgPool2d(7), nn.GELU())
        self.time1, self.time2 = embed(1, 2 * width), embed(1, width)
        self.label1, self.label2 = embed(classes, 2 * width), embed(classes, width)
        self.up0 = nn.Sequential(nn.ConvTranspose2d(2 * width, 2 * width, 7, 7), nn.GroupNorm(8, 2 * width), nn.ReLU())
        self.up1, self.up2 = UpBlock(4 * width, width), UpBlock(2 * width, width)
        self.leave = nn.Sequential(
            nn.Conv2d(2 * width, width, 3, padding=1), nn.GroupNorm(8, width), nn.ReLU(),
            nn.Conv2d(width, 1, 3, padding=1),
        )  # fmt: skip

    def forward(self, x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        x = self.enter(x)
        down1 = self.down1(x)
        down2 = self.down2(down1)
        c, t = F.one_hot(label, self.classes).to(x.dtype), t.view(-1, 1).to(x.dtype)
        label1, label2 = self.label1(c)[:, :, None, None], self.label2(c)[:, :, None, None]
        time1, time2 = self.time1(t)[:, :, None, None], self.time2(t)[:, :, None, None]
        up1 = self.up0(self.to_vector(down2))
        up2 = self.up1(label1 * up1 + time1, down2)
        up3 = self.up2(label2 * up2 + time2, down1)
        return self.leave(torch.cat([up3, x], 1))


def course_network() -> nn.Module:
    """The class-conditional UNet2DModel of the Hugging Face diffusion course, unit 2."""
    from diffusers import UNet2DModel

    return UNet2DModel(
        sample_size=28, in_channels=1 + 4, out_channels=1, layers_per_block=2, block_out_channels=(32, 64, 64),
        down_block_types=("DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
    )  # fmt: skip


def lucidrains_network() -> nn.Module:
    """denoising-diffusion-pytorch's Unet as its README builds it, for one channel and three levels."""
    from denoising_diffusion_pytorch import Unet

    return Unet(dim=64, dim_mults=(1, 2, 4), channels=1)


def torchcfm_network() -> nn.Module:
    """torchcfm's MNIST example."""
    from torchcfm.models.unet import UNetModel

    return UNetModel(dim=(1, 28, 28), num_channels=32, num_res_blocks=1, num_classes=10, class_cond=True)
