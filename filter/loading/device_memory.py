"""The memory of a device, and a check that a model fits into it."""

import os
from pathlib import Path

import torch

from .catalogue import known_models
from .locating import ModelParts
from .memory import DeviceMemory, check_fits, known_model_need, parts_need


def check_memory(parts: ModelParts, device: torch.device, dtype: torch.dtype) -> None:
    """Raise `NotEnoughMemoryError` if the model does not fit on the device. Loads nothing.

    Does nothing if either size is unknown.
    """
    on_gpu = device.type != "cpu"
    bytes_each = torch.finfo(dtype).bits // 8 if on_gpu else 4
    memory = device_memory(device)
    need = parts_need(parts, bytes_each=bytes_each, on_gpu=on_gpu)
    if memory is None or need is None or need.total <= memory.free:
        return
    others = (
        (model.name, known_model_need(model, on_gpu=on_gpu)) for model in known_models().values()
    )
    fitting = [other for other, wanted in others if wanted.total <= memory.free]
    check_fits(parts.name, need, memory, [each for each in fitting if each != parts.name])


def device_memory(device: torch.device) -> DeviceMemory | None:
    """The memory of the device; `None` if unknown."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return DeviceMemory(torch.cuda.get_device_name(device), total, free)
    if device.type == "xpu":
        total = torch.xpu.get_device_properties(device).total_memory
        return DeviceMemory(torch.xpu.get_device_name(device), total, total)
    return _main_memory(device.type)


def _main_memory(device: str) -> DeviceMemory | None:
    """The main memory, which CPUs and Apple's GPUs use."""
    names = getattr(os, "sysconf_names", {})
    if "SC_PHYS_PAGES" not in names:
        return None
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    meminfo = Path("/proc/meminfo")
    if not meminfo.is_file():
        return DeviceMemory(f"this machine ({device})", total, total)
    lines = (line.split(":") for line in meminfo.read_text(encoding="ascii").splitlines())
    available = dict(lines).get("MemAvailable", "")
    free = int(available.split()[0]) * 1024 if available else total
    return DeviceMemory(f"this machine ({device})", total, free)
