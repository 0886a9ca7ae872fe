"""Loads model folders in diffusers' layout. Never loads pickles."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
from diffusers.utils.import_utils import is_accelerate_available
from safetensors import SafetensorError
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer
from transformers.utils import logging as transformers_logging

from turbolens.filter.diffusion.autoencoder import PatchedAutoencoderTiny
from turbolens.filter.diffusion.schedule import Schedule
from turbolens.filter.diffusion.vocabulary import Vocabulary
from turbolens.filter.errors import ModelError, ModelNotFoundError, UnsupportedModelError
from turbolens.filter.networks import Autoencoder, UNet

from .activation_ranges import ActivationRanges
from .json_files import read_json
from .looks import load_looks, load_vocabulary
from .needed_files import PICKLES

TextEncoder: TypeAlias = CLIPTextModel | CLIPTextModelWithProjection

_AUTOENCODERS: dict[str, Autoencoder] = {
    "AutoencoderKL": AutoencoderKL,
    "AutoencoderTiny": AutoencoderTiny,
    "PatchedAutoencoderTiny": PatchedAutoencoderTiny,
}
_TEXT_ENCODERS: dict[str, type[TextEncoder]] = {
    "CLIPTextModel": CLIPTextModel,
    "CLIPTextModelWithProjection": CLIPTextModelWithProjection,
}
_REFUSED_UNET_OPTIONS = ("class_embed_type", "encoder_hid_dim_type", "time_cond_proj_dim")
_DAMAGE = (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError)


@dataclass(frozen=True)
class Components:
    """The networks of a model, with their tokenizers, schedule and the names of their looks.

    vocabulary: of a model with a fixed list of looks. ranges: of the layers that may be computed in
    INT8.
    """

    vae: Autoencoder
    unet: UNet
    tokenizers: tuple[CLIPTokenizer, ...]
    text_encoders: tuple[TextEncoder, ...]
    schedule: Schedule
    looks: tuple[str, ...] = ()
    vocabulary: Vocabulary | None = None
    ranges: ActivationRanges = field(default_factory=ActivationRanges)


def load_components(
    folder: Path,
    dtype: torch.dtype = torch.float32,
    *,
    unet: UNet | None = None,
    vae: Autoencoder | None = None,
) -> Components:
    """Load an SD 1, SD 2 or SDXL folder; UNet and autoencoder in `dtype`, the rest in float32.

    unet, vae: networks that replace the folder's own, which are then not read. Raises
    `ModelNotFoundError` if there is no folder, `UnsupportedModelError` for other families, options
    and pickled weights, `ModelError` for damaged or missing files.
    """
    if not folder.is_dir():
        raise ModelNotFoundError(f"a model must be a folder, and there is none at {folder}")
    names = _present_components(folder)
    schedule = Schedule.from_config(_read_config(folder, "scheduler", "scheduler_config.json"))
    suffixes = [""] if "text_encoder_2" not in names else ["", "_2"]
    with quiet_transformers():
        components = Components(
            vae=_load_autoencoder(folder, dtype) if vae is None else vae,
            unet=_load_unet(folder, dtype) if unet is None else unet,
            tokenizers=tuple(_load_tokenizer(folder, f"tokenizer{each}") for each in suffixes),
            text_encoders=tuple(
                _load_text_encoder(folder, f"text_encoder{each}") for each in suffixes
            ),
            schedule=schedule,
            looks=load_looks(folder),
            vocabulary=load_vocabulary(folder),
        )
    check_compatible(components)
    return components


def _present_components(folder: Path) -> set[str]:
    """The components that model_index.json names and does not set to null."""
    index = read_json_object(folder / "model_index.json")
    present = {name for name, value in index.items() if isinstance(value, list) and any(value)}
    missing = {"vae", "unet", "scheduler", "text_encoder", "tokenizer"} - present
    if missing:
        raise UnsupportedModelError(
            f"a model must be of the SD 1, SD 2 or SDXL family, and {folder} holds a "
            f"{index.get('_class_name', 'pipeline')} without {', '.join(sorted(missing))}"
        )
    if ("text_encoder_2" in present) != ("tokenizer_2" in present):
        raise ModelError(f"{folder} must name both text_encoder_2 and tokenizer_2, or neither")
    return present


def read_json_object(path: Path) -> dict[str, Any]:
    """Read a file with one JSON object. Raises `ModelError`."""
    if not path.is_file():
        raise ModelError(
            f"a model folder in diffusers' layout must have {path.name}, not in {path.parent}"
        )
    content = read_json(path)
    if not isinstance(content, dict):
        raise ModelError(f"{path} must hold a JSON object, got a {type(content).__name__}")
    return content


def _read_config(folder: Path, component: str, name: str = "config.json") -> dict[str, Any]:
    return read_json_object(folder / component / name)


def _load_autoencoder(folder: Path, dtype: torch.dtype) -> Autoencoder:
    config = _read_config(folder, "vae")
    kind = config.get("_class_name")
    if kind not in _AUTOENCODERS:
        raise UnsupportedModelError(
            f"the autoencoder must be one of {', '.join(_AUTOENCODERS)}, got {kind!r}"
        )
    if config.get("latents_mean") or config.get("latents_std"):
        raise UnsupportedModelError("an autoencoder with latents_mean or latents_std is not known")
    return load_network(_AUTOENCODERS[kind], folder / "vae", dtype)  # type: ignore[no-any-return]


def _load_unet(folder: Path, dtype: torch.dtype) -> UNet:
    config = _read_config(folder, "unet")
    kind = config.get("_class_name")
    if kind != "UNet2DConditionModel":
        raise UnsupportedModelError(f"the unet must be a UNet2DConditionModel, got {kind!r}")
    for option in _REFUSED_UNET_OPTIONS:
        if config.get(option) is not None:
            raise UnsupportedModelError(
                f"a UNet with {option} is not supported, got {config[option]!r}"
            )
    addition = config.get("addition_embed_type")
    if addition not in (None, "text", "text_time"):
        raise UnsupportedModelError(
            f"addition_embed_type must be text, text_time or none, got {addition!r}"
        )
    return load_network(UNet2DConditionModel, folder / "unet", dtype)  # type: ignore[no-any-return]


def load_network(kind: Any, folder: Path, dtype: torch.dtype) -> Any:
    """Load a diffusers network from the safetensors of its folder. Raises `ModelError`."""
    return load_weights(
        kind,
        folder,
        torch_dtype=dtype,
        low_cpu_mem_usage=is_accelerate_available(),  # type: ignore[no-untyped-call]
        variant=variant_of(folder, "diffusion_pytorch_model"),
    )


def _load_text_encoder(folder: Path, component: str) -> TextEncoder:
    architectures = _read_config(folder, component).get("architectures") or ["CLIPTextModel"]
    kind = _TEXT_ENCODERS.get(architectures[0])
    if kind is None:
        raise UnsupportedModelError(
            f"{component} must be one of {', '.join(_TEXT_ENCODERS)}, got {architectures[0]!r}"
        )
    path = folder / component
    return load_weights(kind, path, variant=variant_of(path, "model"))  # type: ignore[no-any-return]


def _load_tokenizer(folder: Path, component: str) -> CLIPTokenizer:
    path = folder / component
    # From a folder without one, transformers silently makes an empty vocabulary.
    if not any((path / name).is_file() for name in ("vocab.json", "tokenizer.json")):
        raise ModelError(f"{path} must hold vocab.json or tokenizer.json, and holds neither")
    try:
        return CLIPTokenizer.from_pretrained(path, local_files_only=True)  # type: ignore[no-any-return]
    except _DAMAGE as error:
        raise ModelError(f"{path} cannot be loaded: {_first_line(error)}") from error


def load_weights(kind: Any, folder: Path, **options: Any) -> Any:
    """Load a network; all of its weights must be present. Raises `ModelError`."""
    try:
        network, info = kind.from_pretrained(
            folder, use_safetensors=True, local_files_only=True, output_loading_info=True, **options
        )
    except _DAMAGE as error:
        raise ModelError(f"{folder} cannot be loaded: {_first_line(error)}") from error
    missing = sorted(info["missing_keys"])
    if missing:
        raise ModelError(
            f"{folder} must hold every weight of {kind.__name__}; "
            f"{len(missing)} are missing, {missing[0]} among them"
        )
    return network


def variant_of(folder: Path, stem: str) -> str | None:
    """The `variant` to load: `None` if there are full-precision safetensors, else "fp16"."""
    files = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    weights = [name for name in files if name.endswith(".safetensors") and name.startswith(stem)]
    if any(".fp16." not in name for name in weights):
        return None
    if weights:
        return "fp16"
    if any(name.endswith(PICKLES) for name in files):
        raise UnsupportedModelError(
            f"weights must be safetensors, and {folder} holds pickled ones, which can run any "
            "code; save them with save_pretrained(safe_serialization=True)"
        )
    raise ModelError(f"{folder} must hold {stem}.safetensors, which is missing")


def check_compatible(components: Components) -> None:
    """Raise `UnsupportedModelError` unless latent channels, text width and SDXL's inputs match."""
    unet, vae = components.unet.config, components.vae.config
    channels = {unet.in_channels, unet.out_channels, vae.latent_channels}
    if len(channels) > 1:
        raise UnsupportedModelError(
            f"the UNet must take and return the autoencoder's {vae.latent_channels} channels, "
            f"but takes {unet.in_channels} and returns {unet.out_channels}"
        )
    width = sum(encoder.config.hidden_size for encoder in components.text_encoders)
    if unet.cross_attention_dim != width:
        raise UnsupportedModelError(
            f"the UNet's cross_attention_dim must be {width}, the width of the text encoders, "
            f"got {unet.cross_attention_dim}"
        )
    if (unet.addition_embed_type == "text_time") != (len(components.text_encoders) == 2):
        raise UnsupportedModelError(
            "two text encoders and addition_embed_type text_time go together (SDXL), "
            f"got {len(components.text_encoders)} and {unet.addition_embed_type!r}"
        )


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Hide transformers' progress bars."""
    was_shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if was_shown:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
