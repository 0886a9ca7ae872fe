"""ControlNets: an image of edges, depth or poses keeps the shapes while the look changes."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from turbolens.filter.errors import UnsupportedModelError
from turbolens.filter.loading.folders import read_json_object
from turbolens.filter.networks import UNet, prepared

from .files import load_network, locate_folder

_KIND = "ControlNet"
_REQUIRED = ("config.json", "diffusion_pytorch_model*.safetensors")
_MATCHING_OPTIONS = (
    "in_channels", "block_out_channels", "cross_attention_dim", "addition_embed_type",
    "down_block_types", "layers_per_block",
)  # fmt: skip


class ControlNet:
    """A ControlNet on its model's device and in its dtype."""

    def __init__(self, network: Any) -> None:
        self.network = network
        self._pools = bool(network.config.global_pool_conditions)

    @staticmethod
    def locate(source: str | Path) -> Path:
        """Find the folder. Raises `ModelNotFoundError` or `UnsupportedModelError`."""
        return locate_folder(source, _KIND, _REQUIRED)

    @classmethod
    def load(
        cls,
        source: str | Path,
        unet: UNet,
        *,
        scale_factor: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> "ControlNet":
        """Load a ControlNet for `unet` from a folder in diffusers' layout, or a hub id.

        scale_factor: pixels per latent pixel along each side. Raises `ModelNotFoundError` if there
        is none, `UnsupportedModelError` for pickles, other kinds and other families, `ModelError`
        for damaged files.
        """
        folder = cls.locate(source)
        kind = read_json_object(folder / "config.json").get("_class_name")
        if kind != "ControlNetModel":
            raise UnsupportedModelError(f"a ControlNet must be a ControlNetModel, got {kind!r}")
        diffusers: Any = import_module("diffusers")  # here: its ControlNets take long to import
        network = load_network(
            diffusers.ControlNetModel, folder, "diffusion_pytorch_model", torch_dtype=dtype
        )
        _check(folder, network.config, unet.config, scale_factor)
        return cls(prepared(network, device, dtype))

    def residuals(
        self, inputs: Mapping[str, Any], image: torch.Tensor, scale: float
    ) -> dict[str, Any]:
        """The residuals for the UNet's features, as keyword arguments of the UNet.

        inputs: the UNet's other arguments. image: (1 or B, 3, H, W) in 0…1.
        """
        sample = inputs["sample"]
        down, middle = self.network(
            **inputs,
            controlnet_cond=image.to(sample).expand(len(sample), -1, -1, -1),
            conditioning_scale=scale,
            guess_mode=self._pools,
            return_dict=False,
        )
        return {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}


def _check(folder: Path, config: Any, unet_config: Any, scale_factor: int) -> None:
    """Raise `UnsupportedModelError` unless the ControlNet fits the UNet."""
    for option in _MATCHING_OPTIONS:
        wanted, given = unet_config[option], config[option]
        same = list(wanted) == list(given) if isinstance(given, list | tuple) else wanted == given
        if not same:
            raise UnsupportedModelError(
                f"the ControlNet {folder} was made for another family of models: "
                f"its {option} is {given}, the model's {wanted}"
            )
    if config.conditioning_channels != 3:
        raise UnsupportedModelError(
            f"a ControlNet must take RGB images, and {folder} takes "
            f"{config.conditioning_channels} channels"
        )
    reduction = 2 ** (len(config.conditioning_embedding_out_channels) - 1)
    if reduction != scale_factor:
        raise UnsupportedModelError(
            f"the ControlNet {folder} was made for another family of models: it reduces images "
            f"{reduction} times, the model {scale_factor} times"
        )
