"""Compares the images of a model in INT8 with those of plain PyTorch."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch import Tensor

from turbolens.filter import TurboModel
from turbolens.filter.acceleration.openvino.int8 import Int8
from turbolens.filter.diffusion.schedule import Step, add_noise, denoised
from turbolens.filter.networks import Run

from .calibration import MODULES, fixed_noise

CHECKED_STRENGTHS = (0.3, 0.7, 0.9)
MIN_MEDIAN_PSNR, MIN_WORST_PSNR = 35.0, 32.0  # dB
_IMAGE_RANGE = 2.0  # −1…1


@dataclass(frozen=True)
class Agreement:
    """PSNR in dB of the images of one look at one strength: median and worst picture."""

    strength: float
    look: str
    median_db: float
    worst_db: float

    @property
    def is_enough(self) -> bool:
        """True if the images may be shown in place of the exact ones."""
        return self.median_db >= MIN_MEDIAN_PSNR and self.worst_db >= MIN_WORST_PSNR


@torch.inference_mode()
def image_agreements(model: TurboModel, pictures: Sequence[Tensor]) -> Iterator[Agreement]:
    """The agreement of each look at each of `CHECKED_STRENGTHS`.

    model: with the activation ranges set. pictures: (H, W, 3) uint8, all of one size. A model
    without looks is measured without a prompt.
    """
    plain: dict[str, Run] = {name: getattr(model.modules, name) for name in MODULES}
    quantised = {name: _in_int8(model, name) for name in MODULES}
    for strength in CHECKED_STRENGTHS:
        step = model.schedule.direct_steps(strength)[0]
        for look in model.looks or ("",):
            found = [
                _psnr(
                    *(_filtered(model, runs, rgb[None], step, look) for runs in (plain, quantised))
                )
                for rgb in pictures
            ]
            yield Agreement(strength, look, median(found), min(found))


def _in_int8(model: TurboModel, name: str) -> Run:
    """A module in INT8, prepared with the first call; as it is if it has no ranges."""
    module: Any = getattr(model.modules, name)
    if not getattr(module, "activation_ranges", {}):
        return module  # type: ignore[no-any-return]
    backend = Int8(model.dtype)
    prepared: list[Run] = []

    def run(*inputs: Tensor) -> Tensor:
        if not prepared:
            prepared.append(backend.prepare(module, inputs))
        return prepared[0](*inputs)  # type: ignore[no-any-return]

    return run


def _filtered(
    model: TurboModel, runs: dict[str, Run], rgb: Tensor, step: Step, look: str
) -> Tensor:  # fmt: skip
    """The image (1, 3, H, W) of a picture (1, H, W, 3), by these encoder, predictor and decoder."""
    embeds = model.prompts.encode(look)
    latents = runs["encoder"](rgb)
    noisy = add_noise(latents, fixed_noise(latents), step.alpha)
    conditions = embeds.prompt_embeds, *model.added_conditions(noisy, embeds)
    output = runs["predictor"](noisy, torch.tensor([step.timestep]), *conditions)
    clean = denoised(noisy, output, step.alpha, model.schedule.prediction_type)
    return runs["decoder"](clean).float().clamp(-1, 1)  # type: ignore[no-any-return]


def _psnr(plain: Tensor, other: Tensor) -> float:
    error = (plain - other).square().mean().sqrt().item()
    return 20.0 * math.log10(_IMAGE_RANGE / error) if error > 0 else math.inf
