"""Where networks lie and how: precision, memory format, memory allocation."""

import ctypes
import os
import platform
from functools import lru_cache
from typing import TypeVar

import torch

NetworkT = TypeVar("NetworkT", bound=torch.nn.Module)

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_GIBIBYTE = 1 << 30


def prepared(network: NetworkT, device: torch.device, dtype: torch.dtype) -> NetworkT:
    """The network itself, on the device, for inference, its convolutions in channels-last order."""
    network.eval().requires_grad_(False)
    # Not the networks' own `to`: that of diffusers warns of every dtype, even of the one they have.
    return torch.nn.Module.to(  # type: ignore[call-overload,no-any-return]
        network, device=device, dtype=dtype, memory_format=torch.channels_last
    )


@lru_cache(maxsize=1)
def keep_freed_memory() -> bool:
    """Tell glibc to keep freed memory for the next frame. True where that was possible.

    Otherwise the kernel clears the same pages for every frame: the full-size autoencoders at
    512×512 took 1.5 to 1.75 times as long. It holds for the whole process.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    return all(libc.mallopt(name, _GIBIBYTE) for name in (_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD))


def physical_cores() -> int:
    """The number of threads that suits one model thread: physical cores, as torch counts them.

    Setting more, or running torch in several threads at once, makes OpenMP's barriers sleep: the
    same model took 30 ms a frame in place of 18.
    """
    return max(1, min(torch.get_num_threads(), os.cpu_count() or 1))
