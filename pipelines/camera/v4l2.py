"""Video devices of Linux (video4linux 2): their capabilities and modes."""

import errno
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import TypeAlias

Ioctl: TypeAlias = Callable[[int, int, bytearray], int]

CAPTURE, OUTPUT, HAS_DEVICE_CAPS = 0x1, 0x2, 0x80000000  # capabilities
CAPTURE_BUFFER, OUTPUT_BUFFER = 1, 2  # types of buffer
DISCRETE = 1  # a kind of frame size or interval
LOOPBACK_DRIVER = "v4l2 loopback"
COMMON_SIZES = (
    (1920, 1080), (1280, 720), (1024, 576), (960, 540), (848, 480), (800, 600), (640, 480),
    (640, 360), (424, 240), (320, 240), (320, 180),
)  # fmt: skip
COMMON_RATES = (60, 30, 25, 15)
FORMATS = {
    "MJPG": "mjpeg", "JPEG": "mjpeg", "YUYV": "yuyv422", "UYVY": "uyvy422", "NV12": "nv12",
    "YU12": "yuv420p", "422P": "yuv422p", "GREY": "gray", "RGB3": "rgb24", "BGR3": "bgr24",
    "H264": "h264",
}  # fmt: skip
"""Video4linux names and FFmpeg names of the formats that FFmpeg reads from cameras."""


@dataclass(frozen=True)
class Mode:
    """A mode of a camera: FFmpeg's name of the format, size, and rates in frames per second."""

    pixel_format: str
    width: int
    height: int
    rates: tuple[Fraction, ...]


@dataclass(frozen=True)
class Capability:
    """What a device reports about itself."""

    driver: str
    card: str
    captures: bool
    outputs: bool

    @property
    def is_loopback(self) -> bool:
        """True for a virtual camera of v4l2loopback."""
        return self.driver == LOOPBACK_DRIVER

    @property
    def is_hidden(self) -> bool:
        """True for a v4l2loopback device that Chrome and others do not take for a camera.

        Without exclusive_caps=1 it says that it takes frames even while it gives them.
        """
        return self.is_loopback and self.captures and self.outputs


def request(direction: int, number: int, size: int) -> int:
    """The ioctl code of a request. direction: 1 writes, 2 reads, 3 does both."""
    return direction << 30 | size << 16 | ord("V") << 8 | number


QUERY_CAPABILITY = request(2, 0, 104)
ENUMERATE_FORMATS = request(3, 2, 64)
ENUMERATE_SIZES = request(3, 74, 44)
ENUMERATE_INTERVALS = request(3, 75, 52)
STREAM_ON = request(1, 18, 4)


def system_ioctl(descriptor: int, code: int, data: bytearray) -> int:
    """Call the kernel. Raises `OSError`."""
    import fcntl  # noqa: PLC0415 - not there on Windows

    return int(fcntl.ioctl(descriptor, code, data))


def devices(folder: Path = Path("/dev")) -> list[Path]:
    """The paths of the video devices, ordered by number."""
    paths = (path for path in folder.glob("video*") if path.name[5:].isdecimal())
    return sorted(paths, key=lambda path: int(path.name[5:]))


def forbidden(folder: Path = Path("/dev")) -> list[Path]:
    """The video devices that this user may not open."""
    return [path for path in devices(folder) if not os.access(path, os.R_OK | os.W_OK)]


def capability(path: Path, ioctl: Ioctl = system_ioctl) -> Capability | None:
    """What the device can do. `None` if it cannot be queried."""
    data = bytearray(104)
    with suppress(OSError), _opened(path) as descriptor:
        ioctl(descriptor.number, QUERY_CAPABILITY, data)
        driver, card, _, _, capabilities, own = struct.unpack_from("16s32s32sIII", data)
        flags = own if capabilities & HAS_DEVICE_CAPS else capabilities
        return Capability(
            _text(driver), _text(card), bool(flags & CAPTURE), bool(flags & OUTPUT)
        )  # fmt: skip
    return None


def modes(path: Path, ioctl: Ioctl = system_ioctl) -> list[Mode]:
    """All modes that FFmpeg can read, in the order of the device. Empty if it cannot be queried."""
    found: list[Mode] = []
    with suppress(OSError), _opened(path) as descriptor:
        for fourcc in _formats(descriptor.number, ioctl):
            name = FORMATS.get(fourcc.to_bytes(4, "little").decode("ascii", "replace"))
            if name is None:
                continue
            for width, height in _sizes(descriptor.number, fourcc, ioctl):
                rates = tuple(_rates(descriptor.number, fourcc, (width, height), ioctl=ioctl))
                found.append(Mode(name, width, height, rates))
    return found


def revive_loopback(path: Path, ioctl: Ioctl = system_ioctl) -> None:
    """Make a v4l2loopback device writable again.

    In versions up to 0.12.7 with exclusive_caps=1, a device that was written to and closed offers
    neither capture nor output any more. Requesting it to stream and closing it resets that, though
    the request itself is refused.
    """
    with suppress(OSError), _opened(path, os.O_RDWR) as descriptor, suppress(OSError):
        ioctl(descriptor.number, STREAM_ON, bytearray(struct.pack("i", OUTPUT_BUFFER)))


def loopback_version(folder: Path = Path("/sys/module/v4l2loopback")) -> str | None:
    """The version of the loaded module. `None` if it is not loaded."""
    if not folder.is_dir():
        return None
    with suppress(OSError):
        return (folder / "version").read_text().strip()
    return "unknown"


class _opened:  # noqa: N801 - a context manager, used like a function
    """A context manager that opens a device file. Raises `OSError`."""

    def __init__(self, path: Path, flags: int = os.O_RDWR) -> None:
        self.number = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))

    def __enter__(self) -> "_opened":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.number)


def _formats(descriptor: int, ioctl: Ioctl) -> Iterator[int]:
    for index in count():
        data = bytearray(64)
        struct.pack_into("II", data, 0, index, CAPTURE_BUFFER)
        if not _answered(descriptor, ENUMERATE_FORMATS, data, ioctl=ioctl):
            return
        yield struct.unpack_from("I", data, 44)[0]


def _sizes(descriptor: int, fourcc: int, ioctl: Ioctl) -> Iterator[tuple[int, int]]:
    """The sizes of a format. If it takes any size, the common ones."""
    for index in count():
        data = bytearray(44)
        struct.pack_into("II", data, 0, index, fourcc)
        if not _answered(descriptor, ENUMERATE_SIZES, data, ioctl=ioctl):
            return
        kind, *numbers = struct.unpack_from("I6I", data, 8)
        if kind == DISCRETE:
            yield numbers[0], numbers[1]
            continue
        least_width, most_width, _, least_height, most_height, _ = numbers
        yield from (
            (width, height) for width, height in COMMON_SIZES
            if least_width <= width <= most_width and least_height <= height <= most_height
        )  # fmt: skip
        return


def _rates(
    descriptor: int, fourcc: int, size: tuple[int, int], *, ioctl: Ioctl
) -> Iterator[Fraction]:
    """The rates of a format and size. If it takes any rate, the common ones."""
    for index in count():
        data = bytearray(52)
        struct.pack_into("4I", data, 0, index, fourcc, *size)
        if not _answered(descriptor, ENUMERATE_INTERVALS, data, ioctl=ioctl):
            return
        kind, *numbers = struct.unpack_from("I6I", data, 16)
        if kind == DISCRETE:
            if numbers[0] and numbers[1]:
                yield Fraction(numbers[1], numbers[0])
            continue
        slowest, fastest = Fraction(numbers[3], numbers[2]), Fraction(numbers[1], numbers[0])
        yield from (Fraction(rate) for rate in COMMON_RATES if slowest <= rate <= fastest)
        return


def _answered(descriptor: int, code: int, data: bytearray, *, ioctl: Ioctl) -> bool:
    """True if there is an entry with this index. Other failures raise `OSError`."""
    try:
        ioctl(descriptor, code, data)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOTTY, errno.ENODATA):
            return False
        raise
    return True


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode("utf-8", "replace")
