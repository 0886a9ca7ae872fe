"""Loads a whole checkpoint from one safetensors file in Stability AI's original layout.

diffusers' own functions convert the names of the weights. The configs are in `families`, and the
tokenizer comes from the cache of the hub, since such a file contains neither.
"""

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from turbolens.filter.diffusion.schedule import Schedule
from turbolens.filter.diffusion.scheduler_config import PredictionType
from turbolens.filter.errors import ModelError, UnsupportedModelError
from turbolens.filter.networks import Autoencoder

from .families import CLIP_LENGTH, Architecture, architecture
from .folders import Components, TextEncoder, check_compatible
from .hub import Hub
from .locating import tokenizer_folder
from .weights_header import CheckpointFamily, Header, family_of, read_header

_CONVERSIONS: Any = import_module("diffusers.loaders.single_file_utils")
_SCHEDULER = {
    "_class_name": "EulerDiscreteScheduler",
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
}
_OPEN_CLIP = {"sd2": "cond_stage_model.model.", "sdxl": "conditioner.embedders.1.model."}

Weights = dict[str, torch.Tensor]


def load_single_file(
    path: Path,
    dtype: torch.dtype = torch.float32,
    *,
    vae: Autoencoder | None = None,
    hub: Hub | None = None,
    configs: Architecture | None = None,
) -> Components:
    """Load the components of an SD 1, SD 2 or SDXL checkpoint in `dtype`.

    vae: an autoencoder that replaces the file's own. configs: replace the family's own. The UNet
    predicts epsilon unless the file's metadata says v. Raises `UnsupportedModelError` for other
    files, `ModelError` for a damaged one, and `ModelNotFoundError` if CLIP's tokenizer is not on
    this machine.
    """
    header = read_header(path)
    family = family_of(header)
    prediction_type = _prediction_type(header)
    configs = configs or architecture(family)
    tokenizers = _tokenizers(hub or Hub(), configs)
    try:
        checkpoint = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} cannot be loaded: {error}") from error
    if vae is None:
        convert = _CONVERSIONS.convert_ldm_vae_checkpoint
        vae = _converted(AutoencoderKL, configs.vae, checkpoint, convert, path, dtype)
    convert = _CONVERSIONS.convert_ldm_unet_checkpoint
    components = Components(
        vae=vae,
        unet=_converted(UNet2DConditionModel, configs.unet, checkpoint, convert, path, dtype),
        tokenizers=tokenizers,
        text_encoders=_text_encoders(family, configs, checkpoint, path, dtype),
        schedule=replace(Schedule.from_config(_SCHEDULER), prediction_type=prediction_type),
    )
    check_compatible(components)
    return components


def _converted(
    kind: Any, config: dict[str, Any], checkpoint: Weights, convert: Any, path: Path,
    dtype: torch.dtype,
) -> Any:  # fmt: skip
    """The network of a config with the checkpoint's weights; none is initialised at random."""
    with torch.device("meta"):
        network = kind.from_config(config)
    try:
        weights = convert(checkpoint=dict(checkpoint), config=network.config)
    except (KeyError, IndexError, ValueError, RuntimeError) as error:
        raise _mismatch(path, kind, str(error)) from error
    _assign(network, weights, path, dtype)
    return network


def _assign(network: torch.nn.Module, weights: Weights, path: Path, dtype: torch.dtype) -> None:
    """Assign weights to a network on the meta device; all must be present and of its shapes."""
    wanted = network.state_dict()
    missing = [name for name in wanted if name not in weights]
    if missing:
        raise _mismatch(path, type(network), f"{missing[0]} is missing")
    fitting = {name: weights[name].to(dtype) for name in wanted}
    try:
        network.load_state_dict(fitting, assign=True)
    except RuntimeError as error:
        raise _mismatch(path, type(network), str(error)) from error
    network.eval()


def _mismatch(path: Path, kind: Any, reason: str) -> ModelError:
    first = " ".join(reason.split())[:200]
    return ModelError(f"{path} must hold every weight of the {kind.__name__}, but {first}")


def _text_encoders(
    family: CheckpointFamily, configs: Architecture, checkpoint: Weights, path: Path,
    dtype: torch.dtype,
) -> tuple[TextEncoder, ...]:  # fmt: skip
    encoders = []
    for config in configs.text_encoders:
        has_projection = config["architectures"] == ["CLIPTextModelWithProjection"]
        kind: Any = CLIPTextModelWithProjection if has_projection else CLIPTextModel
        with torch.device("meta"):
            encoder = kind(CLIPTextConfig(**config))
        is_open = family == "sd2" or has_projection
        weights = (
            _CONVERSIONS.convert_open_clip_checkpoint(
                encoder, checkpoint, prefix=_OPEN_CLIP[family]
            )
            if is_open
            else _CONVERSIONS.convert_ldm_clip_checkpoint(checkpoint)
        )
        _assign(encoder, _renamed_for(encoder, weights), path, dtype)
        _fill_position_ids(encoder)
        encoders.append(cast(TextEncoder, encoder))
    return tuple(encoders)


def _renamed_for(encoder: torch.nn.Module, weights: Weights) -> Weights:
    """Add or remove the prefix `text_model.`, which depends on the version of transformers."""
    wanted = set(encoder.state_dict())
    bare = {name.removeprefix("text_model."): tensor for name, tensor in weights.items()}
    return {
        name if name in wanted else f"text_model.{name}": tensor for name, tensor in bare.items()
    }


def _fill_position_ids(encoder: torch.nn.Module) -> None:
    """Set `position_ids` to 0, 1, 2, …: no checkpoint contains it."""
    for module in encoder.modules():
        positions = getattr(module, "position_ids", None)
        if isinstance(positions, torch.Tensor) and positions.is_meta:
            setattr(module, "position_ids", torch.arange(positions.shape[-1])[None])  # noqa: B010


def _prediction_type(header: Header) -> PredictionType:
    if "ztsnr" in header.shapes:
        raise UnsupportedModelError(
            f"{header.path} uses a schedule with zero terminal SNR (ztsnr), which is not supported"
        )
    says_v = header.metadata.get("modelspec.prediction_type", "").lower() in ("v", "v_prediction")
    return "v_prediction" if says_v or "v_pred" in header.shapes else "epsilon"


def _tokenizers(hub: Hub, configs: Architecture) -> tuple[CLIPTokenizer, ...]:
    folder = tokenizer_folder(hub)
    return tuple(
        CLIPTokenizer(
            str(folder / "vocab.json"), str(folder / "merges.txt"), pad_token=pad,
            model_max_length=CLIP_LENGTH,
        )
        for pad in configs.pad_tokens
    )  # fmt: skip
