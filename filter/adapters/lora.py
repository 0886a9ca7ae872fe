"""LoRAs: small changes of a model's weights, several at a time, each with a weight of its own.

diffusers' own loaders read them, in its own and in kohya's layout, and peft computes them. While
weights move they are computed beside the networks; once they stand still they are added to the
UNet's own weights, and then cost nothing. What is taken out again is restored to the bit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

import torch

from turbolens.filter.diffusion.prompts import PromptEncoder
from turbolens.filter.errors import ModelError, SettingsError

from .lora_files import DAMAGE, LoraFile, first_line, quiet, read_lora

Weights: TypeAlias = tuple[tuple[str, float], ...]
"""Name and weight of every LoRA, in the order in which they were loaded."""

STILL_AFTER = 8  # passes of the UNet with the same weights
_MOST = 8.0  # a weight is within ± this


@dataclass(frozen=True)
class LoraSource:
    """What to load: a file, folder or hub id, at which weight, and under which name.

    Without a name it is called as its file.
    """

    source: str | Path
    weight: float = 1.0
    name: str | None = None


class LoraSet:
    """The LoRAs of one model. Used under the model's lock.

    version: moves whenever weights of the networks change or are computed otherwise; whoever copied
    them must then copy them anew. still_after: after how many passes with the same weights they
    are added to the UNet's own; 0: at once.
    """

    def __init__(
        self, unet: Any, prompts: PromptEncoder, *, still_after: int = STILL_AFTER
    ) -> None:
        self._unet, self._prompts = unet, prompts
        self._loaded: dict[str, float] = {}
        self._in_unet: set[str] = set()
        self._in_text: set[str] = set()
        self._layers: dict[int, list[Any]] = {}
        self._kept: dict[int, dict[str, torch.Tensor]] = {}
        self._used: Weights = ()
        self._passes = 0
        self.still_after = still_after
        self.fused = False
        self.version = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in the order in which they were loaded."""
        return tuple(self._loaded)

    @property
    def moving(self) -> bool:
        """Whether they are computed beside the UNet, since their weights have just moved."""
        return bool(self._loaded) and not self.fused

    def add(self, lora: LoraSource) -> str:
        """Load one more, and give its name.

        Raises `ModelNotFoundError` where there is none, `UnsupportedModelError` for pickles and for
        what was made for another family, `ModelError` for what is damaged or no LoRA, and
        `SettingsError` for a name that is taken or a weight out of range.
        """
        _check_weight(lora.name or str(lora.source), lora.weight)
        file = read_lora(lora.source, self._unet, self._prompts.text_encoders)
        name = lora.name or file.path.stem.replace(".", "_")
        if name in self._loaded:
            raise SettingsError(f"there is a LoRA {name!r} already; give this one another name")
        self._take_out()
        try:
            with quiet():
                self._inject(file, name)
        except DAMAGE as error:
            self._remove(name)
            raise ModelError(f"{file.path} cannot be loaded: {first_line(error)}") from error
        self._loaded[name] = lora.weight
        self._used = ()
        self.use(self.weights({}))
        return name

    def weights(self, changes: Mapping[str, float]) -> Weights:
        """The weights that were given at loading, with these changes.

        Raises `SettingsError` for a name that is not loaded.
        """
        for name in changes:
            if name not in self._loaded:
                known = ", ".join(self._loaded) or "none"
                raise SettingsError(f"lora_weights: there is no LoRA {name!r}, loaded: {known}")
        return tuple((name, changes.get(name, weight)) for name, weight in self._loaded.items())

    def use(self, weights: Weights) -> None:
        """Let the next passes have these weights, as `weights` gives them."""
        if weights != self._used:
            self._take_out()
            self._set(self._unet, weights, self._in_unet)
            self._set_text(weights)
            self._used, self._passes = weights, 0
            self.version += 1
        if self.moving:
            if self._passes >= self.still_after:
                self._add_in()
            self._passes += 1

    def _inject(self, file: LoraFile, name: str) -> None:
        loader = file.loader
        if file.has("unet"):
            loader.load_lora_into_unet(
                file.tensors, network_alphas=None, unet=self._unet, adapter_name=name,
                metadata=file.metadata,
            )  # fmt: skip
            self._in_unet.add(name)
            self._settle(self._unet)
        for index, text_encoder in enumerate(self._prompts.text_encoders):
            prefix = file.text_prefix(index)
            if file.has(prefix):
                loader.load_lora_into_text_encoder(
                    file.tensors, network_alphas=None, text_encoder=text_encoder,
                    prefix=prefix, adapter_name=name, metadata=file.metadata,
                )  # fmt: skip
                self._in_text.add(name)
                self._settle(text_encoder)

    def _remove(self, name: str) -> None:
        """Undo what of this LoRA was injected."""
        self._in_unet.discard(name)
        self._in_text.discard(name)
        for network in (self._unet, *self._prompts.text_encoders):
            self._settle(network)
            for layer in self._layers[id(network)]:
                if name in layer.scaling:
                    layer.delete_adapter(name)
            getattr(network, "peft_config", {}).pop(name, None)

    def _settle(self, network: Any) -> None:
        """Find the layers that compute LoRAs, and put them in the network's format."""
        tuner: Any = import_module("peft.tuners.tuners_utils").BaseTunerLayer
        layers = [module for module in network.modules() if isinstance(module, tuner)]
        self._layers[id(network)] = layers
        for layer in layers:
            base = layer.get_base_layer().weight
            layer.to(device=base.device, dtype=base.dtype)
            layer.eval().requires_grad_(requires_grad=False)

    def _set(self, network: Any, weights: Weights, within: set[str]) -> None:
        """The LoRAs in this network, as they are weighed; one of weight 0 is not computed."""
        given = {name: weight for name, weight in weights if name in within and weight}
        for layer in self._layers.get(id(network), ()):
            layer.enable_adapters(bool(given))
            if not given:
                continue
            layer.set_adapter([name for name in given if name in layer.scaling])
            for name in layer.active_adapters:
                layer.set_scale(name, given[name])
            layer.requires_grad_(requires_grad=False)

    def _set_text(self, weights: Weights) -> None:
        """The text encoders' share; prompts are encoded anew only where it has changed."""
        heard = tuple((name, weight) for name, weight in weights if name in self._in_text)
        if heard == (self._prompts.weights_key or ()):
            return
        for text_encoder in self._prompts.text_encoders:
            self._set(text_encoder, heard, self._in_text)
        self._prompts.weights_key = heard

    def _add_in(self) -> None:
        """Add what is computed beside the UNet to its weights."""
        active = [layer for layer in self._layers.get(id(self._unet), ()) if _is_active(layer)]
        for layer in active:
            if id(layer) not in self._kept:
                own = layer.get_base_layer().named_parameters()
                self._kept[id(layer)] = {name: each.data.to("cpu", copy=True) for name, each in own}
            layer.merge()
        self.fused = True
        self.version += bool(active)

    def _take_out(self) -> None:
        """The UNet's own weights again, to the bit: subtracting would leave rounding behind."""
        for layer in self._layers.get(id(self._unet), ()) if self.fused else ():
            if layer.merged_adapters:
                layer.merged_adapters.clear()
                for name, kept in self._kept[id(layer)].items():
                    layer.get_base_layer().get_parameter(name).data.copy_(kept)
        self.fused = False


def as_sources(loras: Sequence[LoraSource | str | Path]) -> list[LoraSource]:
    """Each as a `LoraSource`; a text may end in its weight, FILE:0.8."""
    return [lora if isinstance(lora, LoraSource) else parse_lora(str(lora)) for lora in loras]


def parse_lora(text: str) -> LoraSource:
    """FILE_OR_HUB_ID[:WEIGHT]; a colon without a number belongs to the name."""
    source, colon, weight = text.rpartition(":")
    if colon and source:
        try:
            return LoraSource(source, float(weight))
        except ValueError:
            pass  # the drive of a path, or no weight
    return LoraSource(text)


def _is_active(layer: Any) -> bool:
    return not layer.disable_adapters and bool(layer.active_adapters)


def _check_weight(name: str, weight: float) -> None:
    if not -_MOST <= weight <= _MOST:
        raise SettingsError(f"the weight of LoRA {name} must be within ±{_MOST:g}, got {weight:g}")
