"""The device that a benchmark runs on: its name, synchronisation and peak memory."""

import platform
import sys
from contextlib import suppress

import torch

_COUNTED = ("cuda", "xpu")  # devices with a name and a count of their memory


def wait_for(device: torch.device) -> None:
    """Wait until the device has finished its queued work."""
    if device.type == "mps":
        torch.mps.synchronize()
    elif device.type != "cpu":
        getattr(torch, device.type).synchronize(device)


def device_name(device: torch.device) -> str:
    """The device and its model name, for example "cuda:0, NVIDIA RTX 4090"."""
    if device.type in _COUNTED:
        return f"{device}, {getattr(torch, device.type).get_device_name(device)}"
    return f"{device}, {_processor()}"


def _processor() -> str:
    with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def peak_memory_mb() -> float | None:
    """The peak resident memory of this process in MB, `None` on Windows."""
    if sys.platform == "win32":
        return None
    import resource  # noqa: PLC0415 - missing on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def peak_gpu_memory_mb(device: torch.device) -> float | None:
    """The peak memory of tensors on a CUDA or XPU device in MB, `None` on others."""
    if device.type not in _COUNTED:
        return None
    peak: int = getattr(torch, device.type).max_memory_allocated(device)
    return peak / 1e6


def reset_gpu_peak(device: torch.device) -> None:
    """Reset the peak memory of a CUDA or XPU device."""
    if device.type in _COUNTED:
        getattr(torch, device.type).reset_peak_memory_stats(device)
