"""Frame in, frame out: the filter, its settings and its models.

Start with `framefilter.py`: `FrameFilter` filters the frames of one stream. `batching/batch.py`
takes frames through all stages and `denoising.py` through the UNet. `stream.py` is the state of a
stream, `model.py` the networks, `settings.py` the settings. Below them are the rooms `adapters`,
`region`, `acceleration`, `coherence`, `loading`, `surface`, `diffusion` and `frames`, in the order
of imports. The room `training` made the embedded weights. Nothing here imports
`turbolens.pipelines`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import (
    DownloadError,
    FrameError,
    LicenceError,
    MediaError,
    ModelError,
    ModelNotFoundError,
    NameTakenError,
    NoSuchSessionError,
    NotEnoughMemoryError,
    OfferError,
    PeerError,
    SettingsError,
    TurbolensError,
    UnavailableError,
    UnsupportedModelError,
    UnsupportedOfferError,
)

if TYPE_CHECKING:
    from .framefilter import FrameFilter, filter_together
    from .model import TurboModel
    from .settings import FilterSettings
    from .surface.shift import TextureShift, TextureStep

__all__ = [
    "DownloadError",
    "FilterSettings",
    "FrameError",
    "FrameFilter",
    "LicenceError",
    "MediaError",
    "ModelError",
    "ModelNotFoundError",
    "NameTakenError",
    "NoSuchSessionError",
    "NotEnoughMemoryError",
    "OfferError",
    "PeerError",
    "SettingsError",
    "TextureShift",
    "TextureStep",
    "TurboModel",
    "TurbolensError",
    "UnavailableError",
    "UnsupportedModelError",
    "UnsupportedOfferError",
    "filter_together",
]

_LOADED_ON_USE = {
    "FilterSettings": "settings",
    "FrameFilter": "framefilter",
    "TextureShift": "surface.shift",
    "TextureStep": "surface.shift",
    "TurboModel": "model",
    "filter_together": "framefilter",
}
"""Imported when first used: they import pydantic or torch, for which `turbolens --help` must
not wait."""


def __getattr__(name: str) -> Any:
    if name not in _LOADED_ON_USE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_LOADED_ON_USE[name]}"), name)
    globals()[name] = value
    return value
