"""The losses of Adversarial Diffusion Distillation: equations of section 3 of the paper.

Sauer et al. (2023): the student minimises

    L = L_adv^G(x̂_θ(x_s, s), φ) + λ·L_distill(x̂_θ(x_s, s), ψ),   x_s = α_s·x₀ + σ_s·ε,

for s among a few student timesteps; the discriminator's heads minimise L_adv^D.
"""

from typing import Literal

from torch import Tensor

Weighting = Literal["exponential", "sds"]
_MIN_SIGMA = 1e-3


def distillation_weight(alphas_cumprod: Tensor, weighting: Weighting) -> Tensor:
    """c(t) of ᾱ_t. exponential: α_t, so that noisier timesteps count less. sds: α_t / 2σ_t.

    The second makes the loss's gradient that of score distillation sampling (Poole et al., 2022)
    with w(t) = 1; σ_t is kept above 0.001.
    """
    signal = alphas_cumprod.sqrt()
    if weighting == "exponential":
        return signal
    return signal / (2 * (1 - alphas_cumprod).sqrt().clamp_min(_MIN_SIGMA))


def distillation_loss(student: Tensor, teacher: Tensor, weight: Tensor) -> Tensor:
    """L_distill = E_t,ε'[c(t)·d(x̂_θ, x̂_ψ(sg(x̂_θ,t), t))], d the squared distance.

    student, teacher: clean latents (B, C, h, w); weight: c(t) (B, 1, 1, 1). sg is the
    stop-gradient: `teacher` is detached. d is a mean over the latents, not a sum, so that λ does
    not depend on the image size.
    """
    return (weight * (student - teacher.detach()).square()).mean()
