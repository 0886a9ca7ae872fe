"""Lowers the priority of a thread."""

import os
import sys
from contextlib import suppress
from threading import get_native_id


def lower_thread_priority(levels: int) -> None:
    """Add `levels` (1…19) to the `nice` value of the calling thread, for good.

    Programs that the thread starts inherit it. Only Linux has priorities of threads; elsewhere
    nothing happens.
    """
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, get_native_id(), levels)
