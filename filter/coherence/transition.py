"""Transitions from one mixture of prompts to another, over a given time, in embedding space.

Prompts are mixed by weight, so that a transition is a change of weights. There is no clock here:
each call is given the time of its frame.
"""

from collections.abc import Mapping, Sequence

from turbolens.filter.errors import SettingsError
from turbolens.filter.settings import WeightedPrompt

_MAX_GAP_S = 5.0  # between frames; after a longer gap the stream was paused or sought
_MAX_START_PROMPTS = 16  # of a transition, as many as a setting may have


class PromptTransition:
    """The prompts of one stream, which follow the target prompts over time."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the past. The next prompts apply at once, like those of the first call."""
        self._target: dict[str, float] = {}
        self._start: dict[str, float] = {}
        self._start_s = self._last_s = self._duration_s = 0.0

    def __call__(
        self, weighted_prompts: Sequence[tuple[str, float]], duration_s: float, time_s: float
    ) -> tuple[WeightedPrompt, ...]:
        """The prompts at `time_s`, the time of the frame in seconds. All weights are above 0.

        weighted_prompts: the target. If it changes, also during a transition, the present mixture
        turns into it over `duration_s` along a smoothstep. A changed duration applies to the next
        transition, but 0 ends this one. So does a time that goes back or jumps by more than 5 s.
        There are at most 32 prompts at a time: a transition starts from the 16 of most weight.

        Without a transition, the target is returned with the weights given. Raises `SettingsError`
        if no weight is above 0.
        """
        target = _shares(weighted_prompts)
        continues = 0.0 <= time_s - self._last_s <= _MAX_GAP_S
        at_once = not (self._target and continues and duration_s > 0)
        if target != self._target and not at_once:
            self._start = _heaviest(self._mixture())
            self._start_s, self._duration_s = time_s, duration_s
        self._target, self._last_s = target, time_s
        if at_once or self._progress() >= 1.0:
            self._start = {}
        if not self._start:
            return tuple(WeightedPrompt(text, weight) for text, weight in weighted_prompts
                         if weight > 0)  # fmt: skip
        return tuple(WeightedPrompt(text, share) for text, share in self._mixture().items())

    @property
    def in_progress(self) -> bool:
        """True if the last prompts were a mixture of start and target."""
        return bool(self._start)

    def _progress(self) -> float:
        if not self._start:
            return 1.0
        return (self._last_s - self._start_s) / self._duration_s

    def _mixture(self) -> dict[str, float]:
        """The last mixture: shares above 0 that sum to 1, those of the target first."""
        progress = smoothstep(self._progress())
        mixture = {text: progress * share for text, share in self._target.items()}
        for text, share in self._start.items():
            mixture[text] = mixture.get(text, 0.0) + (1.0 - progress) * share
        return {text: share for text, share in mixture.items() if share > 0}


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


def _heaviest(shares: Mapping[str, float]) -> dict[str, float]:
    """The shares of most weight, at most `_MAX_START_PROMPTS`, normalised to sum 1."""
    if len(shares) <= _MAX_START_PROMPTS:
        return dict(shares)
    ranked = sorted(shares.items(), key=lambda item: -item[1])[:_MAX_START_PROMPTS]
    return _shares(ranked)
