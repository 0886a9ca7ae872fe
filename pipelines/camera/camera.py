"""`Camera`: a webcam as a live source, found by its number, path or a part of its name."""

import errno
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer

from turbolens.filter.errors import MediaError
from turbolens.pipelines.letterbox import own_copy

from . import v4l2
from .modes import ChosenMode, WantedMode, choose_mode
from .systems import (
    CameraInfo,
    System,
    device_name,
    device_reason,
    named_cameras,
    system,
    ways_to_open,
)

DAMAGED_IN_A_ROW = 60  # damaged frames after which the camera is opened again
RETRY_AFTER = 0.005  # seconds until a camera without a new frame is read again (AVFoundation)
OPENING_TIMEOUT, READING_TIMEOUT = 10.0, 10.0  # seconds; not every system obeys them
OPENING = (av.FFmpegError, OSError, ValueError)
FINAL = (errno.EBUSY, errno.ENODEV, errno.ENOENT, errno.EACCES, errno.EPERM)
"""Errors that opening with another mode would not solve."""
MICROSECOND = Fraction(1, 1_000_000)


def cameras(*, with_modes: bool = False) -> list[CameraInfo]:
    """The cameras of this machine, the system's default first. Modes are known on Linux only."""
    if system() == "v4l2":
        return _linux_cameras(with_modes)
    try:
        found = av.enumerate_input_devices(system())
    except (av.FFmpegError, ValueError, OSError):
        return []
    return named_cameras(found)


def _linux_cameras(with_modes: bool) -> list[CameraInfo]:
    found = []
    for path in v4l2.devices():
        device = v4l2.capability(path)
        if device is not None and device.captures:
            modes = tuple(v4l2.modes(path)) if with_modes else ()
            number = int(path.name[5:])
            found.append(CameraInfo(number, device.card, str(path), device.is_loopback, modes))
    return found


def find_camera(wanted: str | int | None, known: list[CameraInfo]) -> CameraInfo:
    """The camera with this number, path, or part of the name. `None`: the first real camera.

    Raises `MediaError` with the list of cameras if there is no such camera.
    """
    if wanted is None:
        real = [camera for camera in known if not camera.virtual]
        if real:
            return real[0]
        raise MediaError(
            forbidden_devices() or f"there is no camera here; plug one in, or {_instead()}"
        )
    text = str(wanted)
    for camera in known:
        if text in (str(camera.index), camera.device):
            return camera
    for camera in known:
        if text.lower() in camera.name.lower():
            return camera
    if Path(text).is_absolute():  # perhaps a link, or a device that cannot be queried
        return CameraInfo(-1, text, text)
    here = ", ".join(f"{camera.index}: {camera.name}" for camera in known) or "none"
    denied = "" if known else forbidden_devices()
    raise MediaError(f"there is no camera {text!r}; {denied or f'the cameras here: {here}'}")


def forbidden_devices() -> str:
    """Why devices that are there are not listed, and what to do; empty if there are none."""
    if sys.platform != "linux" or not (paths := v4l2.forbidden()):
        return ""
    error = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return f"{', '.join(map(str, paths))} cannot be opened: {device_reason(error)}"


def _instead() -> str:
    return "try --camera test-scene or --camera FILE (turbolens devices lists cameras)"


class Camera:
    """A camera as a live source. It is opened at once.

    device: number, path, or part of the name; `None` is the first camera. width and height in
    pixels, rate in frames per second, and pixel_format (FFmpeg's name) are requests: the camera is
    opened in its nearest mode, see `width`, `height` and `rate` for the result. backend: FFmpeg's
    input format; with "lavfi", `device` is an FFmpeg filter graph in place of a camera. Frames have
    a `pts` in microseconds since the first one.

    Raises `MediaError` if the camera does not exist, is in use by another program, may not be used,
    or was unplugged.
    """

    live = True
    _began: float | None = None

    def __init__(
        self,
        device: str | int | None = None,
        *,
        width: int = 1280,
        height: int = 720,
        rate: float | Fraction = 30,
        pixel_format: str | None = None,
        backend: System | None = None,
    ) -> None:
        self._device, self._backend = device, backend or system()
        self._wanted = WantedMode(
            width, height, Fraction(rate).limit_denominator(1001), pixel_format
        )
        self._container: InputContainer | None = None
        self.damaged = 0
        self.name = str(device)
        self._open()

    @property
    def width(self) -> int:
        """The actual size in pixels."""
        return self._width

    @property
    def height(self) -> int:
        """The actual size in pixels."""
        return self._height

    @property
    def rate(self) -> Fraction:
        """Frames per second, according to the camera."""
        return self._rate

    def _open(self) -> None:
        info, chosen = self._choose()
        self.name = info.name
        if self._device is None:
            self._device = info.name  # reopen this camera, and no other
        container = _open_device(info, chosen, self._backend)
        stream = container.streams.video[0]
        self._container = container
        self._width, self._height = stream.width, stream.height
        self._rate = Fraction(stream.average_rate or stream.base_rate or chosen.rate)

    def _choose(self) -> tuple[CameraInfo, ChosenMode]:
        if self._backend == "lavfi":
            graph = CameraInfo(0, str(self._device), str(self._device))
            return graph, choose_mode((), self._wanted)
        info = find_camera(self._device, cameras())
        modes = v4l2.modes(Path(info.device)) if self._backend == "v4l2" else []
        return info, choose_mode(modes, self._wanted)

    def __iter__(self) -> Iterator[av.VideoFrame]:
        """The frames as they arrive. Raises `MediaError` if the camera is lost or sends garbage."""
        if self._container is None:
            self._open()
        assert self._container is not None  # noqa: S101 - opened above
        damaged = 0
        if self._began is None:  # times continue after the camera was reopened
            self._began = time.monotonic()
        for frame in _decoded(self._container, self.name):
            if frame is None:
                self.damaged += 1
                damaged += 1
                if damaged >= DAMAGED_IN_A_ROW:
                    raise MediaError(f"{self.name} has given {damaged} damaged frames in a row")
                continue
            damaged = 0
            frame.pts, frame.time_base = round((time.monotonic() - self._began) * 1e6), MICROSECOND
            yield frame
        raise MediaError(f"{self.name} gives no more frames")

    def reopen(self) -> None:
        """Close the camera and open it again. Raises `MediaError` if it cannot be opened yet."""
        self.close()
        self._open()

    def close(self) -> None:
        """Close the camera. May be called twice."""
        container, self._container = self._container, None
        if container is not None:
            container.close()


def _decoded(container: InputContainer, name: str) -> Iterator[av.VideoFrame | None]:
    """The frames, with `None` for a damaged one. Raises `MediaError` if the device is lost."""
    stream = container.streams.video[0]
    stream.thread_type = "SLICE"  # frame threads would add a frame of latency each
    # Raw frames are in the driver's buffers, which are unmapped when the device is closed.
    borrowed = stream.codec_context.name in ("rawvideo", "wrapped_avframe")
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.BlockingIOError:
            time.sleep(RETRY_AFTER)
            packets = container.demux(stream)
            continue
        except (av.FFmpegError, OSError) as error:
            raise MediaError(f"{name}: {device_reason(error)}") from error
        for frame in _frames_of(packet):
            yield own_copy(frame) if borrowed and frame is not None else frame


def _frames_of(packet: Any) -> Iterator[av.VideoFrame | None]:
    if not packet.size:
        return
    try:
        frames = packet.decode()
    except av.FFmpegError:
        yield None
        return
    for frame in frames:
        yield None if frame.is_corrupt else frame


def _open_device(info: CameraInfo, chosen: ChosenMode, backend: System) -> InputContainer:
    """Open the device in the chosen mode, or with fewer requirements if it refuses."""
    name = device_name(info, backend)
    ways = ways_to_open(chosen, backend)
    try:
        return _opened(name, backend, ways[0])
    except OPENING as error:
        refused = error
    if getattr(refused, "errno", None) not in FINAL:
        for options in ways[1:]:
            with suppress(*OPENING):
                return _opened(name, backend, options)
    text = f"cannot open the camera {info.name}: {device_reason(refused)}"
    raise MediaError(text) from refused


def _opened(name: str, backend: System, options: dict[str, str]) -> InputContainer:
    limits = OPENING_TIMEOUT, READING_TIMEOUT
    return av.open(name, format=backend, options=options, timeout=limits)
