r"""Weights of words within a prompt: `(word:1.2)`, `(word)`, `[word]`, nested, `\(` for a bracket.

The notation is that of the field's web user interfaces: round brackets weigh 1.1 times, square ones
1/1.1 times, and a number after the last colon in round brackets is the weight itself. Brackets in
brackets multiply. A bracket that is never closed reaches to the end of the prompt; one that was
never opened, and a colon without a number, are text.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import torch

STEP = 1.1  # what one pair of brackets weighs
MOST = 10.0  # the weight of a word is held within ± this

_MARK = re.compile(r"\\[\\()\[\]]|[()\[\]]")
_NUMBER = re.compile(r":\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*$")


class Span(NamedTuple):
    """A stretch of text, and how much its words weigh; 1 is as they stand."""

    text: str
    weight: float = 1.0


def spans(prompt: str) -> tuple[Span, ...]:
    """The prompt without its notation, cut where the weight changes. All of weight 1: one span."""
    pieces: list[Span] = []
    opened: list[tuple[str, int]] = []  # the bracket, and how many pieces were there before it
    position = 0
    for match in _MARK.finditer(prompt):
        _say(pieces, prompt[position : match.start()])
        position = match.end()
        mark = match[0]
        if mark in "([":
            opened.append((mark, len(pieces)))
        elif mark in ")]" and opened and opened[-1][0] + mark in ("()", "[]"):
            _close(pieces, *opened.pop())
        else:
            _say(pieces, mark[-1])  # escaped, or never opened
    _say(pieces, prompt[position:])
    while opened:
        bracket, start = opened.pop()
        _weigh(pieces, start, STEP if bracket == "(" else 1 / STEP)
    return _merged(pieces) or (Span(""),)


def weighted(embeds: torch.Tensor, empty: torch.Tensor, weights: Sequence[float]) -> torch.Tensor:
    """Embeds (1, tokens, width) of a prompt, its tokens weighed: e → e₀ + w · (e − e₀).

    `empty` is e₀, the embeds of the empty prompt, of the same shape: at weight 0 a token says
    nothing, at 1 it is itself to the bit, and beyond it says more than it did. (ComfyUI weighs so;
    scaling e itself would also scale what every prompt has in common.)
    """
    by_token = torch.tensor(weights, device=embeds.device, dtype=torch.float32)[None, :, None]
    moved = torch.lerp(empty.float(), embeds.float(), by_token).to(embeds.dtype)
    return torch.where(by_token == 1.0, embeds, moved)


def _say(pieces: list[Span], text: str) -> None:
    if text:
        pieces.append(Span(text))


def _close(pieces: list[Span], bracket: str, start: int) -> None:
    if bracket == "[":
        _weigh(pieces, start, 1 / STEP)
        return
    number = _NUMBER.search(pieces[-1].text) if len(pieces) > start else None
    if number is None:
        _weigh(pieces, start, STEP)
        return
    pieces[-1] = pieces[-1]._replace(text=pieces[-1].text[: number.start()])
    _weigh(pieces, start, float(number[1]))


def _weigh(pieces: list[Span], start: int, factor: float) -> None:
    pieces[start:] = [piece._replace(weight=piece.weight * factor) for piece in pieces[start:]]


def _merged(pieces: Sequence[Span]) -> tuple[Span, ...]:
    """Neighbours of one weight together, weights within their bounds."""
    merged: list[Span] = []
    for text, weight in pieces:
        held = round(min(max(weight, -MOST), MOST), 6)
        if merged and merged[-1].weight == held:
            merged[-1] = Span(merged[-1].text + text, held)
        elif text:
            merged.append(Span(text, held))
    return tuple(merged)
