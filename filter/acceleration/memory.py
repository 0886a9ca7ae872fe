"""glibc's thresholds for returning freed memory."""

import ctypes
import platform
from functools import lru_cache

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_GIBIBYTE = 1 << 30


@lru_cache(maxsize=1)
def keep_freed_memory() -> bool:
    """Let glibc keep freed memory for the next frame. True if that is possible.

    Otherwise the kernel clears the same pages for every frame: the full-size autoencoders at
    512×512 took 1.5 to 1.75 times as long. It holds for the whole process.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    return all(libc.mallopt(name, _GIBIBYTE) for name in (_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD))
