"""`Adapters`: the LoRAs, the ControlNet and the IP-Adapter of one model."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch

from turbolens.filter.diffusion.conditions import Conditions
from turbolens.filter.diffusion.prompts import PromptEmbeds, PromptEncoder
from turbolens.filter.errors import SettingsError
from turbolens.filter.networks import UNet

from .control import ControlNet
from .image_prompt import ImagePrompts
from .lora import LoraSet, LoraSource
from .lora_files import locate_lora


def check_adapters(
    loras: Sequence[LoraSource],
    controlnet: str | Path | None = None,
    ip_adapter: str | Path | None = None,
) -> None:
    """Raise `ModelNotFoundError` or `UnsupportedModelError` if a file is missing or unsuitable.

    Called before the model is loaded, which takes long.
    """
    for lora in loras:
        locate_lora(lora.source)
    if controlnet is not None:
        ControlNet.locate(controlnet)
    if ip_adapter is not None:
        ImagePrompts.locate(ip_adapter)


class Adapters:
    """The adapters of one model, none at first. Call under the model's lock."""

    def __init__(self, unet: UNet, prompts: PromptEncoder, scale_factor: int) -> None:
        self._unet, self._scale_factor = unet, scale_factor
        self.loras = LoraSet(unet, prompts)
        self.controlnet: ControlNet | None = None
        self.image_prompts: ImagePrompts | None = None

    def load_controlnet(self, source: str | Path, device: torch.device, dtype: torch.dtype) -> None:
        """Load the ControlNet of a folder or hub id. Raises as `ControlNet.load`."""
        self.controlnet = ControlNet.load(
            source, self._unet, scale_factor=self._scale_factor, device=device, dtype=dtype
        )

    def load_ip_adapter(self, source: str | Path, device: torch.device, dtype: torch.dtype) -> None:
        """Load the IP-Adapter of a file, folder or hub id. Raises as `ImagePrompts.load`."""
        self.image_prompts = ImagePrompts.load(source, self._unet, device, dtype)

    @contextmanager
    def inputs(
        self, text_inputs: Mapping[str, Any], embeds: PromptEmbeds
    ) -> Iterator[dict[str, Any]]:
        """The keyword arguments of the UNet: `text_inputs` and those of the `Conditions`.

        Raises `SettingsError` if the conditions need an adapter that is not loaded.
        """
        inputs = dict(text_inputs)
        with ExitStack() as stack:
            if isinstance(embeds, Conditions) and embeds.control_image is not None:
                control = self.require_controlnet()
                inputs |= control.residuals(text_inputs, embeds.control_image, embeds.control_scale)
            if isinstance(embeds, Conditions) and embeds.image_embeds is not None:
                prompts = self.require_image_prompts()
                stack.enter_context(prompts.active(embeds.image_scale))
                added = prompts.added(embeds.image_embeds, len(inputs["sample"]))
                inputs["added_cond_kwargs"] = {**inputs["added_cond_kwargs"], **added}
            yield inputs

    def require_controlnet(self) -> ControlNet:
        """The ControlNet. Raises `SettingsError` if none is loaded."""
        if self.controlnet is None:
            raise SettingsError(
                "a control image needs a ControlNet: TurboModel.load(…, controlnet=FOLDER), "
                "or --controlnet FOLDER"
            )
        return self.controlnet

    def require_image_prompts(self) -> ImagePrompts:
        """The IP-Adapter. Raises `SettingsError` if none is loaded."""
        if self.image_prompts is None:
            raise SettingsError(
                "an image prompt needs an IP-Adapter: TurboModel.load(…, ip_adapter=FILE), "
                "or --ip-adapter FILE"
            )
        return self.image_prompts
