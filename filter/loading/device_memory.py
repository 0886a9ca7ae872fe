"""The memory that a device has, and whether a model fits into it."""

import os
from pathlib import Path

import torch

from .catalogue import known_models
from .locating import ModelParts
from .memory import Room, check_room, need_of_known, need_of_parts


def check_memory(parts: ModelParts, device: torch.device, dtype: torch.dtype) -> None:
    """That the model fits on the device, before it is loaded; nothing where that cannot be known.

    Raises `NotEnoughMemoryError`.
    """
    on_gpu = device.type != "cpu"
    bytes_each = torch.finfo(dtype).bits // 8 if on_gpu else 4
    room = room_of(device)
    need = need_of_parts(parts, bytes_each=bytes_each, on_gpu=on_gpu)
    if room is None or need is None or need.total <= room.free:
        return
    others = (
        (model.name, need_of_known(model, on_gpu=on_gpu)) for model in known_models().values()
    )
    fitting = [other for other, wanted in others if wanted.total <= room.free]
    check_room(parts.name, need, room, [each for each in fitting if each != parts.name])


def room_of(device: torch.device) -> Room | None:
    """The memory of the device; none where it cannot be known."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return Room(torch.cuda.get_device_name(device), total, free)
    if device.type == "xpu":
        total = torch.xpu.get_device_properties(device).total_memory
        return Room(torch.xpu.get_device_name(device), total, total)
    return _machine_room(device.type)


def _machine_room(device: str) -> Room | None:
    """The machine's own memory, which CPUs and Apple's GPUs use."""
    names = getattr(os, "sysconf_names", {})
    if "SC_PHYS_PAGES" not in names:
        return None
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    meminfo = Path("/proc/meminfo")
    if not meminfo.is_file():
        return Room(f"this machine ({device})", total, total)
    lines = (line.split(":") for line in meminfo.read_text(encoding="ascii").splitlines())
    available = dict(lines).get("MemAvailable", "")
    free = int(available.split()[0]) * 1024 if available else total
    return Room(f"this machine ({device})", total, free)
