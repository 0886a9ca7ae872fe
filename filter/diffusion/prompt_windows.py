"""Tokens of a prompt in windows of the text encoder's length.

CLIP reads 77 tokens: a start, 75 of the prompt, and an end. A longer prompt is split into windows
of 75 tokens. Each is encoded by itself, and the embeds are concatenated along the token axis, as in
diffusers' community pipelines and the usual web interfaces.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import CLIPTokenizer

from .prompt_weights import Span

SPECIAL = 2  # start and end


@dataclass(frozen=True, eq=False)
class TokenWindow:
    """The tokens of one pass of a text encoder, each of shape (1, length).

    weights: of each token; start, end and padding have weight 1.
    """

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    weights: tuple[float, ...]


def window_length(tokenizer: CLIPTokenizer) -> int:
    """How many tokens of a prompt fit into one window."""
    return int(tokenizer.model_max_length) - SPECIAL


def tokenized(tokenizer: CLIPTokenizer, parts: Sequence[Span]) -> tuple[list[int], list[float]]:
    """The tokens of all spans as one text, without start and end, and the weight of each token.

    Each span is tokenized by itself, so that no token has two weights.
    """
    ids: list[int] = []
    weights: list[float] = []
    for text, weight in parts:
        own = tokenizer(text, add_special_tokens=False, verbose=False).input_ids
        ids += own
        weights += [weight] * len(own)
    return ids, weights


def windows(
    tokenizer: CLIPTokenizer, ids: Sequence[int], weights: Sequence[float], *, count: int
) -> list[TokenWindow]:
    """The first `count` windows of these tokens. Windows beyond the last token are empty."""
    length = window_length(tokenizer)
    return [
        _window(tokenizer, ids[start : start + length], weights[start : start + length])
        for start in range(0, count * length, length)
    ]


def _window(tokenizer: CLIPTokenizer, ids: Sequence[int], weights: Sequence[float]) -> TokenWindow:
    whole = [tokenizer.bos_token_id, *ids, tokenizer.eos_token_id]
    padding = int(tokenizer.model_max_length) - len(whole)
    return TokenWindow(
        torch.tensor([whole + [tokenizer.pad_token_id] * padding]),
        torch.tensor([[1] * len(whole) + [0] * padding]),
        (1.0, *weights, 1.0, *[1.0] * padding),
    )
