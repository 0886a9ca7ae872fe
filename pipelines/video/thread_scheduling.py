"""Keeps encoders from making the program's threads real-time threads."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_TASKS = Path("/proc/self/task")


@contextmanager
def ordinary_scheduling() -> Iterator[None]:
    """Threads that become real-time threads within this context are made ordinary ones again.

    As root, SVT-AV1 gives its threads and the calling thread the highest real-time priority when it
    is opened. They, and every program that is started later, would take the processor from the rest
    of the machine. Does nothing except on Linux.
    """
    if not _TASKS.is_dir():
        yield
        return
    before = _real_time_threads()
    try:
        yield
    finally:
        for thread in _real_time_threads() - before:
            with suppress(OSError):  # it has ended
                os.sched_setscheduler(thread, os.SCHED_OTHER, os.sched_param(0))


def _real_time_threads() -> set[int]:
    found = set()
    for thread in map(int, os.listdir(_TASKS)):
        with suppress(OSError):
            if os.sched_getscheduler(thread) in (os.SCHED_FIFO, os.SCHED_RR):
                found.add(thread)
    return found
