"""Which other ways to run a model are tried on which device."""

from importlib.util import find_spec

import torch

from turbolens.filter.errors import SettingsError
from turbolens.filter.settings import ACCELERATIONS

from .compiled import Compiled
from .float8 import Float8
from .graphs import CudaGraphs
from .openvino_runtime import OpenVino
from .trial import Backend

_FLOAT8_SINCE = (8, 9)  # compute capability


def backends_for(acceleration: str, device: torch.device, dtype: torch.dtype) -> list[Backend]:
    """The ways to try, the quickest to prepare first.

    auto: on CUDA graphs at once, compiled code when it is ready, and then float8 where the GPU has
    it and half precision was chosen; on a CPU OpenVINO, where it is installed; elsewhere none.
    fp8: compiled code too, for all that is not in float8. Raises `SettingsError` for what is not
    known or not to be had here.
    """
    if acceleration == "auto":
        return _automatic(device, dtype)
    if acceleration == "none":
        return []
    if acceleration == "compile":
        return [Compiled()]
    if acceleration == "cuda-graphs":
        _require(device, "cuda", acceleration)
        return [CudaGraphs()]
    if acceleration == "fp8":
        if (lacking := _lacks_float8(device)) is not None:
            raise SettingsError(
                "acceleration fp8 needs an NVIDIA GPU of compute capability 8.9 or newer "
                f"(RTX 40, H100), got {lacking}; use auto"
            )
        return [Compiled(), Float8()]
    if acceleration == "openvino":
        _require(device, "cpu", acceleration)
        if not _is_installed("openvino"):
            raise SettingsError(
                "acceleration openvino needs OpenVINO, which is not installed: "
                "pip install 'turbolens[openvino]'"
            )
        return [OpenVino(dtype)]
    raise SettingsError(
        f"acceleration must be one of {', '.join(ACCELERATIONS)}, got {acceleration!r}"
    )


def _automatic(device: torch.device, dtype: torch.dtype) -> list[Backend]:
    if device.type == "cuda":
        coarse = [Float8()] if dtype != torch.float32 and _lacks_float8(device) is None else []
        return [CudaGraphs(), Compiled(), *coarse]
    if device.type == "cpu" and _is_installed("openvino"):
        return [OpenVino(dtype)]
    return []


def _require(device: torch.device, kind: str, acceleration: str) -> None:
    if device.type != kind:
        raise SettingsError(
            f"acceleration {acceleration} needs device {kind}, got {device}; use auto"
        )


def _lacks_float8(device: torch.device) -> str | None:
    """What is here in place of a device with float8 products; none where there is one."""
    if device.type != "cuda":
        return f"device {device}"
    name = torch.cuda.get_device_name(device)
    if torch.version.cuda is None:  # ROCm's devices are called cuda too
        return name
    major, minor = torch.cuda.get_device_capability(device)
    return None if (major, minor) >= _FLOAT8_SINCE else f"{name} ({major}.{minor})"


def _is_installed(package: str) -> bool:
    return find_spec(package) is not None
