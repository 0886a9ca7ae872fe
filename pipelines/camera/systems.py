"""How Linux, macOS and Windows name their cameras, open them, and report errors."""

import errno
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import av

from turbolens.pipelines.errors import reason

from .modes import ChosenMode
from .v4l2 import Mode

System = Literal["v4l2", "avfoundation", "dshow", "lavfi"]

VIRTUAL = ("virtual", "unity video capture", "obs-camera")  # words in names of virtual cameras
SCREEN = "capture screen"  # AVFoundation lists screens among its cameras
BUFFER = 128 * 1024 * 1024  # bytes; DirectShow's default of 3 MB is less than a raw 1080p frame
PERMISSION = {
    "linux": "sudo usermod -aG video $USER, then log in again",
    "darwin": "System Settings → Privacy & Security → Camera → allow your terminal, and start it"
              " again",
    "win32": "Settings → Privacy & security → Camera → let desktop apps access your camera",
}  # fmt: skip

REASONS = {
    errno.EBUSY: "another program uses it; close that program, or choose another camera with"
                 " --camera",
    errno.ENODEV: "it is unplugged",
    errno.ENXIO: "it is unplugged",
    errno.ENOTTY: "it is no camera; turbolens devices lists cameras",
}  # fmt: skip


@dataclass(frozen=True)
class CameraInfo:
    """A camera of this machine. device: what to open. virtual: a program writes its frames."""

    index: int
    name: str
    device: str
    virtual: bool = False
    modes: tuple[Mode, ...] = field(default=(), compare=False)


class ListedDevice(Protocol):
    """A device as PyAV lists it."""

    @property
    def name(self) -> str:
        """What to open: a number on macOS, a path on Windows."""
        ...

    @property
    def description(self) -> str:
        """The name to show."""
        ...

    @property
    def is_default(self) -> bool:
        """True for the system's default."""
        ...

    @property
    def media_types(self) -> list[str]:
        """The kinds of media it gives: "video", "audio"."""
        ...


def system(platform: str = sys.platform) -> System:
    """FFmpeg's input format for the cameras of a platform, named as in `sys.platform`."""
    return {"darwin": "avfoundation", "win32": "dshow"}.get(platform, "v4l2")  # type: ignore[return-value]


def named_cameras(found: Sequence[ListedDevice]) -> list[CameraInfo]:
    """The cameras among the devices of macOS or Windows, the system's default first."""
    named = [
        device for device in found
        if "video" in device.media_types and SCREEN not in device.description.lower()
    ]  # fmt: skip
    return [
        CameraInfo(index, device.description, device.name, virtual=_is_virtual(device.description))
        for index, device in enumerate(sorted(named, key=lambda device: not device.is_default))
    ]


def _is_virtual(name: str) -> bool:
    return any(word in name.lower() for word in VIRTUAL)


def device_name(info: CameraInfo, backend: System) -> str:
    """The name under which FFmpeg opens the camera."""
    if backend == "avfoundation":
        return f"{info.device}:none"
    return f"video={info.device}" if backend == "dshow" else info.device


def ways_to_open(chosen: ChosenMode, backend: System) -> list[dict[str, str]]:
    """FFmpeg options to try one after another: the chosen mode, then parts of it, then none."""
    if backend == "lavfi":
        return [{}]
    always = {"rtbufsize": str(BUFFER)} if backend == "dshow" else {}
    size = {"video_size": f"{chosen.width}x{chosen.height}"}
    rate = {"framerate": str(chosen.rate)}
    pixels = _pixel_option(chosen.pixel_format, backend)
    ways: list[dict[str, str]] = []
    for way in (size | rate | pixels, size | rate, rate, size, {}):
        if always | way not in ways:
            ways.append(always | way)
    return ways


def _pixel_option(pixel_format: str | None, backend: System) -> dict[str, str]:
    if pixel_format is None:
        return {}
    if backend == "dshow" and pixel_format in ("mjpeg", "h264"):
        return {"vcodec": pixel_format}
    return {"input_format" if backend == "v4l2" else "pixel_format": pixel_format}


def device_reason(error: BaseException, platform: str = sys.platform) -> str:
    """Why a device cannot be opened or read, and what the user can do about it."""
    number = getattr(error, "errno", None)
    if number in REASONS:
        return REASONS[number]
    if number in (errno.EACCES, errno.EPERM):
        return f"permission denied; {PERMISSION.get(platform, PERMISSION['linux'])}"
    if number == errno.EIO and platform in ("darwin", "win32"):  # these systems give no other error
        return (
            "it does not start: another program may be using it, or it may not be allowed"
            f" ({PERMISSION[platform]})"
        )
    if isinstance(error, av.TimeoutError):
        return "it does not answer; unplug it and plug it in again"
    return reason(error)
