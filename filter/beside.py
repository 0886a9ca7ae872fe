"""Threads that compute beside the networks of a model."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cache, partial
from threading import Lock
from typing import Generic, ParamSpec, TypeVar

_MAX_THREADS = 8

P = ParamSpec("P")
T = TypeVar("T")
ItemT = TypeVar("ItemT")


def processors() -> int:
    """How many processors the filter may use: `bound_processors`, at most OMP_NUM_THREADS."""
    count = bound_processors()
    wanted = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return min(count, int(wanted)) if wanted.isdecimal() and int(wanted) > 0 else count


def bound_processors() -> int:
    """How many processors this process is bound to, as by `taskset`."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


class Beside(Generic[T]):
    """A call that is made on another thread, or where its result is needed if that comes first.

    With a single processor it is always made where its result is needed. Gradients are off in it.
    Threads are shared by the whole process. Thread-safe.
    """

    def __init__(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> None:
        self._call: Callable[[], T] | None = partial(function, *args, **kwargs)
        self._lock, self._outcome = Lock(), Future[T]()
        if processors() > 1:
            with suppress(RuntimeError):  # while the interpreter ends, no thread takes anything
                _threads().submit(self.run)

    def run(self) -> None:
        """Make the call, unless a thread has begun to."""
        with self._lock:
            call, self._call = self._call, None
        if call is None:
            return
        from torch import inference_mode  # noqa: PLC0415 - commands read looks without it

        try:
            with inference_mode():
                self._outcome.set_result(call())
        except BaseException as error:  # noqa: BLE001 - raised by `result`
            self._outcome.set_exception(error)

    def wait(self) -> None:
        """Return when the call has ended, whatever it has raised."""
        self.run()
        self._outcome.exception()

    def result(self) -> T:
        """What the call returns. Raises what it raises."""
        self.run()
        return self._outcome.result()


def spread(function: Callable[[ItemT], T], items: Iterable[ItemT]) -> list[T]:
    """`function` of each item, in order, on this thread and on those of `Beside`.

    All calls have ended when it returns, or raises the exception of the first one that failed.
    """
    calls = [Beside(function, item) for item in items]
    for each in calls:
        each.run()
    for each in calls:
        each.wait()
    return [each.result() for each in calls]


@cache
def _threads() -> ThreadPoolExecutor:
    """One for each processor but that of the thread that waits for them."""
    count = min(_MAX_THREADS, max(1, processors() - 1))
    return ThreadPoolExecutor(count, thread_name_prefix="turbolens-beside")
