"""Cross-frame attention: self-attention that also reads the previous frame and an anchor frame.

A network that processes each frame alone renders the same object a little differently each time.
With the keys and values of earlier frames, self-attention copies from them. No weights are added.
As in text-to-video from image models (Wu et al., Tune-A-Video, 2022; Khachatryan et al.,
Text2Video-Zero, 2023).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal, TypeAlias

import torch
from torch.nn import functional as F

from turbolens.filter.errors import SettingsError
from turbolens.filter.networks import UNet

Layers: TypeAlias = Literal["mid", "up", "all"]
KeysAndValues: TypeAlias = tuple[torch.Tensor, torch.Tensor]
"""Two tensors (1, heads, tokens, width of a head)."""

PassKey: TypeAlias = tuple[str, int]
"""The name of a layer, and the index of the denoising step."""

_PREFIXES: dict[Layers, str] = {"mid": "mid_block.", "up": "up_blocks.", "all": ""}
_SELF_ATTENTION = ".attn1.processor"

# The attention class of diffusers, which has no types.
Attention: TypeAlias = Any


class CrossFrameMemory:
    """The keys and values of one stream's previous frame and of its anchor frame.

    The anchor is the first frame since `reset` or `renew_anchor`. Many memories may share a UNet.
    Use a memory in one thread at a time, and reset it when the size of the image changes.

    layers: which of the installed layers this stream uses.
    """

    def __init__(self, layers: Layers = "all") -> None:
        self.layers = layers
        self.reset()

    def reset(self) -> None:
        """Forget the past. The next frame is its own previous and anchor frame."""
        self._previous: dict[PassKey, KeysAndValues] = {}
        self._anchors: dict[PassKey, KeysAndValues] = {}
        self._current: dict[PassKey, tuple[KeysAndValues, KeysAndValues]] = {}

    def renew_anchor(self) -> None:
        """Make the next frame the anchor.

        Call this when the prompt changes, since an anchor carries the style it was rendered in.
        """
        self._anchors = {}

    @contextmanager
    def active(self) -> Iterator[None]:
        """Within this context, in this thread, passes of a UNet read this memory and write to it.

        The context spans all denoising steps of a frame. Each reads the same step of earlier
        frames. Consecutive frames may be one batch: each then reads the one before it, with the
        same result as one by one. The memory is updated at the end, and unchanged after an error.
        """
        self._current = {}
        token = _active.set(self)
        try:
            yield
        finally:
            _active.reset(token)
        current, self._current = self._current, {}
        self._previous = {key: _one_frame(now, -1) for key, (now, _) in current.items()}
        self._anchors |= {key: _one_frame(anchor, 0) for key, (_, anchor) in current.items()}

    def uses(self, layer: str) -> bool:
        """True if this stream uses the layer of that name."""
        return layer.startswith(_PREFIXES[self.layers])

    def read(self, layer: str, now: KeysAndValues) -> KeysAndValues:
        """Keys and values (B, heads, 3 · tokens, width) of the current, previous and anchor frame.

        There are always three, so that shapes are static. Without a past, the frame itself takes
        its place: attention over three copies gives the same result as over one.
        """
        key = layer, sum(name == layer for name, _ in self._current)
        own = now[0][:1], now[1][:1]
        previous, anchor = (
            _matching(store.get(key), own) for store in (self._previous, self._anchors)
        )
        self._current[key] = now, anchor
        keys, values = (
            torch.cat([one, torch.cat([before, one[:-1]]), first.expand_as(one)], dim=2)
            for one, before, first in zip(now, previous, anchor, strict=True)
        )
        return keys, values


_active: ContextVar[CrossFrameMemory | None] = ContextVar("cross_frame_memory", default=None)


class CrossFrameProcessor:
    """A diffusers attention processor. Without an active memory it calls `stock`."""

    def __init__(self, layer: str, stock: Any) -> None:
        self.layer = layer
        self.stock = stock

    def __call__(
        self,
        attn: Attention,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Hidden states (B, tokens, channels) → the same shape."""
        memory = _active.get()
        plain = encoder_hidden_states is None and attention_mask is None
        if memory is not None and plain and memory.uses(self.layer):
            return _attend(attn, hidden_states, memory, self.layer)
        return self.stock(  # type: ignore[no-any-return]
            attn,
            hidden_states,
            encoder_hidden_states=encoder_hidden_states,
            attention_mask=attention_mask,
        )


def has_active_memory() -> bool:
    """True if passes of a UNet in this thread now use a memory."""
    return _active.get() is not None


def cross_frame_layers(unet: UNet, layers: Layers) -> list[str]:
    """The attention processors of these layers. Raises `SettingsError` if there are none."""
    names = [name for name in unet.attn_processors if name.endswith(_SELF_ATTENTION)]
    chosen = [name for name in names if name.startswith(_PREFIXES[layers])]
    if not chosen:
        where = sorted({name.split(".")[0] for name in names})
        raise SettingsError(
            f"cross-frame attention needs self-attention in the layers {layers!r}, and this model "
            f"has it in {', '.join(where) or 'none'}; choose other layers or switch it off"
        )
    return chosen


def install_cross_frame_attention(unet: UNet, layers: Layers = "all") -> int:
    """Let streams use a `CrossFrameMemory` in these layers. Returns how many there are.

    Other streams of the UNet are not affected. Installing again adds missing layers. Raises
    `SettingsError` if the UNet has no self-attention in these layers.
    """
    chosen = cross_frame_layers(unet, layers)
    for name in chosen:
        layer = name.removesuffix(".processor")
        attention = unet.get_submodule(layer)
        if not isinstance(attention.processor, CrossFrameProcessor):
            attention.set_processor(CrossFrameProcessor(layer, attention.processor))
    return len(chosen)


def _attend(
    attn: Attention, hidden_states: torch.Tensor, memory: CrossFrameMemory, layer: str
) -> torch.Tensor:
    """Self-attention of a transformer block as in diffusers, but over three frames."""
    query, key, value = (
        project(hidden_states).unflatten(-1, (attn.heads, -1)).transpose(1, 2)
        for project in (attn.to_q, attn.to_k, attn.to_v)
    )
    if attn.norm_q is not None:
        query = attn.norm_q(query)
    if attn.norm_k is not None:
        key = attn.norm_k(key)
    keys, values = memory.read(layer, (key, value))
    attended = F.scaled_dot_product_attention(query, keys, values)
    projected = attn.to_out[1](attn.to_out[0](attended.transpose(1, 2).flatten(2)))
    if attn.residual_connection:
        projected = projected + hidden_states
    return projected / attn.rescale_output_factor  # type: ignore[no-any-return]


def _matching(past: KeysAndValues | None, own: KeysAndValues) -> KeysAndValues:
    """The past if it has the same shape, dtype and device, else `own`."""
    if past is None or any(
        (one.shape, one.dtype, one.device) != (other.shape, other.dtype, other.device)
        for one, other in zip(past, own, strict=True)
    ):
        return own
    return past


def _one_frame(batch: KeysAndValues, index: int) -> KeysAndValues:
    """One frame of a batch, copied because a compiled network may reuse its memory."""
    keys, values = (tensor.detach()[index].unsqueeze(0).clone() for tensor in batch)
    return keys, values
