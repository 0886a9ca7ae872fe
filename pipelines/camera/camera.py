"""`Camera`: a webcam as a live source, by its number, path or a part of its name."""

import errno
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
from .modes import Chosen, Wanted, choose_mode
from .systems import (
    CameraInfo,
    System,
    device_name,
    device_reason,
    named_cameras,
    system,
    ways_to_open,
)

DAMAGED_IN_A_ROW = 60  # frames that cannot be decoded, after which the camera is opened again
NOT_YET = 0.005  # seconds until a camera that has no frame yet is asked again (AVFoundation)
OPENING_TIMEOUT, READING_TIMEOUT = 10.0, 10.0  # seconds, where the system lets itself be stopped
OPENING = (av.FFmpegError, OSError, ValueError)
FINAL = (errno.EBUSY, errno.ENODEV, errno.ENOENT, errno.EACCES, errno.EPERM)
"""What another mode would not mend."""
MICROSECOND = Fraction(1, 1_000_000)


def cameras(*, with_modes: bool = False) -> list[CameraInfo]:
    """The cameras of this machine, the system's first choice first; modes on Linux only."""
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
        asked = v4l2.capability(path)
        if asked is not None and asked.captures:
            modes = tuple(v4l2.modes(path)) if with_modes else ()
            number = int(path.name[5:])
            found.append(CameraInfo(number, asked.card, str(path), asked.is_loopback, modes))
    return found


def find_camera(wanted: str | int | None, known: list[CameraInfo]) -> CameraInfo:
    """The camera of that number, path, or part of a name; none: the first real one.

    Raises `MediaError` where there is none, with those that there are.
    """
    if wanted is None:
        real = [camera for camera in known if not camera.virtual]
        if real:
            return real[0]
        raise MediaError(f"there is no camera here; plug one in, or {_instead()}")
    text = str(wanted)
    for camera in known:
        if text in (str(camera.index), camera.device):
            return camera
    for camera in known:
        if text.lower() in camera.name.lower():
            return camera
    if Path(text).is_absolute():  # perhaps a link, or a device that cannot be asked
        return CameraInfo(-1, text, text)
    here = ", ".join(f"{camera.index}: {camera.name}" for camera in known) or "none"
    raise MediaError(f"there is no camera {text!r}; the cameras here: {here}")


def _instead() -> str:
    return "try it with --camera test-scene or --camera FILE (turbolens devices tells more)"


class Camera:
    """A live source. Opened at once; frames have `pts` in microseconds since the first.

    width, height, rate and pixel_format are what is wanted: the nearest mode that the camera has is
    taken, raw or MJPEG as the rate needs it, and it may still choose another. `backend` "lavfi"
    takes a filter graph of FFmpeg for `device`, in place of a camera. Raises `MediaError` for a
    camera that is not there, is used by another program, is not permitted, or is unplugged.
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
        self._wanted = Wanted(width, height, Fraction(rate).limit_denominator(1001), pixel_format)
        self._container: InputContainer | None = None
        self.damaged = 0
        self.name = str(device)
        self._open()

    @property
    def width(self) -> int:
        """Pixels, as the camera opened."""
        return self._width

    @property
    def height(self) -> int:
        """Pixels, as the camera opened."""
        return self._height

    @property
    def rate(self) -> Fraction:
        """Frames a second that it says it gives."""
        return self._rate

    def _open(self) -> None:
        info, chosen = self._choose()
        self.name = info.name
        if self._device is None:
            self._device = info.name  # opened again, it is this one or none
        container = _open_device(info, chosen, self._backend)
        stream = container.streams.video[0]
        self._container = container
        self._width, self._height = stream.width, stream.height
        self._rate = Fraction(stream.average_rate or stream.base_rate or chosen.rate)

    def _choose(self) -> tuple[CameraInfo, Chosen]:
        if self._backend == "lavfi":
            graph = CameraInfo(0, str(self._device), str(self._device))
            return graph, choose_mode((), self._wanted)
        info = find_camera(self._device, cameras())
        modes = v4l2.modes(Path(info.device)) if self._backend == "v4l2" else []
        return info, choose_mode(modes, self._wanted)

    def __iter__(self) -> Iterator[av.VideoFrame]:
        """Frames as they come. Raises `MediaError` when the camera is gone or gives garbage."""
        if self._container is None:
            self._open()
        assert self._container is not None  # noqa: S101 - opened above
        damaged = 0
        if self._began is None:  # times go on where the camera has been opened again
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
        """Give the camera back and open it anew. Raises `MediaError` while that cannot be."""
        self.close()
        self._open()

    def close(self) -> None:
        """Give the camera back. May be called twice."""
        container, self._container = self._container, None
        if container is not None:
            container.close()


def _decoded(container: InputContainer, name: str) -> Iterator[av.VideoFrame | None]:
    """Frames, and none in place of one that is damaged. Raises `MediaError` for a lost device."""
    stream = container.streams.video[0]
    stream.thread_type = "SLICE"  # threads of frames would each add a frame of delay
    # Raw frames lie in the driver's buffers, which are gone when the device is closed.
    borrowed = stream.codec_context.name in ("rawvideo", "wrapped_avframe")
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.BlockingIOError:
            time.sleep(NOT_YET)
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


def _open_device(info: CameraInfo, chosen: Chosen, backend: System) -> InputContainer:
    """The device in the mode chosen, or as near to it as it lets itself be opened."""
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
