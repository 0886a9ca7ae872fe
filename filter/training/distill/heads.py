"""The discriminator: several small trained heads on features that never change."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

WIDTH = 64


@dataclass(frozen=True, eq=False)
class Condition:
    """What the heads are told: c_text (B, width), c_img (B, width) and the noise (B, width).

    c_img has no timestep; rows of zeros say nothing of the picture. The last is that of the noise
    on the discriminator's own input, not of the student's.
    """

    text: Tensor
    image: Tensor
    time: Tensor


class Discriminator(nn.Module):
    """D_φ,k: a head for each of the features F_k, of `channels`, told of a `Condition`.

    text, image, time: the widths of the condition's parts.
    """

    def __init__(self, channels: Sequence[int], *, text: int, image: int, time: int) -> None:
        super().__init__()
        self.text, self.image, self.time = (
            nn.Linear(width, WIDTH, bias=False) for width in (text, image, time)
        )
        self.heads = nn.ModuleList(Head(each) for each in channels)

    def forward(self, features: Sequence[Tensor], condition: Condition) -> list[Tensor]:
        """Scores (B, h_k, w_k), above 0 where a place looks real."""
        about = (
            self.text(_normalised(condition.text))
            + self.image(_normalised(condition.image))
            + self.time(condition.time)
        )
        return [head(each, about) for head, each in zip(self.heads, features, strict=True)]

    def held(self, features: Sequence[Tensor], condition: Condition) -> list[Tensor]:
        """As `forward`, with weights that get no gradient: what the student is judged by."""
        scores: list[Tensor] = held(self, features, condition)
        return scores


def held(module: nn.Module, *inputs: Any) -> Any:
    """What the module gives, with weights that get no gradient: inputs do."""
    weights = {name: weight.detach() for name, weight in module.named_parameters()}
    return functional_call(module, weights, inputs)


class Head(nn.Module):
    """One head: two small convolutions, and a score by projection (Miyato and Koyama, 2018)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(channels, WIDTH, 1)
        self.around = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        self.score = nn.Conv2d(WIDTH, 1, 1)

    def forward(self, feature: Tensor, about: Tensor) -> Tensor:
        """Feature (B, channels, h, w), condition (B, WIDTH) → scores (B, h, w)."""
        # Features of a UNet grow with depth; heads of one learning rate want one scale.
        hidden = F.leaky_relu(self.narrow(F.group_norm(feature, 1)), 0.2)
        hidden = hidden + F.leaky_relu(self.around(hidden), 0.2)
        fits = torch.einsum("bchw,bc->bhw", hidden, about) / math.sqrt(WIDTH)
        scores: Tensor = self.score(hidden)[:, 0] + fits
        return scores


def _normalised(vector: Tensor) -> Tensor:
    return F.layer_norm(vector, vector.shape[-1:])
