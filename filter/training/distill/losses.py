"""The losses of Adversarial Diffusion Distillation: equations of section 3 of the paper.

Sauer et al. (2023): the student minimises

    L = L_adv^G(x̂_θ(x_s, s), φ) + λ·L_distill(x̂_θ(x_s, s), ψ),   x_s = α_s·x₀ + σ_s·ε,

for s among a few student timesteps; the discriminator's heads minimise L_adv^D.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Weighting = Literal["exponential", "sds"]
_LEAST_SPREAD = 1e-3


def generator_loss(fake: Sequence[Tensor]) -> Tensor:
    """L_adv^G = −E[Σ_k D_φ,k(F_k(x̂_θ))]; scores (B, h, w), of which each place counts alike."""
    return -torch.stack([scores.mean() for scores in fake]).sum()


def discriminator_loss(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """L_adv^D = E[Σ_k max(0, 1 − D_φ,k(F_k(x₀)))] + E[Σ_k max(0, 1 + D_φ,k(F_k(x̂_θ)))] + γ·R1(φ).

    This is all of it but R1; the hinge is that of each place.
    """
    apart = [
        F.relu(1 - yes).mean() + F.relu(1 + no).mean()
        for yes, no in zip(real, fake, strict=True)
    ]  # fmt: skip
    return torch.stack(apart).sum()


def r1_penalty(real: Sequence[Tensor], features: Sequence[Tensor]) -> Tensor:
    """R1(φ) = E[Σ_k ‖∇_{F_k} D_φ,k(F_k(x₀))‖²], on the heads' inputs, as in the paper.

    (Mescheder et al., 2018, take the gradient at the pixels.) A head's verdict on a picture is the
    mean of its scores. `features` must require gradients and `real` must come from them.
    """
    verdicts = torch.stack([scores.mean((1, 2)).sum() for scores in real]).sum()
    gradients = torch.autograd.grad(verdicts, list(features), create_graph=True)
    return torch.stack([each.square().sum((1, 2, 3)).mean() for each in gradients]).sum()


def distillation_weight(alphas_cumprod: Tensor, weighting: Weighting) -> Tensor:
    """c(t) of ᾱ_t. exponential: α_t, so that noisier steps count less. sds: α_t / 2σ_t.

    The second makes the loss's gradient that of score distillation sampling (Poole et al., 2022)
    with w(t) = 1; σ_t is kept above 0.001.
    """
    signal = alphas_cumprod.sqrt()
    if weighting == "exponential":
        return signal
    return signal / (2 * (1 - alphas_cumprod).sqrt().clamp_min(_LEAST_SPREAD))


def distillation_loss(student: Tensor, teacher: Tensor, weight: Tensor) -> Tensor:
    """L_distill = E_t,ε'[c(t)·d(x̂_θ, x̂_ψ(sg(x̂_θ,t), t))], d the squared distance.

    student, teacher: clean latents (B, C, h, w); weight: c(t) (B, 1, 1, 1). sg is the
    stop-gradient: nothing flows into `teacher`. d is a mean over the latents, not a sum, so that λ
    does not depend on the picture's size.
    """
    return (weight * (student - teacher.detach()).square()).mean()
