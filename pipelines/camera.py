"""`Camera`: a webcam as a live source, by its number, path or a part of its name."""

import errno
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
from av.container import InputContainer

from turbolens.filter.errors import MediaError

from . import v4l2
from .camera_modes import Chosen, Wanted, choose_mode
from .fitting import own_copy
from .media_errors import reason
from .v4l2 import Mode

System = Literal["v4l2", "avfoundation", "dshow", "lavfi"]

DAMAGED_IN_A_ROW = 60  # frames that cannot be decoded, after which the camera is opened again
NOT_YET = 0.005  # seconds until a camera that has no frame yet is asked again (AVFoundation)
OPENING_TIMEOUT, READING_TIMEOUT = 10.0, 10.0  # seconds, where the system lets itself be stopped
OPENING = (av.FFmpegError, OSError, ValueError)
FINAL = (errno.EBUSY, errno.ENODEV, errno.ENOENT, errno.EACCES, errno.EPERM)
"""What another mode would not mend."""
MICROSECOND = Fraction(1, 1_000_000)


@dataclass(frozen=True)
class CameraInfo:
    """One camera of this machine. device: what to open; virtual: other programs write it."""

    index: int
    name: str
    device: str
    virtual: bool = False
    modes: tuple[Mode, ...] = field(default=(), compare=False)


def system() -> System:
    """FFmpeg's way to the cameras here."""
    return {"darwin": "avfoundation", "win32": "dshow"}.get(sys.platform, "v4l2")  # type: ignore[return-value]


def cameras(*, with_modes: bool = False) -> list[CameraInfo]:
    """The cameras of this machine, the system's first choice first; modes on Linux only."""
    if system() == "v4l2":
        return _linux_cameras(with_modes)
    try:
        found = av.enumerate_input_devices(system())
    except (av.FFmpegError, ValueError, OSError):
        return []
    named = [device for device in found if "video" in device.media_types]
    return [
        CameraInfo(index, device.description, device.name, virtual="virtual" in device.description)
        for index, device in enumerate(sorted(named, key=lambda device: not device.is_default))
    ]


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
        began = time.monotonic()
        for frame in _decoded(self._container, self.name):
            if frame is None:
                self.damaged += 1
                damaged += 1
                if damaged >= DAMAGED_IN_A_ROW:
                    raise MediaError(f"{self.name} has given {damaged} damaged frames in a row")
                continue
            damaged = 0
            frame.pts, frame.time_base = round((time.monotonic() - began) * 1e6), MICROSECOND
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
    """The device in the mode chosen, or in its own where it refuses that."""
    name = _name_for(info, backend)
    try:
        return _opened(name, backend, _options(chosen, backend))
    except OPENING as error:
        refused = error
    if getattr(refused, "errno", None) not in FINAL:
        with suppress(*OPENING):
            return _opened(name, backend, {})
    text = f"cannot open the camera {info.name}: {device_reason(refused)}"
    raise MediaError(text) from refused


def _opened(name: str, backend: System, options: dict[str, str]) -> InputContainer:
    limits = OPENING_TIMEOUT, READING_TIMEOUT
    return av.open(name, format=backend, options=options, timeout=limits)


def _name_for(info: CameraInfo, backend: System) -> str:
    if backend == "avfoundation":
        return f"{info.device}:none"
    return f"video={info.device}" if backend == "dshow" else info.device


def _options(chosen: Chosen, backend: System) -> dict[str, str]:
    if backend == "lavfi":
        return {}
    options = {"video_size": f"{chosen.width}x{chosen.height}",
               "framerate": str(chosen.rate)}  # fmt: skip
    if chosen.pixel_format is not None:
        name = "input_format" if backend == "v4l2" else "pixel_format"
        compressed = backend == "dshow" and chosen.pixel_format in ("mjpeg", "h264")
        options["vcodec" if compressed else name] = chosen.pixel_format
    return options


def device_reason(error: BaseException) -> str:
    """What is wrong with a device, and what to do about it."""
    number = getattr(error, "errno", None)
    if number == errno.EBUSY:
        return "another program uses it; close that one, or choose another camera with --camera"
    if number in (errno.ENODEV, errno.ENXIO):
        return "it is unplugged"
    if number in (errno.EACCES, errno.EPERM):
        return _permission()
    if isinstance(error, av.TimeoutError):
        return "it does not answer; unplug it and plug it in again"
    return reason(error)


def _permission() -> str:
    if sys.platform == "linux":
        return "permission denied; sudo usermod -aG video $USER, then log in again"
    if sys.platform == "darwin":
        return "permission denied; System Settings → Privacy & Security → Camera → your terminal"
    return "permission denied; Settings → Privacy → Camera → let desktop apps use it"
