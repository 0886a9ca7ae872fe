"""The machine that something is measured on: its name, its clock's edges, its memory."""

import platform
import sys
from contextlib import suppress

import torch


def wait_for(device: torch.device) -> None:
    """Until the device has done what it was told to."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def device_name(device: torch.device) -> str:
    """The device in words."""
    if device.type == "cuda":
        return f"{device}, {torch.cuda.get_device_name(device)}"
    return f"{device}, {_processor()}"


def _processor() -> str:
    with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def peak_memory_mb() -> float | None:
    """The most main memory that this process has held, in MB; none on Windows."""
    if sys.platform == "win32":
        return None
    import resource  # noqa: PLC0415 - not there on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def peak_gpu_memory_mb(device: torch.device) -> float | None:
    """The most memory that tensors have held on a CUDA device, in MB."""
    return torch.cuda.max_memory_allocated(device) / 1e6 if device.type == "cuda" else None


def forget_gpu_peak(device: torch.device) -> None:
    """Let the GPU's peak begin anew."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
