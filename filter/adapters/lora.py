"""LoRAs: low-rank changes of a model's weights, several at a time, each with its own weight.

diffusers loads them and peft computes them. While their weights change they are computed beside the
UNet; once the weights stay the same they are fused into it and cost nothing. Unfusing restores the
UNet's weights exactly.
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
"""The name and weight of every LoRA, in loading order."""

FUSE_AFTER = 8  # passes of the UNet with the same weights
_MAX_WEIGHT = 8.0  # weights are within ± this


@dataclass(frozen=True)
class LoraSource:
    """A LoRA to load. source: a file, folder or hub id. name: `None` for the file's name."""

    source: str | Path
    weight: float = 1.0
    name: str | None = None


class LoraSet:
    """The LoRAs of one model. Call under the model's lock.

    version: increases whenever weights of the UNet change, so that copies of them must be renewed.
    fuse_after: the number of passes with the same weights after which they are fused; 0: at once.
    """

    def __init__(self, unet: Any, prompts: PromptEncoder, *, fuse_after: int = FUSE_AFTER) -> None:
        self._unet, self._prompts = unet, prompts
        self._loaded: dict[str, float] = {}
        self._in_unet: set[str] = set()
        self._in_text: set[str] = set()
        self._layers: dict[int, list[Any]] = {}
        self._originals: dict[int, dict[str, torch.Tensor]] = {}
        self._current: Weights = ()
        self._passes = 0
        self.fuse_after = fuse_after
        self.fused = False
        self.version = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in loading order."""
        return tuple(self._loaded)

    @property
    def moving(self) -> bool:
        """True if they are computed beside the UNet, because their weights changed recently."""
        return bool(self._loaded) and not self.fused

    def add(self, lora: LoraSource) -> str:
        """Load a LoRA and return its name.

        Raises `ModelNotFoundError` if there is none, `UnsupportedModelError` for pickles and other
        families, `ModelError` for files that are damaged or hold no LoRA, `SettingsError` for a
        name that is taken or a weight out of range.
        """
        _check_weight(lora.name or str(lora.source), lora.weight)
        file = read_lora(lora.source, self._unet, self._prompts.text_encoders)
        name = lora.name or file.path.stem.replace(".", "_")
        if name in self._loaded:
            raise SettingsError(f"there is a LoRA {name!r} already; give this one another name")
        self._unfuse()
        try:
            with quiet():
                self._inject(file, name)
        except DAMAGE as error:
            self._remove(name)
            raise ModelError(f"{file.path} cannot be loaded: {first_line(error)}") from error
        self._loaded[name] = lora.weight
        self._current = ()
        self.use(self.weights({}))
        return name

    def weights(self, changes: Mapping[str, float]) -> Weights:
        """The weights given at loading, with `changes`.

        Raises `SettingsError` for a name that is not loaded.
        """
        for name in changes:
            if name not in self._loaded:
                known = ", ".join(self._loaded) or "none"
                raise SettingsError(f"lora_weights: there is no LoRA {name!r}, loaded: {known}")
        return tuple((name, changes.get(name, weight)) for name, weight in self._loaded.items())

    def use(self, weights: Weights) -> None:
        """Use these weights, as returned by `weights`, from the next pass on."""
        if weights != self._current:
            self._unfuse()
            self._set(self._unet, weights, self._in_unet)
            self._set_text(weights)
            self._current, self._passes = weights, 0
            self.version += 1
        if self.moving:
            if self._passes >= self.fuse_after:
                self._fuse()
            self._passes += 1

    def _inject(self, file: LoraFile, name: str) -> None:
        loader = file.loader
        if file.has("unet"):
            loader.load_lora_into_unet(
                file.tensors, network_alphas=None, unet=self._unet, adapter_name=name,
                metadata=file.metadata,
            )  # fmt: skip
            self._in_unet.add(name)
            self._update_layers(self._unet)
        for index, text_encoder in enumerate(self._prompts.text_encoders):
            prefix = file.text_prefix(index)
            if file.has(prefix):
                loader.load_lora_into_text_encoder(
                    file.tensors, network_alphas=None, text_encoder=text_encoder,
                    prefix=prefix, adapter_name=name, metadata=file.metadata,
                )  # fmt: skip
                self._in_text.add(name)
                self._update_layers(text_encoder)

    def _remove(self, name: str) -> None:
        """Remove the injected layers of this LoRA."""
        self._in_unet.discard(name)
        self._in_text.discard(name)
        for network in (self._unet, *self._prompts.text_encoders):
            self._update_layers(network)
            for layer in self._layers[id(network)]:
                if name in layer.scaling:
                    layer.delete_adapter(name)
            getattr(network, "peft_config", {}).pop(name, None)

    def _update_layers(self, network: Any) -> None:
        """Find the layers with LoRAs and move them to the network's device and dtype."""
        tuner: Any = import_module("peft.tuners.tuners_utils").BaseTunerLayer
        layers = [module for module in network.modules() if isinstance(module, tuner)]
        self._layers[id(network)] = layers
        for layer in layers:
            base = layer.get_base_layer().weight
            layer.to(device=base.device, dtype=base.dtype)
            layer.eval().requires_grad_(requires_grad=False)

    def _set(self, network: Any, weights: Weights, within: set[str]) -> None:
        """Set the weights of the LoRAs in a network; those of weight 0 are not computed."""
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
        """Set the weights in the text encoders; prompts are encoded again only if these changed."""
        chosen = tuple((name, weight) for name, weight in weights if name in self._in_text)
        if chosen == (self._prompts.weights_key or ()):
            return
        for text_encoder in self._prompts.text_encoders:
            self._set(text_encoder, chosen, self._in_text)
        self._prompts.weights_key = chosen

    def _fuse(self) -> None:
        """Merge the LoRAs into the UNet's weights, keeping copies of the originals."""
        active = [layer for layer in self._layers.get(id(self._unet), ()) if _is_active(layer)]
        for layer in active:
            if id(layer) not in self._originals:
                own = layer.get_base_layer().named_parameters()
                self._originals[id(layer)] = {
                    name: each.data.to("cpu", copy=True) for name, each in own
                }
            layer.merge()
        self.fused = True
        self.version += bool(active)

    def _unfuse(self) -> None:
        """Restore the UNet's weights from the copies: subtracting would leave rounding errors."""
        for layer in self._layers.get(id(self._unet), ()) if self.fused else ():
            if layer.merged_adapters:
                layer.merged_adapters.clear()
                for name, original in self._originals[id(layer)].items():
                    layer.get_base_layer().get_parameter(name).data.copy_(original)
        self.fused = False


def as_sources(loras: Sequence[LoraSource | str | Path]) -> list[LoraSource]:
    """Each as a `LoraSource`; a string may end in its weight, FILE:0.8.

    Raises `SettingsError` for one alone, which is no list.
    """
    if isinstance(loras, str | Path | LoraSource):
        given = loras.source if isinstance(loras, LoraSource) else str(loras)
        raise SettingsError(f"loras must be a list of files or hub ids, got {given!r}")
    return [lora if isinstance(lora, LoraSource) else parse_lora(str(lora)) for lora in loras]


def parse_lora(text: str) -> LoraSource:
    """Parse FILE_OR_HUB_ID[:WEIGHT]; a colon without a number belongs to the name."""
    source, colon, weight = text.rpartition(":")
    if colon and source:
        try:
            return LoraSource(source, float(weight))
        except ValueError:
            pass  # a drive letter, or part of the name
    return LoraSource(text)


def _is_active(layer: Any) -> bool:
    return not layer.disable_adapters and bool(layer.active_adapters)


def _check_weight(name: str, weight: float) -> None:
    if not -_MAX_WEIGHT <= weight <= _MAX_WEIGHT:
        raise SettingsError(
            f"the weight of LoRA {name} must be within ±{_MAX_WEIGHT:g}, got {weight:g}"
        )
