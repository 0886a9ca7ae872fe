"""The convolutions of VGG16, whose feature statistics describe strokes and material.

Simonyan and Zisserman (2014); Gram matrices after Gatys, Ecker and Bethge (2016).
"""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

_LAYERS = ("1_1", "1_2", None, "2_1", "2_2", None, "3_1", "3_2", "3_3", None, "4_1")
KEPT = ("1_2", "2_2", "3_3", "4_1")
_BORDER = {"1_2": 6, "2_2": 4, "3_3": 3, "4_1": 1}  # positions that the zero padding changes most
_MEANS = (103.939, 116.779, 123.68)  # of blue, green, red


class Trunk:
    """Features of images at the layers `KEPT`. Its weights are never trained.

    file: safetensors with `conv1_1.weight` … `conv4_1.bias`. Raises `ValueError` if one is missing.
    """

    def __init__(self, file: Path, dtype: torch.dtype = torch.float32) -> None:
        stored = load_file(file)
        self.dtype, self.layers = dtype, {}
        for name in filter(None, _LAYERS):
            if f"conv{name}.weight" not in stored or f"conv{name}.bias" not in stored:
                raise ValueError(f"the features must have the layer conv{name}; {file} has not")
            weight = stored[f"conv{name}.weight"].to(dtype)
            bias = stored[f"conv{name}.bias"].to(dtype)
            self.layers[name] = weight.contiguous(memory_format=torch.channels_last), bias

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(iter(self.layers.values()))[0].device

    def to(self, device: torch.device) -> "Trunk":
        """Move the weights."""
        self.layers = {
            name: (weight.to(device), bias.to(device))
            for name, (weight, bias) in self.layers.items()
        }
        return self

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        """Images (B, 3, H, W) in −1…1 → features (B, C, h, w) by layer, without their borders."""
        means = images.new_tensor(_MEANS).view(1, 3, 1, 1)
        x = ((images.clamp(-1.3, 1.3).flip(1) + 1) * 127.5 - means).to(self.dtype)
        x, features = x.contiguous(memory_format=torch.channels_last), {}
        for name in _LAYERS:
            if name is None:
                x = F.avg_pool2d(x, 2)
                continue
            weight, bias = self.layers[name]
            x = F.conv2d(x, weight, bias, padding=1).relu_()
            if name in KEPT:
                border = _BORDER[name]
                features[name] = x[..., border:-border, border:-border].float()
        return features


def gram(features: Tensor) -> Tensor:
    """(B, C, h, w) → Gram matrices (B, C, C), divided by the number of positions."""
    flat = features.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[-1]


def gram_distance(given: Tensor, wanted: Tensor) -> Tensor:
    """(B,) squared distance of Gram matrices (B, C, C), relative to the sum of their squared norms.

    Relative to the wanted one alone, a few flat crops, whose statistics are small, would give most
    of the gradient.
    """
    size = wanted.square().sum((1, 2)) + given.detach().square().sum((1, 2))
    return (given - wanted).square().sum((1, 2)) / size


def content_distance(given: Tensor, wanted: Tensor) -> Tensor:
    """(B,) mean squared difference of features (B, C, h, w), each channel normalised over its
    positions: blind to a change of palette, not to a change of forms."""
    difference = _normalised(given) - _normalised(wanted)
    return difference.square().mean((1, 2, 3))


def _normalised(features: Tensor) -> Tensor:
    centred = features - features.mean((2, 3), keepdim=True)
    spread = centred.square().mean((1, 2, 3), keepdim=True).sqrt()
    return centred / (spread + 1e-3)
