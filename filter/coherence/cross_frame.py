"""Cross-frame attention: self-attention that also reads the previous frame and an anchor frame.

A network that sees every frame alone paints the same cloth a little differently each time. Where
self-attention also finds the keys and values of the frames before, it copies from them what it
painted there. No weights are added. The idea is that of text-to-video from image models (Wu et al.,
Tune-A-Video, 2022; Khachatryan et al., Text2Video-Zero, 2023).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal, TypeAlias

import torch
from torch.nn import functional as F

from turbolens.filter.errors import UnsupportedModelError
from turbolens.filter.networks import UNet

Layers: TypeAlias = Literal["mid", "up", "all"]
KeysAndValues: TypeAlias = tuple[torch.Tensor, torch.Tensor]
"""Two tensors (1, heads, tokens, width of a head)."""

Place: TypeAlias = tuple[str, int]
"""The name of a layer, and the number of the pass within a frame."""

_PREFIXES: dict[Layers, str] = {"mid": "mid_block.", "up": "up_blocks.", "all": ""}
_SELF_ATTENTION = ".attn1.processor"

# The diffusers attention class, which reaches a type checker without its methods.
Attention: TypeAlias = Any


class CrossFrameMemory:
    """The keys and values of one stream's previous frame and of its anchor frame.

    The anchor is the first frame since `reset` or `renew_anchor`. `layers` are those that this
    stream uses, of the installed ones. A memory is for one stream, and for one thread at a time;
    many memories may share a UNet. Reset it where the size of the picture changes.
    """

    def __init__(self, layers: Layers = "all") -> None:
        self.layers = layers
        self.reset()

    def reset(self) -> None:
        """Forget the past: the next frame is its own previous and anchor frame."""
        self._previous: dict[Place, KeysAndValues] = {}
        self._anchors: dict[Place, KeysAndValues] = {}
        self._seen: dict[Place, tuple[KeysAndValues, KeysAndValues]] = {}

    def renew_anchor(self) -> None:
        """The next frame becomes the anchor. Do so where the prompt changes: the old look stays on
        through an anchor that was painted in it.
        """
        self._anchors = {}

    @contextmanager
    def active(self) -> Iterator[None]:
        """Within it, in this thread, passes of a UNet read this memory and are remembered by it.

        It holds all the passes of a frame, one for each step, each of which reads the same pass of
        the frames before. Frames one after another may go through together as a batch: each then
        reads the one before it there, and the result is that of one by one. What was seen is
        remembered when the block ends; after an error the memory is as it was before.
        """
        self._seen = {}
        token = _active.set(self)
        try:
            yield
        finally:
            _active.reset(token)
        self._previous = {place: _one(now, -1) for place, (now, _) in self._seen.items()}
        self._anchors.update({place: _one(first, 0) for place, (_, first) in self._seen.items()})
        self._seen = {}

    def takes(self, layer: str) -> bool:
        """Whether this stream uses the layer of that name."""
        return layer.startswith(_PREFIXES[self.layers])

    def read(self, layer: str, now: KeysAndValues) -> KeysAndValues:
        """Keys and values (B, heads, 3 · tokens, width): of now, the previous and the anchor frame.

        The three are always there, so that shapes are static. Where there is no past, the frame
        stands in for it: an average over the same values three times is the plain one.
        """
        place = layer, sum(name == layer for name, _ in self._seen)
        own = now[0][:1], now[1][:1]
        previous, anchor = (
            _fitting(store.get(place), own) for store in (self._previous, self._anchors)
        )
        self._seen[place] = now, anchor
        keys, values = (
            torch.cat([one, torch.cat([before, one[:-1]]), first.expand_as(one)], dim=2)
            for one, before, first in zip(now, previous, anchor, strict=True)
        )
        return keys, values


_active: ContextVar[CrossFrameMemory | None] = ContextVar("cross_frame_memory", default=None)


class CrossFrameProcessor:
    """A diffusers attention processor: the one it stands for, until a memory is active."""

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
        if memory is not None and plain and memory.takes(self.layer):
            return _attend(attn, hidden_states, memory, self.layer)
        return self.stock(  # type: ignore[no-any-return]
            attn,
            hidden_states,
            encoder_hidden_states=encoder_hidden_states,
            attention_mask=attention_mask,
        )


def is_remembering() -> bool:
    """Whether a pass of a UNet now, in this thread, reads a memory and is remembered by it."""
    return _active.get() is not None


def install_cross_frame_attention(unet: UNet, layers: Layers = "all") -> int:
    """Let streams with a `CrossFrameMemory` use it in these layers. Gives how many there are.

    It changes nothing for other streams of the UNet. Installing again adds what is not there yet.
    Raises `UnsupportedModelError` where the UNet has no self-attention in these layers.
    """
    names = [name for name in unet.attn_processors if name.endswith(_SELF_ATTENTION)]
    chosen = [name for name in names if name.startswith(_PREFIXES[layers])]
    if not chosen:
        where = sorted({name.split(".")[0] for name in names})
        raise UnsupportedModelError(
            f"cross-frame attention needs self-attention in the layers {layers!r}, and this model "
            f"has it in {', '.join(where) or 'none'}; choose other layers or switch it off"
        )
    for name in chosen:
        layer = name.removesuffix(".processor")
        attention = unet.get_submodule(layer)
        if not isinstance(attention.processor, CrossFrameProcessor):
            attention.set_processor(CrossFrameProcessor(layer, attention.processor))
    return len(chosen)


def _attend(
    attn: Attention, hidden_states: torch.Tensor, memory: CrossFrameMemory, layer: str
) -> torch.Tensor:
    """Self-attention of a transformer block as diffusers computes it, but over three frames."""
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


def _fitting(past: KeysAndValues | None, own: KeysAndValues) -> KeysAndValues:
    """The past, or the frame's own where there is none of the same shape, type and device."""
    if past is None or any(
        (one.shape, one.dtype, one.device) != (other.shape, other.dtype, other.device)
        for one, other in zip(past, own, strict=True)
    ):
        return own
    return past


def _one(seen: KeysAndValues, index: int) -> KeysAndValues:
    """One frame of a batch, copied: a compiled network may use its memory again."""
    keys, values = (tensor.detach()[index].unsqueeze(0).clone() for tensor in seen)
    return keys, values
