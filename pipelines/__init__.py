"""Where frames come from and go to: cameras, files, streams, browsers; the command; the server.

Each folder is a room for one use. Start with `base.py`, the protocols `Source` and `Sink`, then
with `live/running.py` for live video or `video/job.py` for files. Imports `turbolens.filter`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .camera.camera import Camera
    from .camera.virtual_camera import VirtualCamera
    from .live.options import RunOptions
    from .live.running import run
    from .scene.camera import FileCamera, SceneCamera
    from .scene.frames import TestScene
    from .statistics import Stats
    from .video.job import VideoOptions, filter_video
    from .video.report import Progress

__all__ = [
    "Camera",
    "FileCamera",
    "Progress",
    "RunOptions",
    "SceneCamera",
    "Stats",
    "TestScene",
    "VideoOptions",
    "VirtualCamera",
    "filter_video",
    "run",
]

_MODULES = {
    "Camera": "camera.camera",
    "FileCamera": "scene.camera",
    "Progress": "video.report",
    "RunOptions": "live.options",
    "SceneCamera": "scene.camera",
    "Stats": "statistics",
    "TestScene": "scene.frames",
    "VideoOptions": "video.job",
    "VirtualCamera": "camera.virtual_camera",
    "filter_video": "video.job",
    "run": "live.running",
}
"""The module of each public name. It is imported on first use, so that the command starts fast. No
module may be named `run`: importing it would replace the function."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
