"""`ControlledCall`: what the control page can do with a call besides its settings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import av

from turbolens.filter import FilterSettings, SettingsError, UnavailableError
from turbolens.pipelines.letterbox import own_copy

from .device_choices import DeviceChoices
from .live_picture import LivePicture, small_jpeg

TILE_WIDTH = 240  # pixels


class PausableFilter(Protocol):
    """The filter of a call, as far as the page needs it."""

    @property
    def settings(self) -> FilterSettings:
        """The settings of the next frame."""
        ...

    @property
    def frozen(self) -> bool:
        """True while the last result is repeated."""
        ...


@runtime_checkable
class SamplingFilter(Protocol):
    """A filter that can filter a frame beside its stream."""

    def sample(self, frame: av.VideoFrame, **changes: Any) -> av.VideoFrame:
        """The frame with other settings. Raises `UnavailableError` while the filter is busy."""
        ...


@dataclass(frozen=True)
class ControlledCall:
    """A running call.

    current: returns the filter in use. toggle_pause: what the key f does. picture: what the call
    sees. looks: those that the page offers.
    """

    current: Callable[[], PausableFilter]
    devices: DeviceChoices
    picture: LivePicture
    looks: Sequence[str]
    toggle_pause: Callable[[], None]

    def state(self) -> dict[str, Any]:
        """What is chosen now, as plain data."""
        return {
            "paused": self.current().frozen,
            "camera": self.devices.camera,
            "virtual_camera": self.devices.virtual_camera,
        }

    def choices(self) -> dict[str, Any]:
        """The devices to choose from, as plain data."""
        listed = {
            "cameras": self.devices.cameras(),
            "virtual_cameras": self.devices.virtual_cameras(),
        }
        return {
            kind: [{"value": value, "label": label} for value, label in found.items()]
            for kind, found in listed.items()
        }

    def change(self, changes: dict[str, Any]) -> None:
        """Change what `state` shows. Raises `SettingsError` and `MediaError`."""
        for name, value in changes.items():
            if name == "paused" and isinstance(value, bool):
                if value != self.current().frozen:
                    self.toggle_pause()
            elif name == "camera" and isinstance(value, str):
                self.devices.choose_camera(value)
            elif name == "virtual_camera" and isinstance(value, str):
                self.devices.choose_virtual_camera(value)
            else:
                raise SettingsError(
                    "a call has paused (true or false), camera and virtual_camera (text),"
                    f" got {name!r}: {value!r}"
                )

    @property
    def tiles(self) -> int:
        """How many looks can be drawn from the camera."""
        return len(self.looks) if isinstance(self.current(), SamplingFilter) else 0

    def tile(self, number: int) -> bytes:
        """The newest camera frame in a look, by its index in `looks`, as JPEG.

        Raises `UnavailableError` while there is no frame, or the filter has no time.
        """
        frame, current = self.devices.source.newest, self.current()
        if frame is None or not isinstance(current, SamplingFilter):
            raise UnavailableError("there is no picture of the camera yet")
        return small_jpeg(current.sample(own_copy(frame), prompt=self.looks[number]), TILE_WIDTH)
