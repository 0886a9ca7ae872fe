"""IP-Adapters: an image as a prompt, in addition to the text.

diffusers' modules load and compute them. Streams without an image prompt use the UNet's own
attention processors; they are replaced only within `ImagePrompts.active`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from transformers import CLIPVisionModelWithProjection

from turbolens.filter.diffusion.lru_cache import LruCache
from turbolens.filter.errors import (
    FrameError,
    ModelError,
    ModelNotFoundError,
    UnsupportedModelError,
)
from turbolens.filter.networks import UNet, prepared

from .files import load_network, locate_file

Array: TypeAlias = NDArray[np.uint8]
Tensors: TypeAlias = dict[str, dict[str, torch.Tensor]]

_CROSS_ATTENTION = ".attn2.processor"
_COMPANIONS = ("image_encoder/config.json", "image_encoder/*.safetensors")
_DAMAGE = (OSError, ValueError, RuntimeError, KeyError, TypeError, IndexError, SafetensorError)


class ImagePrompts:
    """The IP-Adapter of a model, with a cache of the last image embeds."""

    def __init__(self, unet: UNet, image_encoder: CLIPVisionModelWithProjection) -> None:
        self._unet, self._encoder = unet, image_encoder
        self._processors: dict[str, Any] = {}
        self._projection: Any = None
        side: Any = image_encoder.config.image_size
        transformers: Any = import_module("transformers")
        # Without torchvision the plain name gives the same class, but logs a message.
        kind = getattr(transformers, "CLIPImageProcessorPil", transformers.CLIPImageProcessor)
        self._to_pixels = kind(size=side, crop_size=side)
        self._embeds: LruCache[torch.Tensor] = LruCache(16)

    @staticmethod
    def locate(source: str | Path) -> Path:
        """Find the file. Raises `ModelNotFoundError` or `UnsupportedModelError`."""
        path = locate_file(source, "IP-Adapter", companions=_COMPANIONS)
        if not (path.parent / "image_encoder").is_dir():
            raise ModelNotFoundError(
                f"{path} must have its folder image_encoder beside it; `turbolens models pull` "
                "downloads it with the file if the repository has it there"
            )
        return path

    @classmethod
    def load(
        cls, source: str | Path, unet: UNet, device: torch.device, dtype: torch.dtype
    ) -> "ImagePrompts":
        """Load a safetensors file with the folder `image_encoder` beside it.

        source: the file, its folder if it holds no other, or a hub id of either. Raises
        `ModelNotFoundError` if there is none, `UnsupportedModelError` for pickles and other
        families, `ModelError` for damaged files.
        """
        path = cls.locate(source)
        tensors = _read(path)
        encoder = load_network(
            CLIPVisionModelWithProjection, path.parent / "image_encoder", "model"
        )
        _check(path, tensors, unet, encoder)
        text_dtype = torch.float32 if device.type == "cpu" else dtype
        adapter = cls(unet, prepared(encoder, device, text_dtype))
        try:
            adapter._install(tensors, device, dtype)
        except _DAMAGE as error:
            reason = str(error).strip().splitlines()[0]
            raise ModelError(f"{path} cannot be loaded for this model: {reason}") from error
        return adapter

    def encode(self, image: Array) -> torch.Tensor:
        """Encode an image (H, W, 3) uint8 to embeds (1, 1, …); cached by content.

        Raises `FrameError` for other shapes and types.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise FrameError(
                f"an image prompt must be (H, W, 3) uint8, got {image.shape} {image.dtype}"
            )
        key = image.shape, sha256(np.ascontiguousarray(image).tobytes()).digest()
        return self._embeds.get(key, lambda: self._encode(image))

    @contextmanager
    def active(self, scale: float) -> Iterator[None]:
        """Within this context the UNet takes `image_embeds` in `added_cond_kwargs`.

        scale: their weight beside the text.
        """
        unet, stock = self._unet, {}
        for name, processor in self._processors.items():
            attention = unet.get_submodule(name.removesuffix(".processor"))
            stock[name] = attention.processor
            processor.scale = [scale]
            attention.set_processor(processor)
        unet.encoder_hid_proj = self._projection
        unet.config.encoder_hid_dim_type = "ip_image_proj"
        try:
            yield
        finally:
            unet.encoder_hid_proj = unet.config.encoder_hid_dim_type = None
            for name, processor in stock.items():
                unet.get_submodule(name.removesuffix(".processor")).set_processor(processor)

    def added(self, embeds: torch.Tensor, size: int) -> dict[str, Any]:
        """The added condition for a batch of `size`."""
        dtype = next(self._projection.parameters()).dtype
        return {"image_embeds": [embeds.to(dtype).expand(size, *embeds.shape[1:])]}

    @torch.inference_mode()
    def _encode(self, image: Array) -> torch.Tensor:
        pixels = self._to_pixels(image, return_tensors="pt").pixel_values
        encoder = self._encoder
        outputs = encoder(pixels.to(encoder.device, encoder.dtype), output_hidden_states=True)
        by_patch = type(self._projection.image_projection_layers[0]).__name__ != "ImageProjection"
        embeds = outputs.hidden_states[-2] if by_patch else outputs.image_embeds
        return embeds[None]  # type: ignore[no-any-return]

    def _install(self, tensors: Tensors, device: torch.device, dtype: torch.dtype) -> None:
        """Let diffusers create the modules, take them out of the UNet, and restore its own."""
        unet = self._unet
        stock = dict(unet.attn_processors)
        unet.set_default_attn_processor()
        try:
            unet._load_ip_adapter_weights([tensors], low_cpu_mem_usage=False)
            self._processors = {name: processor for name, processor in unet.attn_processors.items()
                                if name.endswith(_CROSS_ATTENTION)}  # fmt: skip
            self._projection = prepared(unet.encoder_hid_proj, device, dtype)
        finally:
            unet.encoder_hid_proj = unet.config.encoder_hid_dim_type = None
            unet.set_attn_processor(stock)
        for processor in self._processors.values():
            prepared(processor, device, dtype)


def _read(path: Path) -> Tensors:
    tensors: Tensors = {"image_proj": {}, "ip_adapter": {}}
    try:
        with safe_open(path, framework="pt") as content:
            for key in content.keys():  # noqa: SIM118 - not a mapping
                part, _, name = key.partition(".")
                if part in tensors:
                    tensors[part][name] = content.get_tensor(key)
    except _DAMAGE as error:
        raise ModelError(f"{path} is damaged, or not a safetensors file: {error}") from error
    if not all(tensors.values()):
        raise ModelError(f"{path} is not an IP-Adapter: it lacks image_proj or ip_adapter weights")
    return tensors


def _check(path: Path, tensors: Tensors, unet: UNet, encoder: Any) -> None:
    """Raise `UnsupportedModelError` unless it fits the UNet and the image encoder."""
    layers = [name for name in unet.attn_processors if name.endswith(_CROSS_ATTENTION)]
    keys = [each for name, each in tensors["ip_adapter"].items() if name.endswith("to_k_ip.weight")]
    width = unet.config.cross_attention_dim
    if len(keys) != len(layers) or any(key.shape[-1] != width for key in keys):
        theirs = f"{len(keys)} layers of width {keys[0].shape[-1]}" if keys else "no such layer"
        raise UnsupportedModelError(
            f"{path} was made for another family of models: it has {theirs}, "
            f"the model {len(layers)} of width {width}"
        )
    projection = tensors["image_proj"]
    if "norm.weight" in projection and "proj.weight" not in projection:
        raise UnsupportedModelError(f"{path} needs face embeds, which are not supported")
    taken = projection.get("proj.weight")
    if taken is not None and taken.shape[1] != encoder.config.projection_dim:
        raise UnsupportedModelError(
            f"{path} needs an image encoder that gives {taken.shape[1]} numbers, and the one "
            f"beside it gives {encoder.config.projection_dim}"
        )
