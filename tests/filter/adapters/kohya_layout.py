"""LoRAs as kohya's trainer writes them: SDXL's UNet by its original names, or by diffusers'."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch

from tests.filter.loading.original_layout import original_unet_layer

_TEXTS = ("text_encoder", "text_encoder_2")


class Change(NamedTuple):
    """What a LoRA adds to one layer: alpha / rank · up · down, alpha being the rank if none."""

    down: torch.Tensor
    up: torch.Tensor
    alpha: float | None = None

    @property
    def delta(self) -> torch.Tensor:
        """The sum, of the shape of the layer's weight."""
        scale = 1.0 if self.alpha is None else self.alpha / len(self.down)
        return scale * torch.einsum("or,r...->o...", self.up.flatten(1), self.down)


Changes = dict[str, dict[str, Change]]
"""By the network's name in a pipeline, then by the layer's name in the network."""


def changes(networks: Mapping[str, Any], *, uneven: bool = True, seed: int = 1) -> Changes:
    """One for every linear layer and convolution. Uneven: ranks and alphas differ, as after
    resizing, and some layers have no alpha."""
    generator = torch.Generator().manual_seed(seed)
    made: Changes = {}
    for name, network in networks.items():
        made[name] = {}
        kinds = (torch.nn.Linear,) if name in _TEXTS else (torch.nn.Linear, torch.nn.Conv2d)
        layers = [(at, each) for at, each in network.named_modules() if isinstance(each, kinds)]
        for number, (at, layer) in enumerate(layers):
            rank = 1 + number % 3 if uneven else 2
            alpha = (None, 0.5, 1.0, 2.0)[number % 4] if uneven else 1.0
            made[name][at] = _change(layer.weight, rank, alpha, generator)
    return made


def _change(
    weight: torch.Tensor, rank: int, alpha: float | None, generator: torch.Generator
) -> Change:
    ones = (1,) * (weight.ndim - 2)
    down = torch.randn(rank, *weight.shape[1:], generator=generator) * 0.2
    up = torch.randn(len(weight), rank, *ones, generator=generator) * 0.2
    return Change(down, up, alpha)


def diffusers_file(made: Changes) -> dict[str, torch.Tensor]:
    """The same LoRA in diffusers' layout, which has no alphas: they are in the matrices."""
    tensors = {}
    for network, layers in made.items():
        for at, each in layers.items():
            scale = 1.0 if each.alpha is None else each.alpha / len(each.down)
            tensors[f"{network}.{at}.lora_A.weight"] = each.down
            tensors[f"{network}.{at}.lora_B.weight"] = each.up * scale
    return tensors


def kohya_file(made: Changes, unet: Any, *, original: bool = True) -> dict[str, torch.Tensor]:
    """The same LoRA in kohya's layout. original: the UNet's layers by their original names."""
    two = "text_encoder_2" in made
    prefixes = dict(zip(_TEXTS, ("lora_te1", "lora_te2") if two else ("lora_te",), strict=False))
    tensors: dict[str, torch.Tensor] = {}
    for network, layers in made.items():
        for at, each in layers.items():
            inside = original_unet_layer(unet, at) if network == "unet" and original else at
            if at.startswith("encoder.layers"):  # as CLIP's layers were called
                inside = f"text_model.{at}"
            stem = f"{prefixes.get(network, 'lora_unet')}_{inside.replace('.', '_')}"
            tensors |= {f"{stem}.lora_down.weight": each.down, f"{stem}.lora_up.weight": each.up}
            if each.alpha is not None:
                tensors[f"{stem}.alpha"] = torch.tensor(each.alpha)
    return tensors
