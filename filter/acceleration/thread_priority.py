"""Threads that let others come first."""

import os
import sys
from contextlib import suppress
from threading import get_native_id


def step_back(by: int) -> None:
    """Lower the priority of the calling thread by so many levels of `nice` (1 … 19), for good.

    Linux alone has priorities of threads; elsewhere nothing happens. Programs that the thread
    starts are as low.
    """
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, get_native_id(), by)
