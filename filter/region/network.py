"""`Segmenter`: a small U-Net that tells persons from the background."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from turbolens.filter.networks import Range

SIDE = 256
"""Width and height of its input and of its mask, in pixels."""

WIDTHS = (16, 32, 64, 80, 80)
"""Channels at 1/2, 1/4, 1/8, 1/16 and 1/32 of the input's size."""


class Layer(nn.Module):
    """A convolution, its normalisation while training, and ReLU."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1, taps: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, taps, stride, taps // 2, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(outputs)

    def forward(self, features: Tensor) -> Tensor:
        """(B, inputs, H, W) → (B, outputs, H / stride, W / stride)."""
        return torch.relu(self.norm(self.conv(features)))

    def fuse(self) -> None:
        """Fold the normalisation into the convolution."""
        if isinstance(self.norm, nn.BatchNorm2d):
            self.conv = fuse_conv_bn_eval(self.conv.eval(), self.norm.eval())
            self.norm = nn.Identity()


class Residual(Layer):
    """A layer whose result is added to its input."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels)

    def forward(self, features: Tensor) -> Tensor:
        """(B, channels, H, W) → (B, channels, H, W)."""
        return features + super().forward(features)


class Segmenter(nn.Module):
    """RGB uint8 (B, 256, 256, 3) → the probability of a person (B, 1, 256, 256), 0…1.

    A U-Net (Ronneberger et al., 2015) with sums for skip connections, plain 3×3 convolutions, which
    INT8 kernels run best, and the mean of the coarsest features as context for the whole image.
    """

    activation_ranges: Mapping[str, Range]
    """The range of each layer's input, which INT8 needs, by layer."""

    def __init__(self) -> None:
        super().__init__()
        self.activation_ranges = {}
        first, second, third, fourth, fifth = WIDTHS
        self.down0 = Layer(3, first, stride=2)
        self.down1 = Layer(first, second, stride=2)
        self.down2 = nn.Sequential(Layer(second, third, stride=2), Layer(third, third))
        self.down3 = nn.Sequential(
            Layer(third, fourth, stride=2), Layer(fourth, fourth), Residual(fourth)
        )
        self.down4 = nn.Sequential(
            Layer(fourth, fifth, stride=2), Layer(fifth, fifth), Residual(fifth)
        )
        self.context = nn.Conv2d(fifth, fifth, 1)
        self.up3 = Layer(fourth, third)
        self.up2 = Layer(third, second)
        self.up1 = Layer(second, first)
        self.up0 = Layer(first, first // 2)
        self.head = nn.Conv2d(first // 2, 4, 3, padding=1)

    def forward(self, rgb: Tensor) -> Tensor:
        return torch.sigmoid(self.logits(rgb.permute(0, 3, 1, 2).float() / 127.5 - 1.0))

    def logits(self, image: Tensor) -> Tensor:
        """Image (B, 3, 256, 256) in −1…1 → logits (B, 1, 256, 256)."""
        half = self.down0(image)
        quarter = self.down1(half)
        eighth = self.down2(quarter)
        sixteenth = self.down3(eighth)
        coarse = self.down4(sixteenth)
        coarse = coarse + self.context(coarse.mean((2, 3), keepdim=True))
        features = self.up3(_doubled(coarse) + sixteenth)
        features = self.up2(_doubled(features) + eighth)
        features = self.up1(_doubled(features) + quarter)
        features = self.up0(_doubled(features) + half)
        return F.pixel_shuffle(self.head(features), 2)

    def fuse(self) -> "Segmenter":
        """Fold all normalisations into the convolutions, which changes the results by rounding."""
        for module in self.modules():
            if isinstance(module, Layer):
                module.fuse()
        return self.eval()


def _doubled(features: Tensor) -> Tensor:
    return F.interpolate(features, scale_factor=2.0, mode="nearest")
