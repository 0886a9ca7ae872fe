""" "auto" → the device and the number format that a model runs in. Resolved once, at loading."""

import os
import platform
import time
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import torch

from .errors import SettingsError

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
_ACCELERATORS = ("cuda", "xpu", "mps")
# What NVIDIA's driver leaves where it is installed, on Linux and on Windows.
_NVIDIA = (
    Path("/proc/driver/nvidia/version"),
    Path(os.environ.get("SYSTEMROOT", "C:/Windows"), "System32", "nvcuda.dll"),
)


def resolve_device(device: str | torch.device = "auto") -> torch.device:
    """The first of CUDA, XPU and MPS that is here, else the CPU; or the named one.

    Raises `SettingsError` for a name that torch does not know, or a device that is not here.
    """
    if device == "auto":
        return torch.device(next(filter(_is_available, _ACCELERATORS), "cpu"))
    try:
        resolved = torch.device(device)
    except RuntimeError as error:
        raise SettingsError(
            f"device must be auto, cpu, cuda, cuda:1, xpu or mps, got {device!r}"
        ) from error
    if resolved.type in _ACCELERATORS and not _is_available(resolved.type):
        raise SettingsError(
            f"device {str(device)!r} is not available here; use auto or cpu, "
            "and see `turbolens doctor`"
        )
    return resolved


def unused_card(traces: Iterable[Path] | None = None) -> str | None:
    """What to do where NVIDIA's driver is here and this PyTorch does not run on the card; or none.

    `pip install torch` on Windows brings a PyTorch without CUDA, with which a card lies idle.
    traces: files that tell of the driver.
    """
    if _is_available("cuda") or not any(map(Path.exists, traces or _NVIDIA)):
        return None
    if torch.version.cuda is None:
        return (
            f"an NVIDIA card is here, but PyTorch {torch.__version__} is built without CUDA: "
            "install the one for CUDA, https://pytorch.org/get-started"
        )
    return (
        f"an NVIDIA card is here, but PyTorch {torch.__version__}, built for CUDA "
        f"{torch.version.cuda}, cannot use it: update NVIDIA's driver, or see that the card shows "
        "in nvidia-smi"
    )


def resolve_dtype(dtype: str | torch.dtype, device: torch.device) -> torch.dtype:
    """float16 on an accelerator; on a CPU bfloat16 where it is measured faster, else float32.

    Raises `SettingsError` for a name that is not auto, float32, float16 or bfloat16, and for
    float16 on a CPU, which computes it hundreds of times slower.
    """
    if dtype == "auto":
        return torch.float16 if device.type in _ACCELERATORS else fastest_cpu_dtype()
    resolved = DTYPES.get(dtype) if isinstance(dtype, str) else dtype
    if resolved is None or resolved not in DTYPES.values():
        raise SettingsError(f"dtype must be auto or one of {', '.join(DTYPES)}, got {dtype!r}")
    if resolved == torch.float16 and device.type == "cpu":
        raise SettingsError("dtype float16 is not for the CPU; use auto, bfloat16 or float32")
    return resolved


@lru_cache(maxsize=1)
def fastest_cpu_dtype() -> torch.dtype:
    """bfloat16 or float32, by a measurement of some 10 ms.

    Without the instructions for it bfloat16 is 2 to 4.5 times slower than float32. It must win
    clearly: near a tie float32 is the better picture.
    """
    if not _may_have_bfloat16():
        return torch.float32
    single, half = _convolution_seconds()
    return torch.bfloat16 if half < 0.8 * single else torch.float32


def _is_available(kind: str) -> bool:
    backend = getattr(torch, kind) if kind != "mps" else torch.backends.mps
    return bool(backend.is_available())


def _may_have_bfloat16() -> bool:
    """On x86 torch's own flag; elsewhere only the measurement can tell."""
    flag = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    is_x86 = platform.machine().lower() in ("x86_64", "amd64")
    return bool(flag()) if is_x86 and flag is not None else True


def _convolution_seconds(rounds: int = 8) -> tuple[float, float]:
    """The best times of one 48-channel 3×3 convolution on 64×64 in float32 and bfloat16."""
    times: dict[torch.dtype, list[float]] = {torch.float32: [], torch.bfloat16: []}
    with torch.inference_mode():
        for _ in range(rounds):
            for dtype, seconds in times.items():
                image = torch.ones(1, 48, 64, 64, dtype=dtype)
                weight = torch.ones(48, 48, 3, 3, dtype=dtype)
                start = time.perf_counter()
                torch.nn.functional.conv2d(
                    image.contiguous(memory_format=torch.channels_last), weight, padding=1
                )
                seconds.append(time.perf_counter() - start)
    return min(times[torch.float32]), min(times[torch.bfloat16])
