"""`Trial`: whether another way to run a part gives the same here, and gives it faster."""

import logging
import math
from collections.abc import Callable, Sequence
from statistics import median
from threading import Lock, Thread
from time import perf_counter
from typing import Literal, Protocol

import torch
from torch import nn

from turbolens.filter.networks import Result, Run

from .thread_priority import lower_thread_priority

LEAST_PSNR = 40.0  # dB, of the range of the plain result: what another way must reach
LEAST_PSNR_HALF = 35.0  # the same where the plain result itself comes from half precision
_ROUNDS = 5  # comparisons before a way is chosen
_GAIN = 0.95  # share of the time so far that another way may take at most to be worth it
_NICE = 1  # levels by which preparing comes after the running filter
_PREPARING = Lock()  # one at a time: on few cores several would hold up the filter, and each other
log = logging.getLogger(__name__)


class Backend(Protocol):
    """Another way to run a part: a module, tensors → a `Result`.

    A part may say of itself: is_of_one_shape, its code depends on its inputs' shapes; least_ranges,
    see `agreement_db`, one for each of its results; threads, on how many of a CPU it should run.

    takes: how long `prepare` does. A moment is spent on the thread that runs the part; seconds are
    spent on another, which the end of the program waits for; minutes, on one that it does not.
    """

    @property
    def name(self) -> str:
        """As users write it."""
        ...

    @property
    def takes(self) -> Literal["moment", "seconds", "minutes"]:
        """The length of `prepare`."""
        ...

    @property
    def coarse(self) -> bool:
        """Whether it rounds more than the model's own format does: see `Trial.most_gain`."""
        ...

    def prepare(self, part: nn.Module, inputs: Sequence[torch.Tensor]) -> Run:
        """The part for inputs like these: same shapes, dtypes and device.

        What it gives is its own memory. `Unsuited` means that it would not pay; any other exception
        that it is not possible here.
        """
        ...


class Unsuited(Exception):  # noqa: N818 - nothing is wrong
    """A part for which a way is not worth preparing."""


class Trial:
    """One way on trial, for inputs of one shape. wanted: whether the shape is still in use.

    `given_up`: it was not any more when its turn to be prepared came.
    """

    def __init__(
        self,
        backend: Backend,
        part: nn.Module,
        inputs: Sequence[torch.Tensor],
        *,
        wait: bool,
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        self.backend, self._part, self._wanted = backend, part, wanted
        self.given_up = False
        self._run: Run | None = None
        self._refused = False
        self._worst = math.inf
        self._before: list[float] = []
        self._after: list[float] = []
        examples = [one.clone() for one in inputs]
        self._thread: Thread | None = None
        if wait or backend.takes == "moment":
            self._prepare(examples)
            return
        self._thread = Thread(
            target=self._prepare_beside, args=(examples,), name="acceleration",
            daemon=backend.takes == "minutes",
        )  # fmt: skip
        self._thread.start()

    @property
    def ready(self) -> bool:
        """Whether preparing has ended, well or not."""
        return self._thread is None or not self._thread.is_alive()

    @property
    def decided(self) -> bool:
        """Whether no further comparison is needed."""
        return self._run is None or self._refused or len(self._after) >= _ROUNDS

    @property
    def won(self) -> Run | None:
        """The way, where it is worth to be kept."""
        if self._run is None or self._refused or not self._after:
            return None
        return self._run if median(self._after) < _GAIN * median(self._before) else None

    @property
    def most_gain(self) -> float:
        """By how much errors of its result may grow afterwards: so that 35 dB are left.

        The measure of an exact way's errors is the format's own; they may grow as they do.
        """
        if not self.backend.coarse:
            return math.inf
        return float(10.0 ** ((self._worst - LEAST_PSNR_HALF) / 20.0))

    def compare(self, best: Run, inputs: Sequence[torch.Tensor]) -> Result:
        """The result of `best`, which the way on trial is compared with on the same inputs."""
        if self._run is None:
            return best(*inputs)  # type: ignore[no-any-return]
        result, seconds = _timed(best, inputs)
        try:
            other, took = _timed(self._run, inputs)
        except Exception as error:  # noqa: BLE001 - the edge of another runtime: PyTorch goes on
            self._refuse(f"failed: {_first_line(error)}")
            return result
        pairs = list(zip(each_of(result), each_of(other), strict=True))
        ranges = getattr(self._part, "least_ranges", (0.0,) * len(pairs))
        psnr = min(agreement_db(*pair, usual) for pair, usual in zip(pairs, ranges, strict=True))
        least = self._least_psnr(each_of(result))
        self._worst = min(self._worst, psnr)
        if not psnr >= least:
            self._refuse(f"differs too much ({psnr:.1f} dB, at least {least:.0f} are needed)")
        if self._warm:
            self._before.append(seconds)
            self._after.append(took)
        self._warm = True
        return result

    def _least_psnr(self, plain: Sequence[torch.Tensor]) -> float:
        if self.backend.coarse:
            return LEAST_PSNR_HALF  # and more, the more its errors grow
        halves = any(one.dtype != torch.float32 for one in plain)
        return LEAST_PSNR_HALF if halves else LEAST_PSNR

    _warm = False  # the first call allocates and is not timed

    def _prepare_beside(self, inputs: Sequence[torch.Tensor]) -> None:
        lower_thread_priority(_NICE)
        if self.backend.takes == "minutes":
            self._prepare(inputs)
            return
        with _PREPARING:
            self.given_up = not self._wanted()
            if not self.given_up:
                self._prepare(inputs)

    def _prepare(self, inputs: Sequence[torch.Tensor]) -> None:
        try:
            self._run = self.backend.prepare(self._part, inputs)
        except Unsuited as reason:
            self._refused = True
            log.info("%s for the %s would not pay: %s", self.backend.name, self._of, reason)
        except Exception as error:
            self._refuse(f"is not possible here: {_first_line(error)}")
            log.debug("%s could not be prepared", self.backend.name, exc_info=error)

    def _refuse(self, reason: str) -> None:
        self._refused = True
        log.warning("%s for the %s %s", self.backend.name, self._of, reason)

    @property
    def _of(self) -> str:
        return type(self._part).__name__.lower()


def each_of(result: Result) -> tuple[torch.Tensor, ...]:
    """The tensors of a result."""
    return (result,) if isinstance(result, torch.Tensor) else result


def agreement_db(plain: torch.Tensor, other: torch.Tensor, least_range: float = 0.0) -> float:
    """PSNR of `other` against `plain`, whose range counts as the peak; ∞ where they are equal.

    least_range: what the range of such results usually is: that of one may be 0 by chance.
    """
    if plain.shape != other.shape:
        return -math.inf
    plain, other = plain.float(), other.float()
    error = (plain - other).square().mean().sqrt().item()
    peak = max((plain.max() - plain.min()).item(), least_range)
    if error == 0.0:
        return math.inf
    return 20.0 * math.log10(peak / error) if peak > 0.0 else -math.inf


def _timed(run: Run, inputs: Sequence[torch.Tensor]) -> tuple[Result, float]:
    start = perf_counter()
    result: Result = run(*inputs)
    device = each_of(result)[0].device
    if device.type in ("cuda", "xpu", "mps"):
        getattr(torch, device.type).synchronize()
    return result, perf_counter() - start


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
