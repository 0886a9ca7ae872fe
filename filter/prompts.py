"""Text → prompt_embeds, cached, and mixed in embedding space by weight."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from threading import RLock
from typing import Any, Generic, TypeVar

import torch
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from .errors import SettingsError
from .settings import WeightedPrompt

ValueT = TypeVar("ValueT")


@dataclass(frozen=True, eq=False)
class PromptEmbeds:
    """Encoded text. prompt_embeds: (1, tokens, width); pooled_prompt_embeds: (1, width), SDXL's."""

    prompt_embeds: torch.Tensor
    pooled_prompt_embeds: torch.Tensor | None = None


class PromptEncoder:
    """Encodes prompts as the stock pipelines do, and remembers the last ones. Thread-safe.

    One tokenizer and text encoder give the last hidden state (SD 1 and 2); two give the last but
    one of both, side by side, and the second's projection as `pooled_prompt_embeds` (SDXL).
    """

    def __init__(
        self,
        tokenizers: Sequence[CLIPTokenizer],
        text_encoders: Sequence[CLIPTextModel | CLIPTextModelWithProjection],
        dtype: torch.dtype,
    ) -> None:
        self.tokenizers = tuple(tokenizers)
        self.text_encoders = tuple(text_encoders)
        self.dtype = dtype
        self._texts: _Recent[PromptEmbeds] = _Recent(64)
        self._mixtures: _Recent[PromptEmbeds] = _Recent(64)
        self._lock = RLock()

    def __call__(self, prompts: Sequence[WeightedPrompt]) -> PromptEmbeds:
        """The mixture of these prompts, their weights normalised to sum 1.

        Raises `SettingsError` where no weight is above zero.
        """
        with self._lock:
            return self._mixtures.get(tuple(prompts), lambda: self._mix(prompts))

    @torch.inference_mode()
    def encode(self, text: str) -> PromptEmbeds:
        """The embeds of one text; what is too long for the tokenizer is cut off."""
        with self._lock:
            return self._texts.get(text, lambda: self._encode(text))

    def _encode(self, text: str) -> PromptEmbeds:
        if len(self.text_encoders) == 1:
            return PromptEmbeds(self._run(0, text)[0].to(self.dtype))
        outputs = [self._run(index, text) for index in range(len(self.text_encoders))]
        embeds = torch.cat([output.hidden_states[-2] for output in outputs], dim=-1)
        return PromptEmbeds(embeds.to(self.dtype), outputs[-1][0].to(self.dtype))

    def _run(self, index: int, text: str) -> Any:
        tokenizer, text_encoder = self.tokenizers[index], self.text_encoders[index]
        tokens = tokenizer(
            text,
            padding="max_length",
            max_length=tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        ).to(text_encoder.device)
        masked = getattr(text_encoder.config, "use_attention_mask", False)
        return text_encoder(
            tokens.input_ids,
            attention_mask=tokens.attention_mask if masked else None,
            output_hidden_states=True,
        )

    @torch.inference_mode()
    def _mix(self, prompts: Sequence[WeightedPrompt]) -> PromptEmbeds:
        total = sum(weight for _, weight in prompts)
        if not total > 0:
            raise SettingsError("prompt: at least one weight must be above 0, got none")
        parts = [(self.encode(text), weight / total) for text, weight in prompts if weight > 0]
        if len(parts) == 1:
            return parts[0][0]
        pooled = [
            (part.pooled_prompt_embeds, weight)
            for part, weight in parts
            if part.pooled_prompt_embeds is not None
        ]
        return PromptEmbeds(
            _weighted([(part.prompt_embeds, weight) for part, weight in parts]),
            _weighted(pooled) if pooled else None,
        )


def _weighted(parts: Sequence[tuple[torch.Tensor, float]]) -> torch.Tensor:
    """The weighted sum, summed in float32, in the parts' own dtype."""
    mixture = torch.stack([embeds.float() * weight for embeds, weight in parts]).sum(dim=0)
    return mixture.to(parts[0][0].dtype)


class _Recent(Generic[ValueT]):
    """The values of the keys that were asked for last, at most `capacity` of them."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._values: OrderedDict[Hashable, ValueT] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], ValueT]) -> ValueT:
        """The value of the key, made now if it is not remembered."""
        if key not in self._values:
            self._values[key] = make()
            if len(self._values) > self._capacity:
                self._values.popitem(last=False)
        self._values.move_to_end(key)
        return self._values[key]
