"""A known model's exact architecture with random weights: for its speed and memory alone."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel

from turbolens.filter import SettingsError, TurboModel
from turbolens.filter.acceleration.dtype import resolve_dtype
from turbolens.filter.device import resolve_device
from turbolens.filter.diffusion.prompts import PromptEmbeds, PromptEncoder
from turbolens.filter.diffusion.schedule import Schedule
from turbolens.filter.loading.catalogue import known_models
from turbolens.filter.loading.families import CLIP_LENGTH, architecture
from turbolens.filter.loading.folders import Components
from turbolens.filter.settings import VaeChoice, WeightedPrompt

_SCHEDULER = {
    "_class_name": "EulerDiscreteScheduler", "beta_schedule": "scaled_linear",
    "beta_start": 0.00085, "beta_end": 0.012,
}  # fmt: skip
_SPREAD = 0.02  # standard deviation of the weights: activations stay within any format


def random_model(
    name: str, *, device: str = "auto", dtype: str = "auto", vae: VaeChoice = "auto"
) -> TurboModel:
    """The known model `name`, its pictures noise, its time and memory those of the real one.

    Texts are not encoded: every prompt is some random embeds. Raises `SettingsError` for a name
    that has no such architecture.
    """
    known = known_models().get(name)
    if known is None or known.family == "embedded":
        names = [each.name for each in known_models().values() if each.family != "embedded"]
        raise SettingsError(f"random weights are for {', '.join(names)}, got {name!r}")
    on = resolve_device(device)
    in_dtype = resolve_dtype(dtype, on)
    made = architecture(known.family)
    encoder = _filled(AutoencoderKL, made.vae, on, in_dtype) if vae == "full" else _filled(
        AutoencoderTiny, {}, on, in_dtype)  # fmt: skip
    components = Components(
        vae=encoder, unet=_filled(UNet2DConditionModel, made.unet, on, in_dtype),
        tokenizers=(), text_encoders=(), schedule=Schedule.from_config(_SCHEDULER),
    )  # fmt: skip
    model = TurboModel(components, name=f"{name} (random weights)", device=on, dtype=in_dtype)
    pooled = 1280 if known.family == "sdxl" else None
    model.prompts = cast(
        PromptEncoder, RandomPrompts(made.unet["cross_attention_dim"], pooled, on, in_dtype)
    )
    return model


def _filled(kind: Any, config: dict[str, Any], device: torch.device, dtype: torch.dtype) -> Any:
    """A network of this config, filled where it is to lie: no copy of it ever lies elsewhere."""
    with torch.device("meta"):
        network = kind.from_config(config)
    # Not the networks' own `to`, which warns of every dtype.
    torch.nn.Module.to(network, dtype).to_empty(device=device)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if "norm" in name and name.endswith("weight"):
                weight.fill_(1.0)
            else:
                weight.normal_(0.0, _SPREAD)
    return network


class RandomPrompts:
    """In the place of a `PromptEncoder`: the same random embeds for every prompt."""

    def __init__(
        self, width: int, pooled: int | None, device: torch.device, dtype: torch.dtype
    ) -> None:
        generator = torch.Generator("cpu").manual_seed(0)
        text = torch.randn(1, CLIP_LENGTH, width, generator=generator)
        whole = None if pooled is None else torch.randn(1, pooled, generator=generator)
        self._embeds = PromptEmbeds(
            text.to(device, dtype), None if whole is None else whole.to(device, dtype)
        )

    def __call__(self, prompts: Sequence[WeightedPrompt]) -> PromptEmbeds:
        """The embeds."""
        return self._embeds
