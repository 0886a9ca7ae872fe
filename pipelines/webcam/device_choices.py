"""`DeviceChoices`: the camera and the virtual camera of a running call, to be changed live."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any, TypeAlias

from turbolens.filter import MediaError, SettingsError
from turbolens.pipelines.base import Notify
from turbolens.pipelines.camera import v4l2
from turbolens.pipelines.camera.camera import cameras
from turbolens.pipelines.camera.pipewire import daemon
from turbolens.pipelines.camera.pipewire.sink import PipeWireCamera
from turbolens.pipelines.camera.virtual_camera import VirtualCamera
from turbolens.pipelines.live.switching import SwitchableSink, SwitchableSource

from .devices import NONE, PIPEWIRE, open_source, open_virtual_camera
from .options import WebcamOptions

DEFAULT, SCENE = "default", "test-scene"
Choices: TypeAlias = dict[str, str]  # what the options call a device → the name to show


class DeviceChoices:
    """Lists the devices and changes them. A device that cannot be used changes nothing.

    notify: takes a line for the user. All methods may be called from any thread; a change takes
    until the new device is open.
    """

    def __init__(
        self,
        options: WebcamOptions,
        source: SwitchableSource,
        sink: SwitchableSink,
        *,
        notify: Notify,
    ) -> None:
        self._options, self._notify = options, notify
        self.source, self._sink = source, sink
        self._lock = Lock()
        self._camera = self._first_camera()
        self._file = self._camera if Path(self._camera).is_file() else None

    @property
    def camera(self) -> str:
        """The camera in use, one of `cameras`."""
        return self._camera

    @property
    def virtual_camera(self) -> str:
        """The virtual camera in use, one of `virtual_cameras`."""
        sink = self._sink.current
        if sink is None:
            return NONE
        if isinstance(sink, PipeWireCamera):
            return PIPEWIRE
        device = sink.device if isinstance(sink, VirtualCamera) else None
        return device if device is not None and sys.platform == "linux" else DEFAULT

    def cameras(self) -> Choices:
        """The cameras to choose from."""
        found = {
            camera.device: camera.name for camera in cameras()
            if not camera.virtual or camera.device == self._camera
        }  # fmt: skip
        found.setdefault(self._camera, self.source.name)
        if self._file is not None:
            found.setdefault(self._file, Path(self._file).name)
        return {**found, SCENE: "Test scene"}

    def virtual_cameras(self) -> Choices:
        """The virtual cameras to choose from."""
        found = _loopback_devices() if sys.platform == "linux" else {DEFAULT: "Virtual camera"}
        if daemon.is_running():
            found[PIPEWIRE] = "PipeWire camera"
        current = self.virtual_camera
        if current != NONE:
            found.setdefault(current, self._sink.name)
        return {**found, NONE: "None"}

    def choose_camera(self, value: str) -> None:
        """Use this camera. Raises `SettingsError` if it is not listed, `MediaError` if it fails."""

        def change() -> None:
            self.source.switch(open_source(replace(self._options, camera=value)))
            self._camera = value

        self._choose("camera", value, self.cameras, current=lambda: self.camera, change=change)

    def choose_virtual_camera(self, value: str) -> None:
        """Show the result there. Raises the same errors."""

        def change() -> None:
            name = None if value == DEFAULT else value
            options = replace(self._options, virtual_camera=name)
            self._sink.switch(open_virtual_camera(options, self.source))

        self._choose(
            "virtual camera", value, self.virtual_cameras,
            current=lambda: self.virtual_camera, change=change,
        )  # fmt: skip

    def _choose(
        self,
        kind: str,
        value: str,
        choices: Callable[[], Choices],
        *,
        current: Callable[[], str],
        change: Callable[[], None],
    ) -> None:
        with self._lock:
            known = choices()
            if value not in known:
                raise SettingsError(f"there is no {kind} {value!r}; known: {', '.join(known)}")
            if value == current():
                return
            try:
                change()
            except Exception as error:
                line = f"{known[value]} cannot be used ({error}); the {kind} stays as it was"
                self._notify(line)
                raise MediaError(line) from error
            self._notify(f"{kind}: {known[value]}")

    def _first_camera(self) -> str:
        """What `cameras` calls the camera that the call began with."""
        name = self._options.camera
        if name is not None and (name == SCENE or Path(name).is_file()):
            return name
        shown: Any = self.source.name
        return next((camera.device for camera in cameras() if camera.name == shown), str(shown))


def _loopback_devices() -> Choices:
    capabilities = {str(path): v4l2.capability(path) for path in v4l2.devices()}
    return {
        path: found.card for path, found in capabilities.items()
        if found is not None and found.is_loopback
    }  # fmt: skip
