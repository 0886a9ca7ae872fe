"""Frame in, frame out: the filter, its settings and its models."""

from .errors import (
    FrameError,
    MediaError,
    ModelError,
    ModelNotFoundError,
    SettingsError,
    TurbolensError,
    UnsupportedModelError,
)
from .framefilter import FrameFilter
from .model import TurboModel
from .settings import FilterSettings

__all__ = [
    "FilterSettings",
    "FrameError",
    "FrameFilter",
    "MediaError",
    "ModelError",
    "ModelNotFoundError",
    "SettingsError",
    "TurboModel",
    "TurbolensError",
    "UnsupportedModelError",
]
