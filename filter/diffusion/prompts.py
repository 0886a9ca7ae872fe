"""Encodes prompts: weighted words, mixtures in embedding space, and a cache."""

import logging
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from math import ceil
from textwrap import shorten
from threading import RLock
from typing import Any

import torch
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from turbolens.filter.errors import SettingsError
from turbolens.filter.settings import WeightedPrompt

from .lru_cache import LruCache
from .prompt_reading import PromptReading
from .prompt_weights import spans
from .prompt_windows import TokenWindow, tokenized, window_length, windows
from .vocabulary import Vocabulary

SHOWN = 160  # characters of the text that is cut off, in the warning

log = logging.getLogger(__name__)


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

    A prompt that is longer than the text encoder reads is split into windows (`prompt_windows`);
    the pooled embeds are those of the first. split_long: if False, as for a UNet that takes one
    window only, the rest is cut off instead. Either is logged once per text.

    weights_key: part of the cache's key. Change it with the weights of the text encoders.
    vocabulary: that of a model with a fixed list of looks. A prompt is then encoded as it is read
    (`Vocabulary.read`); what the user should know of that is logged once per text. `None`: any
    prompt is encoded as it is.
    """

    def __init__(
        self,
        tokenizers: Sequence[CLIPTokenizer],
        text_encoders: Sequence[CLIPTextModel | CLIPTextModelWithProjection],
        dtype: torch.dtype,
        *,
        split_long: bool = True,
        vocabulary: Vocabulary | None = None,
    ) -> None:
        self.tokenizers = tuple(tokenizers)
        self.text_encoders = tuple(text_encoders)
        self.dtype = dtype
        self.split_long = split_long
        self.weights_key: Hashable = None
        self.vocabulary = vocabulary
        self._readings: LruCache[PromptReading] = LruCache(64)
        self._texts: LruCache[PromptEmbeds] = LruCache(64)
        self._mixtures: LruCache[PromptEmbeds] = LruCache(64)
        self._counts: LruCache[int] = LruCache(64)
        self._lock = RLock()

    def __call__(self, prompts: Sequence[WeightedPrompt]) -> PromptEmbeds:
        """The mixture of these prompts, with weights normalised to sum 1.

        Raises `SettingsError` if no weight is above 0.
        """
        with self._lock:
            as_read = self._as_read(prompts)
            key = self.weights_key, as_read
            return self._mixtures.get(key, lambda: self._mix(as_read))

    def _as_read(self, prompts: Sequence[WeightedPrompt]) -> tuple[WeightedPrompt, ...]:
        """The prompts with the texts that are encoded for them."""
        vocabulary = self.vocabulary
        if vocabulary is None:
            return tuple(prompts)
        return tuple(
            prompt._replace(text=self._reading(vocabulary, prompt.text).encoded)
            for prompt in prompts if prompt.weight > 0
        )  # fmt: skip

    def _reading(self, vocabulary: Vocabulary, text: str) -> PromptReading:
        """How a prompt is read. What the user should know is logged once per text."""
        return self._readings.get((vocabulary.is_open, text), lambda: self._read(vocabulary, text))

    @staticmethod
    def _read(vocabulary: Vocabulary, text: str) -> PromptReading:
        reading = vocabulary.read(text)
        if reading.message:
            log.log(logging.WARNING if reading.replacement else logging.INFO, reading.message)
        return reading

    def window_count(self, prompts: Sequence[WeightedPrompt]) -> int:
        """How many windows the embeds of this mixture have: as many as its longest prompt."""
        with self._lock:
            return self._window_count(self._as_read(prompts))

    def _window_count(self, prompts: Sequence[WeightedPrompt]) -> int:
        return max((self._count(text) for text, weight in prompts if weight > 0), default=1)

    @torch.inference_mode()
    def encode(self, text: str, *, count: int | None = None) -> PromptEmbeds:
        """The embeds of one text, with weighted words as in `prompt_weights`.

        count: the number of windows, of which those after the text are empty; `None` for as many as
        the text needs.
        """
        with self._lock:
            number = count or self._count(text)
            key = self.weights_key, text, number
            return self._texts.get(key, lambda: self._encode(text, number))

    def _count(self, text: str) -> int:
        """How many windows this text needs. A text that is too long for one is logged once."""
        return self._counts.get(text, lambda: self._counted(text))

    def _counted(self, text: str) -> int:
        parts = spans(text)
        tokens = [tokenized(each, parts)[0] for each in self.tokenizers]
        limits = [window_length(each) for each in self.tokenizers]
        count = max(1, *(ceil(len(ids) / limit) for ids, limit in zip(tokens, limits, strict=True)))
        if count == 1:
            return 1
        if self.split_long:
            log.info(
                "the prompt has %d tokens, and the text encoder reads %d at once: it is split into "
                "%d windows, and nothing is cut off", len(tokens[0]), limits[0], count,
            )  # fmt: skip
            return count
        rest = self.tokenizers[0].decode(tokens[0][limits[0] :])
        log.warning(
            "the prompt has %d tokens, and this model reads %d: cut off is %r",
            len(tokens[0]), limits[0], shorten(str(rest), SHOWN, placeholder=" …"),
        )  # fmt: skip
        return 1

    def _encode(self, text: str, count: int) -> PromptEmbeds:
        parts = spans(text)
        by_tokenizer = [
            windows(each, *tokenized(each, parts), count=count) for each in self.tokenizers
        ]
        passes = [self._embeds(each) for each in zip(*by_tokenizer, strict=True)]
        embeds = PromptEmbeds(
            torch.cat([each.prompt_embeds for each in passes], dim=1),
            passes[0].pooled_prompt_embeds,
        )
        if all(part.weight == 1.0 for part in parts):
            return embeds
        return replace(embeds, prompt_embeds=self._weighted(embeds.prompt_embeds, by_tokenizer))

    def _weighted(
        self, embeds: torch.Tensor, by_tokenizer: Sequence[Sequence[TokenWindow]]
    ) -> torch.Tensor:
        """The embeds with weighted tokens. by_tokenizer: the windows of each tokenizer."""
        widths = [encoder.config.hidden_size for encoder in self.text_encoders]
        empty = self.encode("", count=len(by_tokenizer[0])).prompt_embeds
        moved = [
            weighted(own, without, [weight for window in own_windows for weight in window.weights])
            for own, without, own_windows in zip(
                torch.split(embeds, widths, dim=-1), torch.split(empty, widths, dim=-1),
                by_tokenizer, strict=True,
            )
        ]  # fmt: skip
        return torch.cat(moved, dim=-1)

    def _embeds(self, tokens: Sequence[TokenWindow]) -> PromptEmbeds:
        """The embeds of one window. tokens: of each tokenizer."""
        outputs = [self._run(index, each) for index, each in enumerate(tokens)]
        if len(outputs) == 1:
            return PromptEmbeds(outputs[0][0].to(self.dtype))
        embeds = torch.cat([output.hidden_states[-2] for output in outputs], dim=-1)
        return PromptEmbeds(embeds.to(self.dtype), outputs[-1][0].to(self.dtype))

    def _run(self, index: int, tokens: TokenWindow) -> Any:
        text_encoder = self.text_encoders[index]
        masked = getattr(text_encoder.config, "use_attention_mask", False)
        return text_encoder(
            tokens.input_ids.to(text_encoder.device),
            attention_mask=tokens.attention_mask.to(text_encoder.device) if masked else None,
            output_hidden_states=True,
        )

    @torch.inference_mode()
    def _mix(self, prompts: Sequence[WeightedPrompt]) -> PromptEmbeds:
        total = sum(weight for _, weight in prompts)
        if not total > 0:
            raise SettingsError("prompt: at least one weight must be above 0, got none")
        count = self._window_count(prompts)
        parts = [
            (self.encode(text, count=count), weight / total)
            for text, weight in prompts
            if weight > 0
        ]
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


def weighted(embeds: torch.Tensor, empty: torch.Tensor, weights: Sequence[float]) -> torch.Tensor:
    """Embeds (1, tokens, width) with weighted tokens: e → e₀ + w · (e − e₀), as in ComfyUI.

    empty: e₀, the embeds of the empty prompt, of the same shape. At weight 0 a token has no effect,
    at 1 it stays the same, bit for bit. Scaling e itself would also scale what all prompts share.
    """
    by_token = torch.tensor(weights, device=embeds.device, dtype=torch.float32)[None, :, None]
    scaled = torch.lerp(empty.float(), embeds.float(), by_token).to(embeds.dtype)
    return torch.where(by_token == 1.0, embeds, scaled)


def _mixture(parts: Sequence[tuple[torch.Tensor, float]]) -> torch.Tensor:
    """The weighted sum, computed in float32, in the dtype of the embeds."""
    mixture = torch.stack([embeds.float() * weight for embeds, weight in parts]).sum(dim=0)
    return mixture.to(parts[0][0].dtype)
