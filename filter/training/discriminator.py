"""The discriminator, small trained heads on frozen features, and its losses."""

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
    """The condition of the heads: c_text (B, width), c_img (B, width) and time (B, width).

    image: zeros if the input image must not be known. time: of the noise on the discriminator's
    input, not of the student's.
    """

    text: Tensor
    image: Tensor
    time: Tensor


class Discriminator(nn.Module):
    """D_φ,k: one head for each feature F_k, with a `Condition`.

    channels: of the features. text, image, time: the widths of the condition's parts.
    """

    def __init__(self, channels: Sequence[int], *, text: int, image: int, time: int) -> None:
        super().__init__()
        self.text, self.image, self.time = (
            nn.Linear(width, WIDTH, bias=False) for width in (text, image, time)
        )
        self.heads = nn.ModuleList(Head(each) for each in channels)

    def forward(self, features: Sequence[Tensor], condition: Condition) -> list[Tensor]:
        """Scores (B, h_k, w_k), above 0 where a position looks real."""
        vector = (
            self.text(_normalised(condition.text))
            + self.image(_normalised(condition.image))
            + self.time(condition.time)
        )
        return [head(each, vector) for head, each in zip(self.heads, features, strict=True)]

    def frozen_scores(self, features: Sequence[Tensor], condition: Condition) -> list[Tensor]:
        """As `forward`, without gradients of the weights: the scores that train the student."""
        scores: list[Tensor] = frozen(self, features, condition)
        return scores


def frozen(module: nn.Module, *inputs: Any) -> Any:
    """The module's output, with gradients of the inputs but not of the weights."""
    weights = {name: weight.detach() for name, weight in module.named_parameters()}
    return functional_call(module, weights, inputs)


class Head(nn.Module):
    """One head: two small convolutions, and a score by projection (Miyato and Koyama, 2018)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(channels, WIDTH, 1)
        self.around = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        self.score = nn.Conv2d(WIDTH, 1, 1)

    def forward(self, feature: Tensor, condition: Tensor) -> Tensor:
        """Feature (B, channels, h, w), condition (B, WIDTH) → scores (B, h, w)."""
        # A UNet's features grow with depth; group norm gives all heads the same scale.
        hidden = F.leaky_relu(self.narrow(F.group_norm(feature, 1)), 0.2)
        hidden = hidden + F.leaky_relu(self.around(hidden), 0.2)
        agreement = torch.einsum("bchw,bc->bhw", hidden, condition) / math.sqrt(WIDTH)
        scores: Tensor = self.score(hidden)[:, 0] + agreement
        return scores


def _normalised(vector: Tensor) -> Tensor:
    return F.layer_norm(vector, vector.shape[-1:])


def generator_loss(fake: Sequence[Tensor]) -> Tensor:
    """L_adv^G = −E[Σ_k D_φ,k(F_k(x̂_θ))]; scores (B, h, w), averaged over positions."""
    return -torch.stack([scores.mean() for scores in fake]).sum()


def discriminator_loss(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """L_adv^D = E[Σ_k max(0, 1 − D_φ,k(F_k(x₀)))] + E[Σ_k max(0, 1 + D_φ,k(F_k(x̂_θ)))] + γ·R1(φ).

    Without R1; the hinge is per position.
    """
    hinges = [
        F.relu(1 - on_real).mean() + F.relu(1 + on_fake).mean()
        for on_real, on_fake in zip(real, fake, strict=True)
    ]  # fmt: skip
    return torch.stack(hinges).sum()


def r1_penalty(real: Sequence[Tensor], features: Sequence[Tensor]) -> Tensor:
    """R1(φ) = E[Σ_k ‖∇_{F_k} D_φ,k(F_k(x₀))‖²], on the heads' inputs, as in the paper.

    (Mescheder et al., 2018, take the gradient at the pixels.) A head's output for an image is the
    mean of its scores. `features` must require gradients, and `real` must be computed from them.
    """
    outputs = torch.stack([scores.mean((1, 2)).sum() for scores in real]).sum()
    gradients = torch.autograd.grad(outputs, list(features), create_graph=True)
    return torch.stack([each.square().sum((1, 2, 3)).mean() for each in gradients]).sum()
