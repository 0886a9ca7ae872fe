"""The parts of a distillation on tiny models."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from turbolens.filter.loading.folders import load_components
from turbolens.filter.networks import module_of
from turbolens.filter.training.captions import CaptionedPictures
from turbolens.filter.training.distill.stage import Distillation, Recipe
from turbolens.filter.training.loop import Stage
from turbolens.filter.training.networks import Networks, new_networks
from turbolens.filter.training.temporal import warped_photographs

SIDE = 16
QUICK = Recipe(batch=4, student_steps=2, heads_first=0)


def picture(seed: int, size: int = 40) -> NDArray[np.uint8]:
    """A smooth random colour picture (size, size, 3)."""
    coarse = torch.rand(1, 3, 5, 5, generator=torch.Generator().manual_seed(seed))
    wide = F.interpolate(coarse, (size, size), mode="bicubic").clamp(0, 1)[0]
    return np.ascontiguousarray((wide.permute(1, 2, 0) * 255).byte().numpy())


def networks_of(folder: Path, prediction_type: str = "epsilon") -> Networks:
    components = load_components(folder)
    schedule = replace(components.schedule, prediction_type=prediction_type)  # type: ignore[arg-type]
    return new_networks(replace(components, schedule=schedule), torch.device("cpu"))


def distillation_of(networks: Networks, data: CaptionedPictures, **changes: Any) -> Distillation:
    return Distillation(
        networks, data, warped_photographs(data.images), replace(QUICK, **changes)
    )  # fmt: skip


def stage_of(losses: Distillation, folder: Path, steps: int, rate: float = 1e-3) -> Stage:
    trained = losses.networks.trained
    return Stage("distillation", trained, losses, folder, steps, rate, rates={"heads": 4.0})


def frozen_parts(networks: Networks) -> nn.ModuleList:
    texts = nn.ModuleList(networks.texts._encoder.text_encoders)
    return nn.ModuleList([module_of(networks.teacher.unet), module_of(networks.encoder.vae), texts])
