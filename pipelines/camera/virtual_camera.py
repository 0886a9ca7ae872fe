"""`VirtualCamera`: a sink that other programs see as a camera."""

import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from turbolens.filter.errors import MediaError
from turbolens.pipelines.letterbox import Fitter, packed_bytes

from . import v4l2
from .pipewire import daemon

LOAD_MODULE = (
    'sudo modprobe v4l2loopback devices=1 video_nr=10 card_label="Turbolens" exclusive_caps=1'
)
RELOAD_MODULE = f"sudo modprobe -r v4l2loopback && {LOAD_MODULE}"
INSTALL = {
    "linux": (
        "install the kernel module v4l2loopback and load it: sudo apt install v4l2loopback-dkms"
        " (Fedora: akmod-v4l2loopback of RPM Fusion; Arch: v4l2loopback-dkms), then"
        f" {LOAD_MODULE}"
    ),
    "darwin": (
        "install OBS Studio 30 or newer (macOS 13 or newer), press Start Virtual Camera in it,"
        " allow the extension in System Settings, press Stop Virtual Camera, and close OBS"
    ),
    "win32": (
        "install OBS Studio, https://obsproject.com (its virtual camera comes with it), or Unity"
        " Capture, https://github.com/schellingb/UnityCapture"
    ),
}
HIDDEN = (
    "v4l2loopback was loaded without exclusive_caps=1, so that Chrome and others do not list its"
    " camera"
)
PIPEWIRE_RUNS = "For programs that list PipeWire's cameras nothing needs to be installed"
NATIVE = {"v4l2loopback": "I420", "unitycapture": "RGBA"}
OBS_NATIVE = {"darwin": "UYVY", "win32": "NV12"}
PIXEL_FORMATS = {"I420": "yuv420p", "NV12": "nv12", "UYVY": "uyvy422", "RGBA": "rgba"}
"""pyvirtualcam's and FFmpeg's names of the formats that the backends take without conversion."""


class VirtualCamera:
    """A camera that other programs can choose. Frames are fitted into its size.

    device: a path such as /dev/video10, or a name from the list of cameras; `None` is the first
    virtual camera. width and height in pixels; `None` takes them from the first frame. rate in
    frames per second. backend: pyvirtualcam's name; `None` tries all. Raises `MediaError` if there
    is no virtual camera, with the reason of each backend and instructions.
    """

    def __init__(
        self,
        device: str | None = None,
        *,
        width: int | None = None,
        height: int | None = None,
        rate: float | Fraction = 30,
        backend: str | None = None,
    ) -> None:
        self._wanted, self._backend = device, backend
        self.rate = Fraction(rate).limit_denominator(1001)
        self._size: tuple[int, int] | None = None
        self._camera: Any = None
        self._fit: Fitter | None = None
        self.name = device or "the virtual camera"
        if width is not None and height is not None:
            self._open(width, height)

    @property
    def device(self) -> str | None:
        """The open device. `None` if it is not open."""
        return None if self._camera is None else str(self._camera.device)

    @property
    def backend(self) -> str | None:
        """The backend of the open device. `None` if it is not open."""
        return None if self._camera is None else str(self._camera.backend)

    def _open(self, width: int, height: int) -> None:
        size = max(2, width // 2 * 2), max(2, height // 2 * 2)  # chroma has half the size
        self._camera, pixel_format = open_backend(
            *size, rate=float(self.rate), device=device_of(self._wanted), backend=self._backend
        )
        self._size, self._fit = size, Fitter(*size, pixel_format)
        self.name = f"the virtual camera {self._camera.device}"

    def write(self, frame: av.VideoFrame) -> None:
        """Show the frame, with black bars if its shape differs. Raises `MediaError`."""
        if self._camera is None:
            self._open(*(self._size or (frame.width, frame.height)))
        assert self._fit is not None  # noqa: S101 - set by `_open`
        pixels = packed_bytes(self._fit(frame))
        if self._fit.pixel_format == "rgba":
            pixels = pixels.reshape(self._fit.height, self._fit.width, 4)
        try:
            self._camera.send(pixels)
        except Exception as error:  # backends raise errors of any type
            raise MediaError(f"{self.name} takes no more frames: {error}") from error

    @property
    def warning(self) -> str:
        """Why programs may not list this camera, and what to do; empty if nothing is known."""
        if sys.platform != "linux" or self.device is None:
            return ""
        found = v4l2.capability(Path(self.device))
        if found is None or not found.is_hidden:
            return ""
        return f"{HIDDEN}; end this, and reload it: {RELOAD_MODULE}"

    def reopen(self) -> None:
        """Close the device and open it again with the same size. Raises `MediaError`."""
        self.close()
        if self._size is not None:
            self._open(*self._size)

    def close(self) -> None:
        """Close the device. May be called twice."""
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()


def open_backend(
    width: int, height: int, *, rate: float, device: str | None, backend: str | None
) -> tuple[Any, str]:
    """A camera of the first backend that has one, and FFmpeg's name of its pixel format."""
    pyvirtualcam = _pyvirtualcam()
    known = pyvirtualcam.camera.BACKENDS
    if backend is not None and backend not in known:
        raise MediaError(f"there is no backend {backend!r}; known backends: {', '.join(known)}")
    reasons = []
    for name in [backend] if backend else list(known):
        native = native_format(name)
        try:
            camera = _camera_of(
                name, width=width, height=height, fps=rate, device=device,
                fmt=pyvirtualcam.PixelFormat[native],
            )  # fmt: skip
        except Exception as error:  # noqa: BLE001 - backends raise errors of any type
            reasons.append(str(error) or type(error).__name__)
        else:
            return camera, PIXEL_FORMATS[native]
    raise MediaError(_explain(reasons, device))


def device_of(name: str | None) -> str | None:
    """The path of the v4l2loopback device whose name contains `name`, or else `name` itself.

    On Linux, backends take paths only; elsewhere they take names.
    """
    if name is None or sys.platform != "linux" or Path(name).is_absolute():
        return name
    for path in v4l2.devices():
        found = v4l2.capability(path)
        if found is not None and found.is_loopback and name.lower() in found.card.lower():
            return str(path)
    return name


def native_format(backend: str) -> str:
    """pyvirtualcam's name of the pixel format that a backend takes without conversion."""
    if backend == "obs":
        return OBS_NATIVE.get(sys.platform, "NV12")
    return NATIVE.get(backend, "I420")


def _camera_of(backend: str, **options: Any) -> Any:
    """The camera of one backend. A v4l2loopback device that was closed before is revived."""
    camera = _pyvirtualcam().Camera
    try:
        return camera(backend=backend, **options)
    except RuntimeError:
        if backend != "v4l2loopback" or not _revived(options["device"]):
            raise
    return camera(backend=backend, **options)


def _revived(device: str | None) -> bool:
    """Revive v4l2loopback devices that cannot be written to. True if there were any."""
    paths = [Path(device)] if device else v4l2.devices()
    revived = False
    for path in paths:
        found = v4l2.capability(path)
        if found is not None and found.is_loopback and not found.outputs:
            v4l2.revive_loopback(path)
            revived = True
    return revived


def _explain(reasons: list[str], device: str | None) -> str:
    """Why there is no virtual camera, and what to do on this system."""
    which = f"the virtual camera {device}" if device else "a virtual camera"
    text = f"cannot open {which} ({'; '.join(reasons) or 'no backend for this system'})"
    version = v4l2.loopback_version() if sys.platform == "linux" else None
    if "permission" in " ".join(reasons).lower():
        return f"{text}. To get the permission: sudo usermod -aG video $USER, then log in again"
    if version is not None:
        return (
            f"{text}. The module v4l2loopback {version} is loaded: another program may be writing"
            " to it, or it is a version before 0.15 with exclusive_caps=1, which cannot be opened"
            " again while a program reads it. Close those programs, or reload it: "
            f"{RELOAD_MODULE}"
        )
    return f"{text}. {instructions()}"


def instructions() -> str:
    """How to get a virtual camera on this system."""
    steps = INSTALL.get(sys.platform, INSTALL["linux"])
    without = "Without one: --virtual-camera none"
    if daemon.is_running():
        without = f"{PIPEWIRE_RUNS}: --virtual-camera pipewire. {without}"
    return f"{steps[0].upper()}{steps[1:]}. {without}"


def _pyvirtualcam() -> Any:
    try:
        import pyvirtualcam  # noqa: PLC0415 - GPL-2, so only where a virtual camera is opened
        import pyvirtualcam.camera  # noqa: PLC0415
    except ImportError as error:
        raise MediaError(
            "a virtual camera needs the package pyvirtualcam: pip install pyvirtualcam"
        ) from error
    return pyvirtualcam
