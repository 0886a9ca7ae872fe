"""Which other ways to run a model are tried on which device."""

from importlib.util import find_spec

import torch

from turbolens.filter.choices import ACCELERATIONS
from turbolens.filter.errors import SettingsError

from .compiled import Compiled
from .graphs import CudaGraphs
from .openvino_runtime import OpenVino
from .trial import Backend


def backends_for(acceleration: str, device: torch.device, dtype: torch.dtype) -> list[Backend]:
    """The ways to try, the quickest to prepare first.

    auto: on CUDA graphs at once and compiled code when it is ready; on a CPU OpenVINO, where it is
    installed; elsewhere none. Raises `SettingsError` for what is not known or not to be had here.
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
        return [CudaGraphs(), Compiled()]
    if device.type == "cpu" and _is_installed("openvino"):
        return [OpenVino(dtype)]
    return []


def _require(device: torch.device, kind: str, acceleration: str) -> None:
    if device.type != kind:
        raise SettingsError(
            f"acceleration {acceleration} needs device {kind}, got {device}; use auto"
        )


def _is_installed(package: str) -> bool:
    return find_spec(package) is not None
