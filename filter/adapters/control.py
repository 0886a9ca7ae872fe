"""ControlNets: a picture of edges, depth or poses that holds the shapes while the look changes."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from turbolens.filter.errors import UnsupportedModelError
from turbolens.filter.loading.folders import read_json
from turbolens.filter.networks import UNet, prepared

from .files import load_network, locate_folder

_WHAT = "ControlNet"
_PATTERNS = ("config.json", "diffusion_pytorch_model*.safetensors")
_SHARED = ("in_channels", "block_out_channels", "cross_attention_dim", "addition_embed_type",
           "down_block_types", "layers_per_block")  # fmt: skip


class ControlNet:
    """A ControlNet of a model, on the model's device and in its format."""

    def __init__(self, network: Any) -> None:
        self.network = network
        self._pools = bool(network.config.global_pool_conditions)

    @staticmethod
    def locate(source: str | Path) -> Path:
        """Its folder. Raises `ModelNotFoundError` or `UnsupportedModelError`."""
        return locate_folder(source, _WHAT, _PATTERNS)

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
        """The ControlNet of a folder in diffusers' layout, or of a hub id, for this UNet.

        scale_factor: how many pixels of a side one latent pixel stands for.
        Raises `ModelNotFoundError` where there is none, `UnsupportedModelError` for pickles, other
        kinds and other families, `ModelError` for what is damaged.
        """
        folder = cls.locate(source)
        kind = read_json(folder / "config.json").get("_class_name")
        if kind != "ControlNetModel":
            raise UnsupportedModelError(f"a ControlNet must be a ControlNetModel, got {kind!r}")
        diffusers: Any = import_module(
            "diffusers"
        )  # only here: its ControlNets take long to import
        network = load_network(
            diffusers.ControlNetModel, folder, "diffusion_pytorch_model", torch_dtype=dtype
        )
        _check(folder, network.config, unet.config, scale_factor)
        return cls(prepared(network, device, dtype))

    def residuals(
        self, inputs: Mapping[str, Any], image: torch.Tensor, scale: float
    ) -> dict[str, Any]:
        """What the UNet adds to its features, as arguments of its call.

        inputs: those of the UNet. image: (1 or B, 3, H, W) in 0…1.
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
    """That it was made for a UNet like this one."""
    for option in _SHARED:
        wanted, given = unet_config[option], config[option]
        same = list(wanted) == list(given) if isinstance(given, list | tuple) else wanted == given
        if not same:
            raise UnsupportedModelError(
                f"the ControlNet {folder} was made for another family of models: "
                f"its {option} is {given}, the model's {wanted}"
            )
    if config.conditioning_channels != 3:
        raise UnsupportedModelError(
            f"a ControlNet must take RGB pictures, and {folder} takes "
            f"{config.conditioning_channels} channels"
        )
    reduced = 2 ** (len(config.conditioning_embedding_out_channels) - 1)
    if reduced != scale_factor:
        raise UnsupportedModelError(
            f"the ControlNet {folder} was made for another family of models: its pictures are "
            f"reduced {reduced} times, the model's {scale_factor} times"
        )
