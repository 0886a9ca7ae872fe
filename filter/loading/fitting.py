"""Which of the one-step models this machine can run, and what each needs."""

from dataclasses import dataclass
from typing import Literal

from turbolens.filter.device import resolve_device
from turbolens.filter.errors import ModelNotFoundError

from .catalogue import KnownModel, known_models
from .device_memory import device_memory
from .hub import Hub
from .locating import find_model
from .memory import DeviceMemory, known_model_need

Speed = Literal["live", "slow", "no"]


@dataclass(frozen=True)
class ModelFit:
    """How a known model fits this machine.

    needs_bytes: memory for it here. memory: of the device that it would run on; `None` if unknown.
    speed: live, slow (it fits, but a processor takes seconds for a frame), or no: it does not fit.
    is_here: its files are on this machine.
    """

    model: KnownModel
    needs_bytes: int
    memory: DeviceMemory | None
    on_gpu: bool
    speed: Speed
    is_here: bool


def fitting_models(hub: Hub | None = None) -> list[ModelFit]:
    """The known models that need one step, which is what live video can afford. Imports torch."""
    device = resolve_device("auto")
    hub = hub or Hub()
    return [
        _fit(model, device_memory(device), on_gpu=device.type != "cpu", hub=hub)
        for model in known_models().values()
        if model.steps[0] == 1
    ]


def _fit(model: KnownModel, memory: DeviceMemory | None, *, on_gpu: bool, hub: Hub) -> ModelFit:
    need = known_model_need(model, on_gpu=on_gpu).total
    return ModelFit(
        model, need, memory, on_gpu, speed_of(model, need, memory, on_gpu=on_gpu),
        _is_here(model.name, hub),
    )  # fmt: skip


def speed_of(model: KnownModel, need: int, memory: DeviceMemory | None, *, on_gpu: bool) -> Speed:
    """Whether a model that needs this memory, in bytes, runs on the device."""
    if memory is not None and need > memory.total:
        return "no"
    return "live" if on_gpu or model.is_embedded else "slow"


def _is_here(name: str, hub: Hub) -> bool:
    try:
        find_model(name, hub=hub)
    except ModelNotFoundError:
        return False
    return True
