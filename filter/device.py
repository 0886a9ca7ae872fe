"""From "auto" or a name to the torch device that a model runs on. Resolved once, at loading."""

import torch

from .errors import SettingsError

GPUS = ("cuda", "xpu", "mps")
"""The types of GPU devices, in the order in which "auto" prefers them."""


def resolve_device(device: str | torch.device = "auto") -> torch.device:
    """The named device. "auto" is the first available of CUDA, XPU and MPS, else the CPU.

    Raises `SettingsError` if torch does not know the name or the device is not available.
    """
    if device == "auto":
        return torch.device(next(filter(is_available, GPUS), "cpu"))
    try:
        resolved = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise SettingsError(
            f"device must be auto, cpu, cuda, cuda:1, xpu or mps, got {device!r}"
        ) from error
    if resolved.type in GPUS and not is_available(resolved.type):
        raise SettingsError(
            f"device {str(device)!r} is not available here; use auto or cpu, "
            "and see `turbolens doctor`"
        )
    return resolved


def is_available(device_type: str) -> bool:
    """True if torch can use a GPU of this type, one of `GPUS`."""
    backend = getattr(torch, device_type) if device_type != "mps" else torch.backends.mps
    return bool(backend.is_available())
