"""Where frames come from and go to; the command; the server."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .camera.camera import Camera
    from .camera.virtual_camera import VirtualCamera
    from .live.options import RunOptions
    from .live.running import run
    from .statistics import Stats

__all__ = ["Camera", "RunOptions", "Stats", "VirtualCamera", "run"]

_PLACES = {
    "Camera": "camera.camera",
    "RunOptions": "live.options",
    "Stats": "statistics",
    "VirtualCamera": "camera.virtual_camera",
    "run": "live.running",
}
"""Each is imported on use: the command must not wait for them. No module may be named `run`, since
importing it would put the module in the place of the function."""


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    globals()[name] = value
    return value
