"""Encodes prompts: weighted words, mixtures in embedding space, and a cache."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from threading import RLock
from typing import Any

import torch
from transformers import BatchEncoding, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from turbolens.filter.errors import SettingsError
from turbolens.filter.settings import WeightedPrompt

from .lru_cache import LruCache
from .prompt_weights import Span, spans, weighted


@dataclass(frozen=True, eq=False)
class PromptEmbeds:
    """Encoded text. prompt_embeds: (1, tokens, width); pooled_prompt_embeds: (1, width), SDXL's."""

    prompt_embeds: torch.Tensor
    pooled_prompt_embeds: torch.Tensor | None = None

    @property
    def beyond_text(self) -> bool:
        """True if there are images, too, as in `Conditions`."""
        return False


class PromptEncoder:
    """Encodes prompts as diffusers' pipelines do, and caches the last ones. Thread-safe.

    One tokenizer and text encoder give the last hidden state (SD 1 and 2). Two give the penultimate
    hidden state of both, concatenated, and the projection of the second as `pooled_prompt_embeds`
    (SDXL), to which weights of words do not apply.

    weights_key: part of the cache's key. Change it with the weights of the text encoders.
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
        self.weights_key: Hashable = None
        self._texts: LruCache[PromptEmbeds] = LruCache(64)
        self._mixtures: LruCache[PromptEmbeds] = LruCache(64)
        self._lock = RLock()

    def __call__(self, prompts: Sequence[WeightedPrompt]) -> PromptEmbeds:
        """The mixture of these prompts, with weights normalised to sum 1.

        Raises `SettingsError` if no weight is above 0.
        """
        with self._lock:
            key = self.weights_key, tuple(prompts)
            return self._mixtures.get(key, lambda: self._mix(prompts))

    @torch.inference_mode()
    def encode(self, text: str) -> PromptEmbeds:
        """The embeds of one text, with weighted words as in `prompt_weights`.

        Text that is too long for the tokenizer is truncated.
        """
        with self._lock:
            return self._texts.get((self.weights_key, text), lambda: self._encode(text))

    def _encode(self, text: str) -> PromptEmbeds:
        parts = spans(text)
        if all(part.weight == 1.0 for part in parts):
            return self._embeds([_tokens(each, parts[0].text) for each in self.tokenizers])
        tokenized = [_weighted_tokens(tokenizer, parts) for tokenizer in self.tokenizers]
        embeds = self._embeds([tokens for tokens, _ in tokenized])
        widths = [encoder.config.hidden_size for encoder in self.text_encoders]
        moved = [
            weighted(own, empty, weights)
            for own, empty, (_, weights) in zip(
                torch.split(embeds.prompt_embeds, widths, dim=-1),
                torch.split(self.encode("").prompt_embeds, widths, dim=-1),
                tokenized,
                strict=True,
            )
        ]
        return replace(embeds, prompt_embeds=torch.cat(moved, dim=-1))

    def _embeds(self, tokens: Sequence[BatchEncoding]) -> PromptEmbeds:
        """The embeds of one text. tokens: of each tokenizer."""
        outputs = [self._run(index, each) for index, each in enumerate(tokens)]
        if len(outputs) == 1:
            return PromptEmbeds(outputs[0][0].to(self.dtype))
        embeds = torch.cat([output.hidden_states[-2] for output in outputs], dim=-1)
        return PromptEmbeds(embeds.to(self.dtype), outputs[-1][0].to(self.dtype))

    def _run(self, index: int, tokens: BatchEncoding) -> Any:
        text_encoder = self.text_encoders[index]
        on = tokens.to(text_encoder.device)
        masked = getattr(text_encoder.config, "use_attention_mask", False)
        return text_encoder(
            on.input_ids,
            attention_mask=on.attention_mask if masked else None,
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
            _mixture([(part.prompt_embeds, weight) for part, weight in parts]),
            _mixture(pooled) if pooled else None,
        )


def _tokens(tokenizer: CLIPTokenizer, text: str) -> BatchEncoding:
    tokens: BatchEncoding = tokenizer(
        text,
        padding="max_length",
        max_length=tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    )
    return tokens


def _weighted_tokens(
    tokenizer: CLIPTokenizer, parts: Sequence[Span]
) -> tuple[BatchEncoding, list[float]]:
    """The tokens of all spans as one text, and the weight of each token.

    Start, end and padding have weight 1. Each span is tokenized by itself, so that no token has two
    weights.
    """
    ids: list[int] = []
    weights: list[float] = []
    for text, weight in parts:
        tokenized = tokenizer(text, add_special_tokens=False).input_ids
        ids += tokenized
        weights += [weight] * len(tokenized)
    length = tokenizer.model_max_length
    ids = [tokenizer.bos_token_id, *ids[: length - 2], tokenizer.eos_token_id]
    padding = length - len(ids)
    mask = [1] * len(ids) + [0] * padding
    padded = ids + [tokenizer.pad_token_id] * padding
    weights = [1.0, *weights[: length - 2], 1.0] + [1.0] * padding
    numbers = {"input_ids": [padded], "attention_mask": [mask]}
    return BatchEncoding(numbers, tensor_type="pt"), weights


def _mixture(parts: Sequence[tuple[torch.Tensor, float]]) -> torch.Tensor:
    """The weighted sum, computed in float32, in the dtype of the embeds."""
    mixture = torch.stack([embeds.float() * weight for embeds, weight in parts]).sum(dim=0)
    return mixture.to(parts[0][0].dtype)
