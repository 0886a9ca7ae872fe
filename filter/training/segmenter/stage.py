"""The losses of the segmentation network."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from turbolens.filter.region.network import Segmenter
from turbolens.filter.training.loop import Losses

from .labels import Labelled
from .scenes import scene

_EDGE_RADIUS, _EDGE_WEIGHT = 5, 2.0


@dataclass
class SegmenterLosses:
    """Binary cross-entropy, with more weight at edges, and the Dice loss (Milletari et al., 2016).

    All random numbers come from the stage's generator.
    """

    network: Segmenter
    data: Labelled
    batch: int
    in_bfloat16: bool = False

    def __call__(self, generator: torch.Generator, _step: int) -> Losses:
        """The losses of one step, by name."""
        images, masks = self.draw(generator)
        device = self.network.head.weight.device
        with torch.autocast(device.type, torch.bfloat16, enabled=self.in_bfloat16):
            logits = self.network.logits(images.to(device))
        return losses(logits.float(), masks.to(device))

    def draw(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Images (B, 3, 256, 256) in −1…1, and masks (B, 1, 256, 256) in 0…1."""
        rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
        rgb, masks = zip(*(scene(rng, self.data) for _ in range(self.batch)), strict=True)
        images = torch.from_numpy(np.stack(rgb)).permute(0, 3, 1, 2).float() / 127.5 - 1.0
        return images, torch.from_numpy(np.stack(masks))[:, None]


def losses(logits: Tensor, masks: Tensor) -> Losses:
    """The losses of logits for masks, both (B, 1, H, W)."""
    side = 2 * _EDGE_RADIUS + 1
    near = F.avg_pool2d(masks, side, 1, _EDGE_RADIUS, count_include_pad=False)
    weight = 1 + _EDGE_WEIGHT * (4 * near * (1 - near))
    entropy = F.binary_cross_entropy_with_logits(logits, masks, reduction="none")
    predicted = logits.sigmoid()
    overlap, total = (predicted * masks).sum((1, 2, 3)), (predicted + masks).sum((1, 2, 3))
    dice = 1 - (2 * overlap + 50) / (total + 50)
    return {"entropy": (weight * entropy).mean(), "dice": 0.3 * dice.mean()}
