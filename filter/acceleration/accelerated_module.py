"""`AcceleratedModule`: a module, run by the fastest backend that gives the same result."""

from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import nn

from .backend import Backend
from .naming import spoken_name
from .shape_runner import ShapeRunner, Trials
from .trial_records import TrialRecords
from .workload import Workload

Signature: TypeAlias = tuple[tuple[tuple[int, ...], torch.dtype], ...]
"""Shape and dtype of each input."""

_MAX_SHAPES = 16  # kept ready: each holds memory of its own


class _Newest:
    """The shape of the last call, also read by threads that prepare.

    The runners get this and not the module itself. They would refer to each other, and a model that
    is no longer used would keep its compiled networks and their threads until Python's cyclic
    garbage collector came, which counts objects and not their memory: 120 MB for every reload.
    """

    signature: Signature = ()

    def is_(self, signature: Signature) -> bool:
        """True if the last call had this shape."""
        return self.signature == signature


class AcceleratedModule:
    """Tries `backends` in order, for each shape of inputs, and keeps the fastest that agrees.

    Until a backend is ready the module runs plainly. Not thread-safe.

    wait: the first call with a new shape waits until all backends are tried, so that all results
    come from the same one: for benchmarks. patience: without `wait`, how many calls with a shape
    run plainly before a backend is prepared for it. records: results of trials, kept for the next
    start: a backend that has won before is used without a trial, except with `retry`. frames: how
    many frames will come, as far as known: a backend is prepared only if that saves time. `None`:
    always, on another thread.
    """

    def __init__(
        self,
        module: nn.Module,
        backends: Sequence[Backend] = (),
        *,
        wait: bool = False,
        patience: int = 0,
        records: TrialRecords | None = None,
        frames: int | None = None,
        retry: bool = False,
    ) -> None:
        self.module, self.backends = module, tuple(backends)
        self._workload = None if frames is None or wait else Workload(frames)
        self._trials = Trials(wait, patience, records, self._workload, retry)
        self._runners: OrderedDict[Signature, ShapeRunner] = OrderedDict()
        self._newest = _Newest()

    def __call__(self, *inputs: torch.Tensor, error_gain: float = 1.0) -> Any:
        """The module's result, which no later call overwrites.

        error_gain: by how much later steps amplify an error of it. Backends of reduced precision
        are used only up to a limit.
        """
        if not self.backends:
            return self.module(*inputs)
        runner = self._runner(inputs)
        if self._workload is not None:
            self._workload.count(len(inputs[0]) if inputs[0].ndim else 1)
        return runner(inputs, error_gain) if runner.count_call() else self.module(*inputs)

    def is_worthwhile(self, *inputs: torch.Tensor) -> bool:
        """True if a backend runs inputs like these or is being tried.

        For callers that have a better plain way than this module. Counts as a call of the shape, so
        ask before every call.
        """
        if not self.backends:
            return False
        runner = self._runner(inputs)
        return runner.count_call() and runner.is_worthwhile

    @property
    def name(self) -> str:
        """The module's name in messages."""
        return spoken_name(self.module)

    @property
    def chosen(self) -> dict[Signature, str]:
        """The backend of each shape, or "none"."""
        return {signature: runner.backend_name for signature, runner in self._runners.items()}

    @property
    def latest(self) -> str:
        """The backend of the shape that was used last, or "none"."""
        return next(reversed(self.chosen.values()), "none")

    @property
    def undecided(self) -> bool:
        """True if a backend is still to be tried for some shape."""
        return any(runner.undecided for runner in self._runners.values())

    @property
    def settling(self) -> bool:
        """True if the shape that was used last may become faster within seconds."""
        runner = next(reversed(self._runners.values()), None)
        return runner is not None and runner.settling

    def renew(self) -> None:
        """Start again, because the weights have changed and backends may hold copies of them."""
        self._runners.clear()

    def _runner(self, inputs: Sequence[torch.Tensor]) -> ShapeRunner:
        signature = tuple((tuple(tensor.shape), tensor.dtype) for tensor in inputs)
        if signature not in self._runners:
            self._runners[signature] = ShapeRunner(
                self.module, self.backends, self._trials,
                is_wanted=partial(self._newest.is_, signature),
            )  # fmt: skip
            if len(self._runners) > _MAX_SHAPES:
                self._runners.popitem(last=False)
        self._runners.move_to_end(signature)
        self._newest.signature = signature
        return self._runners[signature]
