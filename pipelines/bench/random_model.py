"""A known model's architecture with random weights, to measure speed and memory only."""

from collections.abc import Sequence
from typing import Any

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel

from turbolens.filter import SettingsError, TurboModel
from turbolens.filter.acceleration.dtype import resolve_dtype
from turbolens.filter.acceleration.openvino.layer_ranges import activation_ranges
from turbolens.filter.device import resolve_device
from turbolens.filter.diffusion.prompts import PromptEmbeds, PromptEncoder
from turbolens.filter.diffusion.schedule import Schedule
from turbolens.filter.loading.catalogue import known_models
from turbolens.filter.loading.families import CLIP_LENGTH, architecture, sdxs_unet
from turbolens.filter.loading.folders import Components
from turbolens.filter.settings import VaeChoice, WeightedPrompt

_SCHEDULER = {
    "_class_name": "EulerDiscreteScheduler", "beta_schedule": "scaled_linear",
    "beta_start": 0.00085, "beta_end": 0.012,
}  # fmt: skip
_SPREAD = 0.02  # standard deviation of the weights, so small that no dtype overflows
_SIDE = 128  # of the picture that activation ranges are measured on
_ANY_RANGE = 1e6  # beside which no result of such a model differs


def random_model(
    name: str, *, device: str = "auto", dtype: str = "auto", vae: VaeChoice = "auto"
) -> TurboModel:
    """A model like the known model `name`, with its time and memory. Its results are noise.

    Prompts are not encoded: each has the same random embeddings. On a CPU in float32 the layers
    have the activation ranges of one random picture, so that INT8 can be measured, too: however
    much its results differ, since random weights amplify every rounding. Raises `SettingsError` for
    a name that is not a known model, and for the embedded one.
    """
    known = known_models().get(name)
    if known is None or known.family == "embedded":
        names = [each.name for each in known_models().values() if each.family != "embedded"]
        raise SettingsError(f"random weights are for {', '.join(names)}, got {name!r}")
    on = resolve_device(device)
    in_dtype = resolve_dtype(dtype, on)
    config = architecture(known.family)
    encoder = _filled(AutoencoderKL, config.vae, on, in_dtype) if vae == "full" else _filled(
        AutoencoderTiny, {}, on, in_dtype)  # fmt: skip
    unet = sdxs_unet() if name == "sdxs" else config.unet
    components = Components(
        vae=encoder, unet=_filled(UNet2DConditionModel, unet, on, in_dtype),
        tokenizers=(), text_encoders=(), schedule=Schedule.from_config(_SCHEDULER),
    )  # fmt: skip
    model = TurboModel(components, name=f"{name} (random weights)", device=on, dtype=in_dtype)
    pooled = 1280 if known.family == "sdxl" else None
    model.prompts = RandomPrompts(config.unet["cross_attention_dim"], pooled, on, in_dtype)
    if on.type == "cpu" and in_dtype == torch.float32:
        _calibrate(model)
    return model


@torch.inference_mode()
def _calibrate(model: TurboModel) -> None:
    """Set the activation ranges of one small random picture."""
    modules, embeds = model.modules, model.prompts.encode("")
    rgb = torch.randint(0, 256, (1, _SIDE, _SIDE, 3), dtype=torch.uint8)
    latents = modules.encoder(rgb)
    for_unet = latents, torch.tensor([999]), embeds.prompt_embeds
    inputs: dict[str, tuple[torch.Tensor, ...]] = {
        "encoder": (rgb,),
        "predictor": (*for_unet, *model.added_conditions(latents, embeds)),
        "decoder": (latents,),
    }
    modules.set_activation_ranges({
        name: activation_ranges(getattr(modules, name), [own]) for name, own in inputs.items()
    })  # fmt: skip
    for name in inputs:
        getattr(modules, name).typical_ranges = (_ANY_RANGE,)


def _filled(kind: Any, config: dict[str, Any], device: torch.device, dtype: torch.dtype) -> Any:
    """A network of this config, with its weights drawn on the device: no copy elsewhere."""
    with torch.device("meta"):
        network = kind.from_config(config)
    # Not the network's own `to`, which warns about every dtype.
    torch.nn.Module.to(network, dtype).to_empty(device=device)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if "norm" in name and name.endswith("weight"):
                weight.fill_(1.0)
            else:
                weight.normal_(0.0, _SPREAD)
    return network


class RandomPrompts(PromptEncoder):
    """Encodes every prompt as the same random embeddings."""

    def __init__(
        self, width: int, pooled: int | None, device: torch.device, dtype: torch.dtype
    ) -> None:
        super().__init__((), (), dtype)
        generator = torch.Generator("cpu").manual_seed(0)
        text = torch.randn(1, CLIP_LENGTH, width, generator=generator)
        pooled_embeds = None if pooled is None else torch.randn(1, pooled, generator=generator)
        self._same = PromptEmbeds(
            text.to(device, dtype),
            None if pooled_embeds is None else pooled_embeds.to(device, dtype),
        )

    def window_count(self, prompts: Sequence[WeightedPrompt]) -> int:
        """Always one."""
        return 1

    def __call__(self, prompts: Sequence[WeightedPrompt]) -> PromptEmbeds:
        """The embeddings."""
        return self._same

    def encode(self, text: str, *, count: int | None = None) -> PromptEmbeds:
        """The embeddings."""
        return self._same
