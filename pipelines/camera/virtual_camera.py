"""`VirtualCamera`: a sink that other programs see as a camera: v4l2loopback, OBS, Unity Capture."""

import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from turbolens.filter.errors import MediaError
from turbolens.pipelines.letterbox import Fitter, packed_bytes

from . import v4l2

INSTALL = {
    "linux": (
        "install the kernel module v4l2loopback and load it: sudo apt install v4l2loopback-dkms"
        " (Fedora: akmod-v4l2loopback of RPM Fusion; Arch: v4l2loopback-dkms), then sudo modprobe"
        ' v4l2loopback devices=1 video_nr=10 card_label="Turbolens" exclusive_caps=1'
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
RELOAD_MODULE = (
    "sudo modprobe -r v4l2loopback && sudo modprobe v4l2loopback devices=1 video_nr=10"
    ' card_label="Turbolens" exclusive_caps=1'
)
NATIVE = {"v4l2loopback": "I420", "unitycapture": "RGBA"}
OBS_NATIVE = {"darwin": "UYVY", "win32": "NV12"}
PIXEL_FORMATS = {"I420": "yuv420p", "NV12": "nv12", "UYVY": "uyvy422", "RGBA": "rgba"}
"""pyvirtualcam's names and FFmpeg's, of what the backends take without converting it again."""


class VirtualCamera:
    """A camera that other programs can choose. Its size and rate stay; frames are fitted into it.

    Without `width` and `height` the first frame decides. `device` is /dev/video10, or the name in
    the list of cameras; none takes the first there is. Raises `MediaError` where there is none,
    with what each backend says and how to get one.
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
        """Which device it is; none until it is open."""
        return None if self._camera is None else str(self._camera.device)

    @property
    def backend(self) -> str | None:
        """Which backend serves it; none until it is open."""
        return None if self._camera is None else str(self._camera.backend)

    def _open(self, width: int, height: int) -> None:
        size = max(2, width // 2 * 2), max(2, height // 2 * 2)  # colour is of half the size
        self._camera, pixel_format = open_backend(
            *size, rate=float(self.rate), device=device_of(self._wanted), backend=self._backend
        )
        self._size, self._fit = size, Fitter(*size, pixel_format)
        self.name = f"the virtual camera {self._camera.device}"

    def write(self, frame: av.VideoFrame) -> None:
        """Show the frame, fitted into the camera's size with bars where the shape differs."""
        if self._camera is None:
            self._open(*(self._size or (frame.width, frame.height)))
        assert self._fit is not None  # noqa: S101 - there since it was opened
        pixels = packed_bytes(self._fit(frame))
        if self._fit.pixel_format == "rgba":
            pixels = pixels.reshape(self._fit.height, self._fit.width, 4)
        try:
            self._camera.send(pixels)
        except Exception as error:  # whatever a backend raises: only it knows its devices
            raise MediaError(f"{self.name} takes no more frames: {error}") from error

    def reopen(self) -> None:
        """Give the device back and open it anew, as large as before."""
        self.close()
        if self._size is not None:
            self._open(*self._size)

    def close(self) -> None:
        """Give the device back. May be called twice."""
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()


def open_backend(
    width: int, height: int, *, rate: float, device: str | None, backend: str | None
) -> tuple[Any, str]:
    """pyvirtualcam's camera by the first backend that has one, and FFmpeg's name of its format."""
    pyvirtualcam = _pyvirtualcam()
    known = pyvirtualcam.camera.BACKENDS
    if backend is not None and backend not in known:
        raise MediaError(f"there is no backend {backend!r}; those here: {', '.join(known)}")
    reasons = []
    for name in [backend] if backend else list(known):
        native = native_format(name)
        try:
            camera = _camera_of(
                name, width=width, height=height, fps=rate, device=device,
                fmt=pyvirtualcam.PixelFormat[native],
            )  # fmt: skip
        except Exception as error:  # noqa: BLE001 - backends raise what they like
            reasons.append(str(error) or type(error).__name__)
        else:
            return camera, PIXEL_FORMATS[native]
    raise MediaError(_explain(reasons, device))


def device_of(name: str | None) -> str | None:
    """The path of the v4l2loopback device that is called so, or in part; else the name as it is.

    On Linux backends take paths alone; elsewhere they know their cameras' names.
    """
    if name is None or sys.platform != "linux" or Path(name).is_absolute():
        return name
    for path in v4l2.devices():
        found = v4l2.capability(path)
        if found is not None and found.is_loopback and name.lower() in found.card.lower():
            return str(path)
    return name


def native_format(backend: str) -> str:
    """pyvirtualcam's name of the pixel format that a backend takes as it is."""
    if backend == "obs":
        return OBS_NATIVE.get(sys.platform, "NV12")
    return NATIVE.get(backend, "I420")


def _camera_of(backend: str, **options: Any) -> Any:
    """The camera of one backend; a v4l2loopback that was closed once is revived."""
    camera = _pyvirtualcam().Camera
    try:
        return camera(backend=backend, **options)
    except RuntimeError:
        if backend != "v4l2loopback" or not _revived(options["device"]):
            raise
    return camera(backend=backend, **options)


def _revived(device: str | None) -> bool:
    """Whether there were v4l2loopback devices that could not be written; they are revived."""
    paths = [Path(device)] if device else v4l2.devices()
    asleep = []
    for path in paths:
        found = v4l2.capability(path)
        if found is not None and found.is_loopback and not found.outputs:
            asleep.append(path)
            v4l2.revive_loopback(path)
    return bool(asleep)


def _explain(reasons: list[str], device: str | None) -> str:
    """Why there is no virtual camera, and what to do: for the system at hand."""
    which = f"the virtual camera {device}" if device else "a virtual camera"
    text = f"cannot open {which} ({'; '.join(reasons) or 'no backend is known here'})"
    version = v4l2.loopback_version() if sys.platform == "linux" else None
    said = " ".join(reasons).lower()
    if "permission" in said:
        return f"{text}. To be allowed to: sudo usermod -aG video $USER, then log in again"
    if version is not None:
        return (
            f"{text}. The module v4l2loopback {version} is loaded: another program may be writing"
            " it, or it is a version before 0.15 with exclusive_caps=1, which cannot be opened"
            " again while a reader holds it. Close those programs, or load it anew: "
            f"{RELOAD_MODULE}"
        )
    return f"{text}. {instructions()}"


def instructions() -> str:
    """How to get a virtual camera on this system."""
    todo = INSTALL.get(sys.platform, INSTALL["linux"])
    return f"{todo[0].upper()}{todo[1:]}. Without one: --virtual-camera none"


def _pyvirtualcam() -> Any:
    try:
        import pyvirtualcam  # noqa: PLC0415 - GPL-2, so only where a virtual camera is opened
        import pyvirtualcam.camera  # noqa: PLC0415
    except ImportError as error:
        raise MediaError(
            "a virtual camera needs the package pyvirtualcam: pip install pyvirtualcam"
        ) from error
    return pyvirtualcam
