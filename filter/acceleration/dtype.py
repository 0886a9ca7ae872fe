"""From "auto" or a name to the dtype that a model runs in. Resolved once, at loading."""

import platform
from functools import lru_cache
from time import perf_counter

import torch

from turbolens.filter.device import GPUS
from turbolens.filter.errors import SettingsError

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def resolve_dtype(dtype: str | torch.dtype, device: torch.device) -> torch.dtype:
    """The named dtype. "auto" is float16 on a GPU and the faster of bfloat16 and float32 on a CPU.

    Raises `SettingsError` for any other name, and for float16 on a CPU, where it is hundreds of
    times slower.
    """
    if dtype == "auto":
        return torch.float16 if device.type in GPUS else fastest_cpu_dtype()
    resolved = DTYPES.get(dtype) if isinstance(dtype, str) else dtype
    if resolved is None or resolved not in DTYPES.values():
        raise SettingsError(f"dtype must be auto or one of {', '.join(DTYPES)}, got {dtype!r}")
    if resolved == torch.float16 and device.type == "cpu":
        raise SettingsError("dtype float16 is not for the CPU; use auto, bfloat16 or float32")
    return resolved


@lru_cache(maxsize=1)
def fastest_cpu_dtype() -> torch.dtype:
    """bfloat16 or float32, measured in about 10 ms.

    On CPUs without instructions for it, bfloat16 is 2 to 4.5 times slower than float32. It has to
    be clearly faster, because float32 gives the better image.
    """
    if not _may_support_bfloat16():
        return torch.float32
    float32_s, bfloat16_s = _convolution_seconds()
    return torch.bfloat16 if bfloat16_s < 0.8 * float32_s else torch.float32


def _may_support_bfloat16() -> bool:
    """torch's own flag on x86. Other processors have none, so that only measuring tells."""
    flag = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    is_x86 = platform.machine().lower() in ("x86_64", "amd64")
    return bool(flag()) if is_x86 and flag is not None else True


def _convolution_seconds(rounds: int = 8) -> tuple[float, float]:
    """The best times of a 48-channel 3×3 convolution on 64×64 in float32 and in bfloat16."""
    times: dict[torch.dtype, list[float]] = {torch.float32: [], torch.bfloat16: []}
    with torch.inference_mode():
        for _ in range(rounds):
            for dtype, seconds in times.items():
                image = torch.ones(1, 48, 64, 64, dtype=dtype)
                weight = torch.ones(48, 48, 3, 3, dtype=dtype)
                start = perf_counter()
                torch.nn.functional.conv2d(
                    image.contiguous(memory_format=torch.channels_last), weight, padding=1
                )
                seconds.append(perf_counter() - start)
    return min(times[torch.float32]), min(times[torch.bfloat16])
