"""`ShapeRunner`: one module for inputs of one shape, and the backends that are tried for it."""

import math
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import NamedTuple

import torch
from torch import nn

from turbolens.filter.networks import Result, Run

from .backend import Backend
from .candidates import Candidate, all_known, candidates_for
from .comparison import Comparison
from .preparation import Preparation
from .trial_records import TrialRecords, TrialResult
from .workload import Workload


class Trials(NamedTuple):
    """How the backends of a module are tried.

    wait, patience, retry: as for `AcceleratedModule`. records: results of earlier trials; they are
    used unless `retry` is set, and new ones are added. workload: try only what pays for these
    frames, and prepare it on the calling thread, because the filter would be slowed down as much by
    another.
    """

    wait: bool = False
    patience: int = 0
    records: TrialRecords | None = None
    workload: Workload | None = None
    retry: bool = False


class _Choice(NamedTuple):
    name: str
    run: Run
    max_error_gain: float = math.inf


class ShapeRunner:
    """Runs a module by the best backend so far, and tries the next one meanwhile.

    A backend goes through two phases: it is prepared, then compared with the best so far. One that
    has won an earlier trial is only prepared. At most one backend is in one of them at a time.

    is_wanted: True while this shape is in use.
    """

    def __init__(
        self,
        module: nn.Module,
        backends: Sequence[Backend],
        trials: Trials,
        *,
        is_wanted: Callable[[], bool],
    ) -> None:
        self._module, self._is_wanted, self._trials = module, is_wanted, trials
        self._best = self._best_exact = self._last_used = _Choice("none", module)
        self._backends = list(backends)
        self._candidates: list[Candidate] | None = None  # with the first call that may try one
        self._best_comes_first = False
        self._tried: Candidate | None = None
        self._preparation: Preparation | None = None
        self._comparison: Comparison | None = None
        self._patience = 0 if trials.wait else trials.patience
        self._frame_s: float | None = None
        self._calls = 0

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
        return self.backend_name != "none" or (
            self.undecided and (self._trials.workload is None or self._tried is not None)
        )

    @property
    def undecided(self) -> bool:
        """True if a backend is still to be tried."""
        return self._tried is not None or any(not each.result for each in self._pending)

    @property
    def settling(self) -> bool:
        """True if a backend that is prepared within seconds is still to be tried."""
        if self._patience > 0:
            return False  # not begun
        on_trial = [self._tried] if self._tried else []
        to_come = [each for each in self._pending if not each.result or self._best.name == "none"]
        return any(each.backend.prepare_time != "minutes" for each in on_trial + to_come)

    @property
    def _pending(self) -> list[Candidate]:
        if self._candidates is None:
            return [Candidate(backend) for backend in self._backends]
        return self._candidates

    def __call__(self, inputs: Sequence[torch.Tensor], error_gain: float) -> Result:
        """The result for `inputs`. error_gain: see `AcceleratedModule`."""
        while self._trials.wait and self.undecided:
            self._run_once(inputs, error_gain)
        return self._run_once(inputs, error_gain)

    def _run_once(self, inputs: Sequence[torch.Tensor], error_gain: float) -> Result:
        self._start_next(inputs, error_gain)
        self._finish_preparation()
        self._last_used = self._choice_for(error_gain)
        if self._comparison is None:
            return self._run_timed(inputs)
        result = self._comparison.run(self._last_used.run, inputs)
        if self._comparison.decided:
            self._finish_comparison(self._comparison, len(inputs[0]) if inputs[0].ndim else 1)
            self._last_used = self._choice_for(error_gain)
        return result

    def _run_timed(self, inputs: Sequence[torch.Tensor]) -> Result:
        """Run, and measure the time of a frame if a workload needs it. The first call allocates."""
        if self._trials.workload is None:
            return self._last_used.run(*inputs)  # type: ignore[no-any-return]
        began = perf_counter()
        result: Result = self._last_used.run(*inputs)
        self._calls += 1
        if self._calls > 1:
            frame_s = (perf_counter() - began) / max(1, len(inputs[0]) if inputs[0].ndim else 1)
            self._frame_s = min(frame_s, self._frame_s or math.inf)
        return result

    def _start_next(self, inputs: Sequence[torch.Tensor], error_gain: float) -> None:
        """Begin to prepare the next candidate, unless one is on trial or it would not pay."""
        trials, workload = self._trials, self._trials.workload
        if self._tried is not None or (workload is not None and workload.nearly_done):
            return
        if self._candidates is None:
            self._candidates = candidates_for(
                self._backends, self._module, inputs, trials.records, use_results=not trials.retry
            )
            self._best_comes_first = all_known(self._candidates)
        if not self._candidates or not self._is_due(self._candidates, error_gain):
            return
        self._tried = self._candidates.pop(0)
        self._preparation = Preparation(
            self._tried.backend, self._module, inputs,
            wait=trials.wait or workload is not None, is_wanted=self._is_wanted,
        )  # fmt: skip

    def _is_due(self, candidates: Sequence[Candidate], error_gain: float) -> bool:
        """True if the first candidate should be prepared now.

        If the best comes first, the others are needed only where it is not exact enough.
        """
        first = candidates[0]
        if self._best_comes_first and self._choice_for(error_gain).name != "none":
            return False
        workload = self._trials.workload
        if workload is None or first.backend.prepare_time != "seconds":
            return True
        if first.result is None:
            return workload.pays_to_try(self._frame_s, first.backend.likely_saving)
        ready = first.backend.is_prepared(first.key)
        return workload.pays_again(0.0 if ready else first.result.prepare_s, first.saved_s)

    def _finish_preparation(self) -> None:
        """Use or compare what has been prepared. A skipped backend is tried again later."""
        preparation, tried = self._preparation, self._tried
        if preparation is None or tried is None or not preparation.done:
            return
        self._preparation = None
        if preparation.run is not None and tried.result is None:
            self._comparison = Comparison(preparation.backend, preparation.run, self._module)
            return
        self._tried = None
        if preparation.skipped:
            self._pending.insert(0, tried)
        elif preparation.run is not None and tried.result is not None:
            self._accept(tried.backend, preparation.run, tried.result.max_error_gain)

    def _finish_comparison(self, comparison: Comparison, rows: int) -> None:
        tried, self._tried, self._comparison = self._tried, None, None
        if comparison.won:
            self._accept(comparison.backend, comparison.candidate, comparison.max_error_gain)
            self._frame_s = comparison.candidate_s / rows
        if tried is not None and self._trials.records is not None:
            self._trials.records.put(tried.key, TrialResult(
                comparison.won, comparison.max_error_gain, comparison.saved_s / rows,
                comparison.backend.prepare_again_s(tried.key),
            ))  # fmt: skip

    def _accept(self, backend: Backend, run: Run, max_error_gain: float) -> None:
        """Use it, for what the best is not exact enough if the best came first."""
        choice = _Choice(backend.name, run, max_error_gain)
        if not backend.reduced_precision:
            self._best_exact = choice
        if self._best.name == "none" or not self._best_comes_first:
            self._best = choice

    def _choice_for(self, error_gain: float) -> _Choice:
        return self._best if error_gain <= self._best.max_error_gain else self._best_exact
