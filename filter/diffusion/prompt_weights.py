r"""Weights of words within a prompt: `(word:1.2)`, `(word)`, `[word]`, nested, `\(` for a bracket.

The notation is that of the usual web interfaces: round brackets multiply the weight by 1.1, square
ones by 1/1.1, and a number after the last colon in round brackets is the weight itself. Nested
brackets multiply. An unclosed bracket extends to the end of the prompt; an unopened one, and a
colon without a number, are text.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

BRACKET_WEIGHT = 1.1
MAX_WEIGHT = 10.0  # weights of words are clamped to ± this

_MARK = re.compile(r"\\[\\()\[\]]|[()\[\]]")
_NUMBER = re.compile(r":\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*$")


class Span(NamedTuple):
    """A part of a prompt and the weight of its words; 1 is neutral."""

    text: str
    weight: float = 1.0


def spans(prompt: str) -> tuple[Span, ...]:
    """The prompt without its notation, split where the weight changes; one span if it does not."""
    pieces: list[Span] = []
    opened: list[tuple[str, int]] = []  # the bracket, and the number of pieces before it
    position = 0
    for match in _MARK.finditer(prompt):
        _append_text(pieces, prompt[position : match.start()])
        position = match.end()
        mark = match[0]
        if mark in "([":
            opened.append((mark, len(pieces)))
        elif mark in ")]" and opened and opened[-1][0] + mark in ("()", "[]"):
            _close_bracket(pieces, *opened.pop())
        else:
            _append_text(pieces, mark[-1])  # escaped, or never opened
    _append_text(pieces, prompt[position:])
    while opened:
        bracket, start = opened.pop()
        _multiply_weights(pieces, start, BRACKET_WEIGHT if bracket == "(" else 1 / BRACKET_WEIGHT)
    return _merged(pieces) or (Span(""),)


def _append_text(pieces: list[Span], text: str) -> None:
    if text:
        pieces.append(Span(text))


def _close_bracket(pieces: list[Span], bracket: str, start: int) -> None:
    if bracket == "[":
        _multiply_weights(pieces, start, 1 / BRACKET_WEIGHT)
        return
    number = _NUMBER.search(pieces[-1].text) if len(pieces) > start else None
    if number is None:
        _multiply_weights(pieces, start, BRACKET_WEIGHT)
        return
    pieces[-1] = pieces[-1]._replace(text=pieces[-1].text[: number.start()])
    _multiply_weights(pieces, start, float(number[1]))


def _multiply_weights(pieces: list[Span], start: int, factor: float) -> None:
    pieces[start:] = [piece._replace(weight=piece.weight * factor) for piece in pieces[start:]]


def _merged(pieces: Sequence[Span]) -> tuple[Span, ...]:
    """Neighbours of equal weight joined, weights clamped."""
    merged: list[Span] = []
    for text, weight in pieces:
        clamped = round(min(max(weight, -MAX_WEIGHT), MAX_WEIGHT), 6)
        if merged and merged[-1].weight == clamped:
            merged[-1] = Span(merged[-1].text + text, clamped)
        elif text:
            merged.append(Span(text, clamped))
    return tuple(merged)
