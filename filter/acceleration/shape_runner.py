"""`ShapeRunner`: one module for inputs of one shape, and the backends that are tried for it."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import nn

from turbolens.filter.networks import Result, Run

from .backend import Backend
from .comparison import Comparison
from .preparation import Preparation


class _Choice(NamedTuple):
    name: str
    run: Run
    max_error_gain: float = math.inf


class ShapeRunner:
    """Runs a module by the best backend so far, and tries the next one meanwhile.

    A backend goes through two phases: it is prepared, then compared with the best so far. At most
    one backend is in one of them at a time.

    wait, patience: as for `AcceleratedModule`. is_wanted: True while this shape is in use.
    """

    def __init__(
        self,
        module: nn.Module,
        backends: Sequence[Backend],
        *,
        wait: bool,
        patience: int,
        is_wanted: Callable[[], bool],
    ) -> None:
        self._module, self._wait, self._is_wanted = module, wait, is_wanted
        self._best = self._best_exact = self._last_used = _Choice("none", module)
        self._untried = list(backends)
        self._preparation: Preparation | None = None
        self._comparison: Comparison | None = None
        self._patience = patience

    def count_call(self) -> bool:
        """Count a call of this shape. True if it came often enough to try backends."""
        self._patience -= 1
        return self._patience < 0

    @property
    def backend_name(self) -> str:
        """The backend that ran last, or will run next if that was just decided; or "none"."""
        return self._last_used.name

    @property
    def is_worthwhile(self) -> bool:
        """True if a backend runs this shape or is still being tried."""
        return self.undecided or self.backend_name != "none"

    @property
    def undecided(self) -> bool:
        """True if a backend is still to be tried."""
        return bool(self._untried or self._preparation or self._comparison)

    @property
    def settling(self) -> bool:
        """True if a backend that is prepared within seconds is still to be tried."""
        if self._patience > 0:
            return False  # not begun
        on_trial = [each.backend for each in (self._preparation, self._comparison) if each]
        return any(backend.prepare_time != "minutes" for backend in on_trial + self._untried)

    def __call__(self, inputs: Sequence[torch.Tensor], error_gain: float) -> Result:
        """The result for `inputs`. error_gain: see `AcceleratedModule`."""
        while self._wait and self.undecided:
            self._run_once(inputs, error_gain)
        return self._run_once(inputs, error_gain)

    def _run_once(self, inputs: Sequence[torch.Tensor], error_gain: float) -> Result:
        self._start_next(inputs)
        self._finish_preparation()
        self._last_used = self._choice_for(error_gain)
        if self._comparison is None:
            return self._last_used.run(*inputs)  # type: ignore[no-any-return]
        result = self._comparison.run(self._last_used.run, inputs)
        if self._comparison.decided:
            self._finish_comparison(self._comparison)
            self._last_used = self._choice_for(error_gain)
        return result

    def _start_next(self, inputs: Sequence[torch.Tensor]) -> None:
        if self._untried and self._preparation is None and self._comparison is None:
            self._preparation = Preparation(
                self._untried.pop(0), self._module, inputs,
                wait=self._wait, is_wanted=self._is_wanted,
            )  # fmt: skip

    def _finish_preparation(self) -> None:
        """Compare what has been prepared. A skipped backend is tried again with a later call."""
        preparation = self._preparation
        if preparation is None or not preparation.done:
            return
        self._preparation = None
        if preparation.skipped:
            self._untried.insert(0, preparation.backend)
        elif preparation.run is not None:
            self._comparison = Comparison(preparation.backend, preparation.run, self._module)

    def _finish_comparison(self, comparison: Comparison) -> None:
        self._comparison = None
        if not comparison.won:
            return
        name = comparison.backend.name
        self._best = _Choice(name, comparison.candidate, comparison.max_error_gain)
        if not comparison.backend.reduced_precision:
            self._best_exact = self._best

    def _choice_for(self, error_gain: float) -> _Choice:
        return self._best if error_gain <= self._best.max_error_gain else self._best_exact
