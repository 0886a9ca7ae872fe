"""WebRTC: tracks for your own peer connection, and a server with a page, WHIP and WHEP.

Start with `server/app.py` for the server, or with `media/tracks.py` for the tracks. The order of
the rooms is `server` and `client`, `control`, `peer`, `media`: each imports only rooms after it,
and `limits.py`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .limits import Limits
from .server.options import ServerOptions

if TYPE_CHECKING:
    from .media.audio import DelayedTrack
    from .media.batching import FrameBatcher
    from .media.relay import Relay
    from .media.tracks import FilteredTrack
    from .server.app import create_app
    from .server.remote_control import RemoteControl, create_control_app

__all__ = [
    "DelayedTrack",
    "FilteredTrack",
    "FrameBatcher",
    "Limits",
    "Relay",
    "RemoteControl",
    "ServerOptions",
    "create_app",
    "create_control_app",
]

_LOADED_ON_USE = {
    "DelayedTrack": "media.audio",
    "FilteredTrack": "media.tracks",
    "FrameBatcher": "media.batching",
    "Relay": "media.relay",
    "RemoteControl": "server.remote_control",
    "create_app": "server.app",
    "create_control_app": "server.remote_control",
}
"""Imported on first use: they load aiortc or aiohttp, which most commands do not need."""


def __getattr__(name: str) -> Any:
    if name not in _LOADED_ON_USE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_LOADED_ON_USE[name]}"), name)
    globals()[name] = value
    return value
