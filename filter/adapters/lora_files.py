"""Reads LoRA files with diffusers' loaders and checks them against the model before injection."""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from turbolens.filter.errors import ModelError, UnsupportedModelError
from turbolens.filter.loading.folders import quiet_transformers

from .files import locate_file
from .kohya_files import is_kohya, to_two_matrices
from .peft_files import from_peft, is_peft

Tensors: TypeAlias = Mapping[str, torch.Tensor]

DAMAGE = (OSError, ValueError, RuntimeError, KeyError, TypeError, IndexError, SafetensorError)
_UNPREFIXED = ("down_blocks.", "mid_block.", "up_blocks.")
_LOADERS = "diffusers.loaders"
_UTILS = "diffusers.utils"


@dataclass(frozen=True, eq=False)
class LoraFile:
    """The content of one file, with diffusers' names: unet.…, text_encoder.…

    loader: the loader mixin of diffusers. metadata: peft's, if any.
    """

    path: Path
    tensors: dict[str, torch.Tensor]
    loader: Any
    metadata: dict[str, Any] | None = field(default=None, repr=False)

    def has(self, network: str) -> bool:
        """True if it has layers of the network of this name."""
        return any(name.startswith(f"{network}.") for name in self.tensors)

    @staticmethod
    def text_prefix(index: int) -> str:
        """The name of text encoder `index` in the file."""
        return "text_encoder" if index == 0 else f"text_encoder_{index + 1}"


def locate_lora(source: str | Path) -> Path:
    """Find the file. Raises `ModelNotFoundError` or `UnsupportedModelError`."""
    return locate_file(source, "LoRA")


def read_lora(source: str | Path, unet: Any, text_encoders: Sequence[Any]) -> LoraFile:
    """Read a LoRA from a file, folder or hub id, and check that it fits the networks.

    Raises `ModelNotFoundError` if there is none, `UnsupportedModelError` for pickles and other
    families, `ModelError` for files that are damaged or hold no LoRA.
    """
    path = locate_lora(source)
    networks = {LoraFile.text_prefix(index): each for index, each in enumerate(text_encoders)}
    networks = {"unet": unet, **networks}
    file = _read(path, networks)
    if not any(file.has(name) for name in networks):
        example = next(iter(file.tensors), "nothing")
        raise ModelError(f"{path} holds no LoRA of a model of the SD family: it has {example}")
    unknown = [name for name in file.tensors if name.partition(".")[0] not in networks]
    if unknown:
        raise UnsupportedModelError(
            f"{path} was made for another family of models: this one has no {unknown[0]}"
        )
    for name, network in networks.items():
        if file.has(name):
            _check(path, name, network, file)
    return file


def _read(path: Path, networks: Mapping[str, Any]) -> LoraFile:
    """The file in diffusers' layout, whatever its own. networks: by their names in the file."""
    names = _names_in(path)
    is_xl = LoraFile.text_prefix(1) in networks
    kind = "StableDiffusionXLLoraLoaderMixin" if is_xl else "StableDiffusionLoraLoaderMixin"
    loader = getattr(import_module(_LOADERS), kind)
    if is_peft(names):
        return LoraFile(path, from_peft(path, load_file(path), networks), loader)
    kohya = is_kohya(path, names)
    try:
        with quiet():
            tensors, _, metadata = loader.lora_state_dict(
                to_two_matrices(path, load_file(path)) if kohya else str(path.parent),
                weight_name=path.name, unet_config=networks["unet"].config, use_safetensors=True,
                local_files_only=True, return_lora_metadata=True,
            )  # fmt: skip
    except ModelError:
        raise
    except DAMAGE as error:
        raise ModelError(
            f"{path} is not a LoRA that diffusers can read for this model: {first_line(error)}"
        ) from error
    if tensors and all(name.startswith(_UNPREFIXED) for name in tensors):
        tensors = {f"unet.{name}": tensor for name, tensor in tensors.items()}
    return LoraFile(path, tensors, loader, metadata)


def _names_in(path: Path) -> list[str]:
    """The names of the file's tensors. Raises `ModelError` for damaged files."""
    try:
        with safe_open(path, framework="pt") as content:
            return list(content.keys())
    except DAMAGE as error:
        raise ModelError(
            f"{path} is damaged, or not a safetensors file: {first_line(error)}"
        ) from error


def _check(path: Path, name: str, network: Any, file: LoraFile) -> None:
    """Raise `UnsupportedModelError` unless every layer exists in the network with its shape."""
    own = {key.removeprefix(f"{name}."): tensor for key, tensor in file.tensors.items()
           if key.startswith(f"{name}.")}  # fmt: skip
    layers = dict(network.named_modules())
    for layer, down, up in _pairs(path, _in_peft_layout(own, is_unet=name == "unet")):
        module = _layer_of(layers, layer)
        weight = getattr(getattr(module, "base_layer", module), "weight", None)
        if weight is None:
            raise UnsupportedModelError(
                f"{path} was made for another family of models: this one has no {name}.{layer}"
            )
        wanted, given = (weight.shape[0], weight.shape[1]), (up.shape[0], down.shape[1])
        if wanted != given or up.shape[1] != down.shape[0]:
            raise UnsupportedModelError(
                f"{path} was made for another family of models: {name}.{layer} has "
                f"{wanted[1]} → {wanted[0]} here, and {given[1]} → {given[0]} there"
            )


def _layer_of(layers: Mapping[str, Any], name: str) -> Any:
    """A layer by name; newer versions of transformers have no `text_model.` in CLIP's names."""
    return layers.get(name) or layers.get(name.removeprefix("text_model."))


def _pairs(path: Path, tensors: Tensors) -> Iterator[tuple[str, torch.Tensor, torch.Tensor]]:
    """Yield the name, down (rank, in, …) and up (out, rank, …) of each layer."""
    for key, down in tensors.items():
        if not key.endswith(".lora_A.weight"):
            continue
        layer = key.removesuffix(".lora_A.weight")
        up = tensors.get(f"{layer}.lora_B.weight")
        if up is None or min(up.ndim, down.ndim) < 2:
            raise ModelError(f"{path} is damaged: {layer} lacks one of its two matrices")
        yield layer, down, up


def _in_peft_layout(tensors: Tensors, *, is_unet: bool) -> Tensors:
    utils = import_module(_UTILS)
    if any("lora_A" in name for name in tensors):
        return tensors
    if is_unet:
        converted: Tensors = utils.convert_unet_state_dict_to_peft(dict(tensors))
    else:
        renamed = utils.convert_state_dict_to_diffusers(dict(tensors))
        converted = utils.convert_state_dict_to_peft(renamed)
    return converted


@contextmanager
def quiet() -> Iterator[None]:
    """Silence diffusers' and peft's log messages and warnings: problems are raised as errors."""
    loggers = [logging.getLogger(name) for name in ("diffusers", "transformers")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with quiet_transformers(), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
