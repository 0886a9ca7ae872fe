"""Transitions: a change of prompts that glides over a given time, in embedding space.

Between two mixtures of prompts lies a mixture of both; `prompts` mixes embeddings by weight, so a
glide is a change of weights alone. Nothing here keeps the time: every call says when it is.
"""

from collections.abc import Mapping, Sequence

from turbolens.filter.errors import SettingsError
from turbolens.filter.settings import WeightedPrompt

_JUMP_S = 5.0  # seconds without a frame after which the stream has been paused or sought
_MOST_LEFT = 16  # prompts that a glide starts from, as many as a setting may have


class PromptTransition:
    """The prompts of one stream as they are shown, which follow those that are wanted."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the past: the next prompts are shown at once, as those of the first call are."""
        self._wanted: dict[str, float] = {}
        self._from: dict[str, float] = {}
        self._start_s = self._last_s = self._duration_s = 0.0

    def __call__(
        self, weighted_prompts: Sequence[tuple[str, float]], duration_s: float, time_s: float
    ) -> tuple[WeightedPrompt, ...]:
        """The prompts to show at `time_s`, the time of the frame in seconds; no weight is 0.

        Where the wanted prompts change, also in the middle of a glide, what is shown now glides to
        them over `duration_s` along a smoothstep; a duration set meanwhile is that of the next
        glide, but 0 ends this one. A glide ends at once where the time goes back or jumps by more
        than 5 s. It shows at most 32 prompts at a time: a new one starts from the 16 weightiest.

        When no glide is on, the wanted prompts come back with the weights that they were given.
        Raises `SettingsError` where no weight is above 0.
        """
        wanted = _shares(weighted_prompts)
        flows_on = 0.0 <= time_s - self._last_s <= _JUMP_S
        at_once = not (self._wanted and flows_on and duration_s > 0)
        if wanted != self._wanted and not at_once:
            self._from = _weightiest(self._shown())
            self._start_s, self._duration_s = time_s, duration_s
        self._wanted, self._last_s = wanted, time_s
        if at_once or self._progress() >= 1.0:
            self._from = {}
        if not self._from:
            return tuple(WeightedPrompt(text, weight) for text, weight in weighted_prompts
                         if weight > 0)  # fmt: skip
        return tuple(WeightedPrompt(text, share) for text, share in self._shown().items())

    @property
    def gliding(self) -> bool:
        """Whether the prompts shown last were on their way to others."""
        return bool(self._from)

    def _progress(self) -> float:
        if not self._from:
            return 1.0
        return (self._last_s - self._start_s) / self._duration_s

    def _shown(self) -> dict[str, float]:
        """The mixture shown last: shares above 0 that sum to 1, first those that are wanted."""
        arrived = smoothstep(self._progress())
        shown = {text: arrived * share for text, share in self._wanted.items()}
        for text, share in self._from.items():
            shown[text] = shown.get(text, 0.0) + (1.0 - arrived) * share
        return {text: share for text, share in shown.items() if share > 0}


def smoothstep(progress: float) -> float:
    """0…1 → 0…1, slow at both ends: 3p² − 2p³, clamped outside."""
    clamped = min(max(progress, 0.0), 1.0)
    return clamped * clamped * (3.0 - 2.0 * clamped)


def _shares(weighted_prompts: Sequence[tuple[str, float]]) -> dict[str, float]:
    """The weights normalised to sum 1, of each text once, without those of weight 0."""
    total = sum(weight for _, weight in weighted_prompts if weight > 0)
    if not total > 0:
        raise SettingsError("prompt: at least one weight must be above 0, got none")
    shares: dict[str, float] = {}
    for text, weight in weighted_prompts:
        if weight > 0:
            shares[text] = shares.get(text, 0.0) + weight / total
    return shares


def _weightiest(shares: Mapping[str, float]) -> dict[str, float]:
    """At most as many as a glide may start from, normalised to sum 1 again where some are left."""
    if len(shares) <= _MOST_LEFT:
        return dict(shares)
    ranked = sorted(shares.items(), key=lambda item: -item[1])[:_MOST_LEFT]
    return _shares(ranked)
