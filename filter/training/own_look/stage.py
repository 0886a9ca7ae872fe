"""The losses of training a look: restoring degraded pictures, and matching feature statistics.

The pictures of a look come without the photographs they show, so pairs are made: a crop loses
colour, contrast and strokes at random, and the network learns to restore it. Photographs, if given,
are trained to match the look's feature statistics while keeping their edges.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from turbolens.filter.training.captions import CaptionedPictures
from turbolens.filter.training.denoiser_stage import look_share
from turbolens.filter.training.features import encoder_features
from turbolens.filter.training.loop import Losses
from turbolens.filter.training.networks import Networks, rows_of
from turbolens.filter.training.structure import structure_loss

RANK = 8
BATCH = 6
STATISTICS, STRUCTURE = 1.0, 0.3  # weights; that of the latents is 1
_MIN_OUTPUTS = 32  # layers with no more outputs, such as the last, have no LoRA
_MIN_DEVIATION = 1e-4


def add_lora(unet: Any) -> None:
    """Add a LoRA of rank `RANK` to every convolution and linear layer; all else is frozen.

    This network draws looks with its convolutions: a LoRA on attention only, as is usual for large
    models, would change almost nothing.
    """
    peft: Any = import_module("peft")
    layers = [name for name, layer in unet.named_modules()
              if isinstance(layer, (nn.Conv2d, nn.Linear)) and layer.weight.shape[0] > _MIN_OUTPUTS
              and "base_layer" not in name]  # fmt: skip
    unet.requires_grad_(False)
    unet.add_adapter(peft.LoraConfig(r=RANK, lora_alpha=RANK, target_modules=layers), "look")


def save_lora(unet: Any, file: Path) -> None:
    """Write the LoRA in diffusers' layout, in float16, atomically."""
    peft: Any = import_module("peft.utils")
    weights = peft.get_peft_model_state_dict(unet, adapter_name="look")
    temporary = file.with_name(f"{file.name}.tmp")
    save_file({f"unet.{k}": v.half().contiguous() for k, v in weights.items()}, temporary)
    temporary.replace(file)


@dataclass
class OwnLook:
    """The losses of one step. phrases: names of the look, of which each row gets a random one.

    pictures: of the look. photographs: without it, or `None`. All random numbers come from the
    stage's generator.
    """

    networks: Networks
    pictures: CaptionedPictures
    photographs: CaptionedPictures | None
    phrases: Sequence[str]

    def __post_init__(self) -> None:
        self._texts = self.networks.texts(list(self.phrases))
        self._empty = self.networks.texts([""] * BATCH)

    def __call__(self, generator: torch.Generator, _step: int) -> Losses:
        """The losses by name: latents of the pairs; statistics and structure of the photographs."""
        images = self.pictures.images(generator, BATCH)
        wanted = self.networks.encode(images)
        given = self.networks.encode(degraded(generator, images))
        denoised, share = self._styled(generator, given)
        target = torch.lerp(given, wanted, share)
        losses = {"latents": (denoised - target).abs().mean()}
        if self.photographs is not None:
            losses |= self._of_photographs(generator, self.photographs, wanted)
        return losses

    def _of_photographs(
        self, generator: torch.Generator, photographs: CaptionedPictures, wanted: Tensor
    ) -> Losses:
        clean = self.networks.encode(photographs.images(generator, BATCH))
        denoised, share = self._styled(generator, clean)
        return {
            "statistics": STATISTICS * statistics_loss(
                self._features(denoised), self._features(wanted), share.flatten()
            ),
            "structure": STRUCTURE * structure_loss(denoised, clean, torch.ones_like(share)),
        }  # fmt: skip

    def _styled(self, generator: torch.Generator, clean: Tensor) -> tuple[Tensor, Tensor]:
        """One step at random strengths, and the share of the look at each strength (B, 1, 1, 1)."""
        student = self.networks.student
        strength = 1 - 0.98 * torch.rand(len(clean), generator=generator) ** 1.3
        timesteps = (strength * len(student)).round().long().sub(1).clamp(0, len(student) - 1)
        phrases = torch.randint(len(self.phrases), (len(clean),), generator=generator)
        noise = torch.randn(clean.shape, generator=generator)
        timesteps = timesteps.to(clean.device)
        noisy = student.noisy(clean, noise.to(clean), timesteps)
        text = rows_of(self._texts, phrases.to(clean.device))
        share = look_share(strength).view(-1, 1, 1, 1).to(clean)
        return student.denoised(noisy, timesteps, text), share

    def _features(self, latents: Tensor) -> list[Tensor]:
        """The latents, and the original network's features at timestep 0 with an empty prompt."""
        timesteps = torch.zeros(len(latents), dtype=torch.long, device=latents.device)
        teacher = self.networks.teacher
        features = encoder_features(teacher, latents, timesteps, self._empty)
        return [latents, *features]


def statistics_loss(styled: Sequence[Tensor], wanted: Sequence[Tensor], share: Tensor) -> Tensor:
    """Σ_k ‖μ(F_k) − μ(F_k′)‖ + ‖G(F_k) − G(F_k′)‖, in units of the target's channel deviations.

    μ are means over positions, G Gram matrices about the target's mean (Gatys et al., 2016).
    Absolute differences; the statistics of `wanted` are averaged over the batch, since a look is
    what its pictures have in common. share: (B,) weights.
    """
    rows = share / share.sum().clamp_min(_MIN_DEVIATION)
    total = []
    for ours, theirs in zip(styled, wanted, strict=True):
        known = theirs.detach()
        mean = known.mean((0, 2, 3)).view(1, -1, 1, 1)
        spread = known.std((0, 2, 3)).view(1, -1, 1, 1) + _MIN_DEVIATION
        here, there = (ours - mean) / spread, (known - mean) / spread
        means = here.mean((2, 3)).abs().mean(1)
        products = (_gram(here) - _gram(there).mean(0)).abs().mean((1, 2))
        total.append((rows * (means + products)).sum())
    return torch.stack(total).mean()


def _gram(feature: Tensor) -> Tensor:
    """(B, C, C): the Gram matrix, averaged over positions."""
    flat = feature.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[-1]


def degraded(generator: torch.Generator, images: Tensor) -> Tensor:
    """Remove colour, contrast and strokes of images (B, 3, H, W) in −1…1, at random.

    Colour channels are mixed (one in ten becomes grey), contrast and brightness change, and a blur
    of up to three pixels removes strokes and grain. Flat areas and edges stay in place, as in a
    photograph.
    """
    count = len(images)
    mixture = torch.eye(3) + 0.25 * torch.randn(count, 3, 3, generator=generator)
    mixture = mixture / mixture.sum(2, keepdim=True).clamp_min(0.5)
    grey = (torch.rand(count, 1, 1, generator=generator) < 0.1).float()
    mixture = mixture * (1 - grey) + grey / 3
    contrast = 0.6 + 0.8 * torch.rand(count, 1, 1, 1, generator=generator)
    light = 0.4 * torch.rand(count, 1, 1, 1, generator=generator) - 0.2
    mixed = torch.einsum("bij,bjhw->bihw", mixture, images)
    blurs: list[Callable[[Tensor], Tensor]] = [_unchanged, _blurred, _blurred_twice]
    which = torch.randint(len(blurs), (count,), generator=generator).tolist()
    smooth = [blurs[each](row[None]) for each, row in zip(which, mixed, strict=True)]
    return (torch.cat(smooth) * contrast + light).clamp(-1, 1)


def _unchanged(image: Tensor) -> Tensor:
    return image


def _blurred(image: Tensor) -> Tensor:
    return F.avg_pool2d(F.pad(image, (1, 1, 1, 1), mode="replicate"), 3, 1)


def _blurred_twice(image: Tensor) -> Tensor:
    return _blurred(F.avg_pool2d(F.pad(image, (2, 2, 2, 2), mode="replicate"), 5, 1))
