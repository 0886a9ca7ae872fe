"""`PromptReading`: what a model with a fixed list of looks makes of a prompt."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from turbolens.filter.errors import SettingsError

MAX_SHOWN = 8  # unknown words in a message


@dataclass(frozen=True)
class PromptReading:
    """How a model reads one prompt.

    looks: the looks that it names, in order. unknown: words that the model does not know.
    suggestions: looks that are near to it. is_photograph: it is empty or asks for a photograph, so
    that the frame stays nearly unchanged. encoded: the text that the model is given. replacement:
    the look that takes the place of a prompt without any; `None` if it has one.
    """

    text: str
    looks: tuple[str, ...]
    encoded: str
    unknown: tuple[str, ...] = ()
    suggestions: tuple[str, ...] = ()
    is_photograph: bool = False
    replacement: str | None = None

    @property
    def message(self) -> str:
        """What a user should know, in one line; empty if the prompt is read as it is written."""
        if self.replacement is not None:
            return f"{self._nothing_known}; {self.replacement!r} is used instead{self._nearest}"
        line = f"prompt {self._shown} is read as {self.read_as}"
        if self.unknown:
            return f"{line}; unknown words: {self._unknown}"
        return "" if self.encoded == self.text else line

    @property
    def read_as(self) -> str:
        """What is shown, in a few words: the looks, the replacement, or "photograph"."""
        return self.replacement or " + ".join(self.looks) or "photograph"

    def require_look(self, looks: Iterable[str]) -> None:
        """Raise `SettingsError` if the prompt names no look. looks: all looks of the model."""
        if self.replacement is not None:
            known = f"the looks are {', '.join(looks)}"
            raise SettingsError(f"{self._nothing_known}{self._nearest}; {known}")

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "text": self.text, "looks": list(self.looks), "unknown": list(self.unknown),
            "suggestions": list(self.suggestions), "photograph": self.is_photograph,
            "replacement": self.replacement, "message": self.message,
        }  # fmt: skip

    @property
    def _shown(self) -> str:
        return repr(self.text if len(self.text) <= 80 else f"{self.text[:79]}…")

    @property
    def _unknown(self) -> str:
        rest = " …" if len(self.unknown) > MAX_SHOWN else ""
        return ", ".join(self.unknown[:MAX_SHOWN]) + rest

    @property
    def _nothing_known(self) -> str:
        unknown = f" (unknown words: {self._unknown})" if self.unknown else ""
        return f"prompt {self._shown} names no look of this model{unknown}"

    @property
    def _nearest(self) -> str:
        return f"; nearest looks: {', '.join(self.suggestions)}" if self.suggestions else ""
