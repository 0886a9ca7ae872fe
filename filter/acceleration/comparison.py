"""`Comparison`: is a backend's result the same as that of plain PyTorch, and is it faster?"""

import logging
import math
from collections.abc import Sequence
from statistics import median
from time import perf_counter

import torch
from torch import nn

from turbolens.filter.device import GPUS
from turbolens.filter.networks import Result, Run

from .backend import Backend
from .naming import first_line, spoken_name

MIN_PSNR = 40.0  # dB, of the range of the plain result
MIN_PSNR_HALF = 35.0  # the same if the plain result is in half precision
MIN_PSNR_CALIBRATED = 30.0  # the same of a calibrated backend, whose images were compared as well
_ROUNDS = 5  # timed comparisons before a decision
_MAX_SKIPPED = 30  # calls that may be left out because their results are not comparable
_MAX_TIME_SHARE = 0.95  # of the time so far; anything slower is not worth it
log = logging.getLogger(__name__)


class Comparison:
    """Compares `candidate`, prepared by `backend`, with the best way to run a module so far.

    Each call of `run` compares both on the same inputs and returns the result of the best so far.
    The first call also allocates, so it is not timed.
    """

    def __init__(self, backend: Backend, candidate: Run, module: nn.Module) -> None:
        self.backend, self.candidate = backend, candidate
        self._module = module
        self._rejected = self._warmed_up = False
        self._worst_psnr = math.inf
        self._skipped = 0
        self._best_s: list[float] = []
        self._candidate_s: list[float] = []

    @property
    def decided(self) -> bool:
        """True if no further call is needed."""
        return self._rejected or len(self._candidate_s) >= _ROUNDS

    @property
    def won(self) -> bool:
        """True if the candidate agrees and is clearly faster."""
        if self._rejected or not self._candidate_s:
            return False
        return median(self._candidate_s) < _MAX_TIME_SHARE * median(self._best_s)

    @property
    def candidate_s(self) -> float:
        """The median time of the candidate in seconds, 0 if unknown."""
        return median(self._candidate_s or [0.0])

    @property
    def saved_s(self) -> float:
        """By how many seconds the candidate is faster; negative if it is slower."""
        return median(self._best_s or [0.0]) - self.candidate_s

    @property
    def max_error_gain(self) -> float:
        """By how much later steps may amplify the candidate's errors, so that 35 dB remain.

        ∞ without reduced precision: such errors are those of the model's own format.
        """
        if not self.backend.reduced_precision:
            return math.inf
        return float(10.0 ** ((self._worst_psnr - MIN_PSNR_HALF) / 20.0))

    def run(self, best: Run, inputs: Sequence[torch.Tensor]) -> Result:
        """The result of `best`, with which the candidate is compared."""
        result, best_s = _timed(best, inputs)
        if self._skipped < _MAX_SKIPPED and not self._is_comparable(result):
            self._skipped += 1
            return result
        try:
            other, candidate_s = _timed(self.candidate, inputs)
        except Exception as error:  # noqa: BLE001 - the edge of another runtime: PyTorch goes on
            self._reject(f"failed: {first_line(error)}")
            return result
        self._check_agreement(result, other)
        if self._warmed_up:
            self._best_s.append(best_s)
            self._candidate_s.append(candidate_s)
        self._warmed_up = True
        return result

    def _is_comparable(self, result: Result) -> bool:
        """False where the module says that rounding decides its result, so that none can agree."""
        is_comparable = getattr(self._module, "is_comparable", None)
        return is_comparable is None or bool(is_comparable(*tensors_of(result)))

    def _check_agreement(self, result: Result, other: Result) -> None:
        plain = tensors_of(result)
        ranges = getattr(self._module, "typical_ranges", (0.0,) * len(plain))
        psnr = min(
            agreement_db(*tensors) for tensors in zip(plain, tensors_of(other), ranges, strict=True)
        )
        self._worst_psnr = min(self._worst_psnr, psnr)
        needed = self._min_psnr(plain)
        if not psnr >= needed:  # also if it is NaN
            reason = f"differs too much ({psnr:.1f} dB, at least {needed:.0f} are needed)"
            self._reject(reason, logging.DEBUG)  # nothing that a user could do

    def _min_psnr(self, plain: Sequence[torch.Tensor]) -> float:
        if self.backend.calibrated:
            return MIN_PSNR_CALIBRATED
        if self.backend.reduced_precision:
            return MIN_PSNR_HALF  # `max_error_gain` asks for more where errors are amplified
        half = any(tensor.dtype != torch.float32 for tensor in plain)
        return MIN_PSNR_HALF if half else MIN_PSNR

    def _reject(self, reason: str, level: int = logging.WARNING) -> None:
        self._rejected = True
        log.log(level, "%s for the %s %s", self.backend.name, spoken_name(self._module), reason)


def tensors_of(result: Result) -> tuple[torch.Tensor, ...]:
    """The tensors of a result."""
    return (result,) if isinstance(result, torch.Tensor) else result


def agreement_db(plain: torch.Tensor, other: torch.Tensor, typical_range: float = 0.0) -> float:
    """PSNR of `other` against `plain` in dB, ∞ if they are equal. The peak is the range of `plain`.

    typical_range: the least peak to assume, since one result may be flat by chance.
    """
    if plain.shape != other.shape:
        return -math.inf
    plain, other = plain.float(), other.float()
    error = (plain - other).square().mean().sqrt().item()
    peak = max((plain.max() - plain.min()).item(), typical_range)
    if error == 0.0:
        return math.inf
    return 20.0 * math.log10(peak / error) if peak > 0.0 else -math.inf


def _timed(run: Run, inputs: Sequence[torch.Tensor]) -> tuple[Result, float]:
    """The result, and the seconds that it took on its device."""
    start = perf_counter()
    result: Result = run(*inputs)
    device_type = tensors_of(result)[0].device.type
    if device_type in GPUS:
        getattr(torch, device_type).synchronize()
    return result, perf_counter() - start
