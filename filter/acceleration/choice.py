"""Which backends are tried on which device."""

from importlib.util import find_spec

import torch

from turbolens.filter.errors import SettingsError
from turbolens.filter.settings import ACCELERATIONS

from .backend import Backend
from .compiled import Compiled
from .float8 import Float8
from .graphs import CudaGraphs
from .openvino.int8 import Int8
from .openvino.processor import has_fast_int8
from .openvino.runtime import OpenVino

_FLOAT8_CAPABILITY = (8, 9)


def backends_for(
    acceleration: str, device: torch.device, dtype: torch.dtype, *, calibrated: bool = False
) -> list[Backend]:
    """The backends to try, the quickest to prepare first.

    "auto" on CUDA: graphs at once, compiled code when it is ready, then float8 if the GPU has it
    and the model is in half precision. On a CPU: OpenVINO, if installed, then INT8 if the processor
    has fast 8-bit products and the model is calibrated; in bfloat16 then INT8 alone, because
    PyTorch is as fast as OpenVINO in that format. Elsewhere: none. "fp8" is compiled code,
    too, where float8 does not apply, and "int8" is OpenVINO, too. calibrated: the model has
    activation ranges. Raises `SettingsError` for unknown names and for what is not available here.
    """
    match acceleration:
        case "auto":
            return _automatic(device, dtype, calibrated)
        case "none":
            return []
        case "compile":
            return [Compiled()]
        case "cuda-graphs":
            _require_device(device, "cuda", acceleration)
            return [CudaGraphs()]
        case "fp8":
            _require_float8(device)
            return [Compiled(), Float8()]
        case "openvino" | "int8":
            _require_openvino(device, acceleration)
            if acceleration == "int8":
                _require_calibrated(calibrated)
            return [OpenVino(dtype), *([Int8(dtype)] if acceleration == "int8" else [])]
    raise SettingsError(
        f"acceleration must be one of {', '.join(ACCELERATIONS)}, got {acceleration!r}"
    )


def _automatic(device: torch.device, dtype: torch.dtype, calibrated: bool) -> list[Backend]:
    if device.type == "cuda":
        has_float8 = dtype != torch.float32 and _gpu_without_float8(device) is None
        return [CudaGraphs(), Compiled(), *([Float8()] if has_float8 else [])]
    if device.type == "cpu" and _is_installed("openvino"):
        if not (calibrated and has_fast_int8()):
            return [OpenVino(dtype)]
        return [Int8(dtype)] if dtype == torch.bfloat16 else [OpenVino(dtype), Int8(dtype)]
    return []


def _require_device(device: torch.device, device_type: str, acceleration: str) -> None:
    if device.type != device_type:
        raise SettingsError(
            f"acceleration {acceleration} needs device {device_type}, got {device}; use auto"
        )


def _require_float8(device: torch.device) -> None:
    if (found := _gpu_without_float8(device)) is not None:
        raise SettingsError(
            "acceleration fp8 needs an NVIDIA GPU of compute capability 8.9 or newer "
            f"(RTX 40, H100), got {found}; use auto"
        )


def _require_openvino(device: torch.device, acceleration: str) -> None:
    _require_device(device, "cpu", acceleration)
    if not _is_installed("openvino"):
        raise SettingsError(
            f"acceleration {acceleration} needs OpenVINO, which is not installed: "
            "pip install openvino (for Linux on x86-64 and arm64, Windows on x86-64, macOS on "
            "arm64), or use auto"
        )


def _require_calibrated(calibrated: bool) -> None:
    if not calibrated:
        raise SettingsError(
            "acceleration int8 needs activation ranges, which this model has not: "
            "`turbolens train quantise MODEL --data FOLDER` makes them for a folder; or use auto"
        )


def _gpu_without_float8(device: torch.device) -> str | None:
    """The name of a device without float8 products, or `None` if the device has them."""
    if device.type != "cuda":
        return f"device {device}"
    name = torch.cuda.get_device_name(device)
    if torch.version.cuda is None:  # ROCm devices are called cuda, too
        return name
    major, minor = torch.cuda.get_device_capability(device)
    return None if (major, minor) >= _FLOAT8_CAPABILITY else f"{name} ({major}.{minor})"


def _is_installed(package: str) -> bool:
    return find_spec(package) is not None
