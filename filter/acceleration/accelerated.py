"""`Accelerated`: one part, run the fastest way that gives the same on this machine."""

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import nn

from turbolens.filter.networks import Result, Run

from .trial import Backend, Trial

Signature: TypeAlias = tuple[tuple[tuple[int, ...], torch.dtype], ...]

_MOST_SHAPES = 16  # that are kept ready: each holds memory of its own


class Accelerated:
    """A part and the ways to run it, tried in their order; the fastest that agrees is kept.

    Until a way is ready the part runs plainly. wait: the first call with a new shape waits for all
    ways and decides at once, so that all results come from the same one: for files and benchmarks.
    patience: otherwise no way is prepared before a shape has come so often. Called by one thread at
    a time.
    """

    def __init__(
        self,
        part: nn.Module,
        backends: Sequence[Backend] = (),
        *,
        wait: bool = False,
        patience: int = 0,
    ) -> None:
        self.part, self.backends, self.wait = part, tuple(backends), wait
        self.patience = 0 if wait else patience
        self._shapes: OrderedDict[Signature, _Shape] = OrderedDict()
        self._newest: Signature = ()

    def __call__(self, *inputs: torch.Tensor, gain: float = 1.0) -> Any:
        """The part's result. No memory of it is used again by a later call.

        gain: by how much errors of it will grow afterwards, which a coarse way must leave room for.
        """
        if not self.backends:
            return self.part(*inputs)
        shape = self._shape(inputs)
        return shape(inputs, gain) if shape.ripe() else self.part(*inputs)

    def pays(self, *inputs: torch.Tensor) -> bool:
        """Whether another way runs inputs like these, or is on trial: for parts that have a better
        way to run plainly than this. To be asked before every call."""
        return bool(self.backends) and (shape := self._shape(inputs)).ripe() and shape.pays

    @property
    def chosen(self) -> dict[Signature, str]:
        """What runs each shape now: the name of a backend, or "none"."""
        return {signature: shape.name for signature, shape in self._shapes.items()}

    @property
    def latest(self) -> str:
        """What runs the shape that was used last."""
        return next(reversed(self.chosen.values()), "none")

    @property
    def undecided(self) -> bool:
        """Whether a way is still being prepared or compared for some shape."""
        return any(shape.undecided for shape in self._shapes.values())

    @property
    def settling(self) -> bool:
        """Whether the shape that was used last will soon run another way: its time tells little."""
        shape = next(reversed(self._shapes.values()), None)
        return shape is not None and shape.settling

    def renew(self) -> None:
        """Begin anew, since the weights have changed; what was made may hold copies of them."""
        self._shapes.clear()

    def _shape(self, inputs: Sequence[torch.Tensor]) -> "_Shape":
        signature = tuple((tuple(one.shape), one.dtype) for one in inputs)
        if signature not in self._shapes:
            self._shapes[signature] = _Shape(
                self.part, self.backends, wait=self.wait, patience=self.patience,
                wanted=lambda: self._newest == signature,
            )  # fmt: skip
            if len(self._shapes) > _MOST_SHAPES:
                self._shapes.popitem(last=False)
        self._shapes.move_to_end(signature)
        self._newest = signature
        return self._shapes[signature]


class _Way(NamedTuple):
    name: str
    run: Run
    most_gain: float = math.inf


class _Shape:
    """A part for inputs of one shape: what runs it now, and what may do it better."""

    def __init__(
        self,
        part: nn.Module,
        backends: Sequence[Backend],
        *,
        wait: bool,
        patience: int,
        wanted: Callable[[], bool],
    ) -> None:
        self._part = part
        self._best = self._finest = self._used = _Way("none", part)
        self._waiting, self._wait, self._wanted = list(backends), wait, wanted
        self._patience = patience
        self._trial: Trial | None = None

    def ripe(self) -> bool:
        """Whether it has come often enough; this time counts."""
        self._patience -= 1
        return self._patience < 0

    @property
    def name(self) -> str:
        """What ran last, or will run next if that has just been decided."""
        return self._used.name

    @property
    def pays(self) -> bool:
        return self.undecided or self.name != "none"

    @property
    def undecided(self) -> bool:
        return bool(self._waiting) or self._trial is not None

    @property
    def settling(self) -> bool:
        if self._patience > 0:
            return False  # nothing is begun
        ways = [trial.backend for trial in (self._trial,) if trial is not None] + self._waiting
        return any(way.takes != "minutes" for way in ways)

    def __call__(self, inputs: Sequence[torch.Tensor], gain: float) -> Result:
        while self._wait and self.undecided:
            self._go_on(inputs, gain)
        return self._go_on(inputs, gain)

    def _go_on(self, inputs: Sequence[torch.Tensor], gain: float) -> Result:
        """The result, and on the way one more comparison where a way is ready for it."""
        if self._trial is None and self._waiting:
            self._trial = Trial(
                self._waiting.pop(0), self._part, inputs, wait=self._wait, wanted=self._wanted
            )
        if self._trial is not None and self._trial.ready and self._trial.given_up:
            self._waiting.insert(0, self._trial.backend)  # the shape has come back: once more
            self._trial = None
        self._used = self._way(gain)
        if self._trial is None or not self._trial.ready:
            return self._used.run(*inputs)  # type: ignore[no-any-return]
        result = self._trial.compare(self._used.run, inputs)
        if self._trial.decided:
            self._conclude(self._trial)
            self._used = self._way(gain)
        return result

    def _way(self, gain: float) -> _Way:
        return self._best if gain <= self._best.most_gain else self._finest

    def _conclude(self, trial: Trial) -> None:
        self._trial = None
        if trial.won is None:
            return
        self._best = _Way(trial.backend.name, trial.won, trial.most_gain)
        if not trial.backend.coarse:
            self._finest = self._best
