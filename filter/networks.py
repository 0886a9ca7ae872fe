"""What the rooms share about networks: their protocols, and how they are put on a device."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar, cast

import torch
from torch import nn

NetworkT = TypeVar("NetworkT")

Result: TypeAlias = torch.Tensor | tuple[torch.Tensor, ...]
Run: TypeAlias = Callable[..., Any]
"""Runs a module on tensors and returns a `Result`: the module itself, or a faster way."""


class Range(NamedTuple):
    """The lowest and the highest number of an activation.

    parts: 1 for 256 levels in between. 2 if an activation needs more: it is then the sum of its
    value in 256 levels and of the remainder, in 256 levels of its own.
    """

    low: float
    high: float
    parts: int = 1


LayerRanges: TypeAlias = Mapping[str, Mapping[str, Range]]
"""Module ("encoder", "predictor", "decoder") → layer → the range of the layer's input."""


class Network(Protocol):
    """A network of diffusers: a `torch.nn.Module` with its config."""

    config: Any

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """The format of its weights."""
        ...

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """The forward pass."""
        ...

    def __getattr__(self, name: str) -> Any:
        """Everything else that a `torch.nn.Module` has."""
        ...


class UNet(Network, Protocol):
    """A UNet with text conditioning, like diffusers' `UNet2DConditionModel`.

    Called with noisy latents (B, C, h, w), a timestep and `encoder_hidden_states`.
    """

    encoder_hid_proj: Any
    """The projection of an IP-Adapter, or `None`."""

    @property
    def attn_processors(self) -> dict[str, Any]:
        """The attention processors by the names of their layers."""
        ...

    def set_attn_processor(self, processor: Mapping[str, Any]) -> None:
        """Set the processors of the layers named."""
        ...


class Autoencoder(Network, Protocol):
    """An autoencoder like diffusers' `AutoencoderKL` or `AutoencoderTiny`."""

    def encode(self, image: torch.Tensor, /) -> Any:
        """Image (B, 3, H, W) in −1…1 → an output with `latents` or `latent_dist`, unscaled."""
        ...

    def decode(self, latents: torch.Tensor, /, *, return_dict: bool = True) -> Any:
        """Unscaled latents (B, C, h, w) → an output with the image (B, 3, H, W) about −1…1."""
        ...


def module_of(network: object) -> nn.Module:
    """The same network, for type checkers a `torch.nn.Module`."""
    return cast(nn.Module, network)


def prepared(network: NetworkT, device: torch.device, dtype: torch.dtype) -> NetworkT:
    """The same network for inference: on `device`, in `dtype`, convolutions in channels-last."""
    module = module_of(network)
    module.eval().requires_grad_(False)
    # Not the network's own `to`: that of diffusers warns about every dtype, even its present one.
    nn.Module.to(module, device=device, dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network
