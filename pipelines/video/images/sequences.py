"""One image, a folder or a pattern of images as input and as output."""

import glob
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av

from turbolens.filter.errors import MediaError
from turbolens.pipelines.base import FrameOrPacket, Notify, SourceInfo
from turbolens.pipelines.video.destination import Destination
from turbolens.pipelines.video.transparency import is_transparent

from .animation import is_animated
from .files import IMAGE_CODECS, read_image, save_image

READABLE = {*IMAGE_CODECS, ".bmp", ".tif", ".tiff", ".heic", ".heif", ".hif", ".avif"}
NUMBERED = re.compile(r"%0?(\d*)d")
WILDCARD = re.compile(r"[*?]")
SEQUENCE_RATE = Fraction(25)


def is_image(name: str) -> bool:
    """True if the name is that of one image file."""
    return Path(name).suffix.lower() in READABLE and not is_pattern(name)


def is_pattern(name: str) -> bool:
    """True if the name stands for many images: `frame_%04d.png` or `*.png`."""
    path = Path(name)
    if path.suffix.lower() not in READABLE or path.exists():
        return False
    return bool(NUMBERED.search(path.name) or WILDCARD.search(path.name))


def is_sequence(name: str) -> bool:
    """True if the name stands for many images: a folder or a pattern."""
    return Path(name).is_dir() or is_pattern(name)


def find_images(name: str) -> list[Path]:
    """The images of a folder or pattern, in natural order. Raises `MediaError` if there is none."""
    path = Path(name)
    if path.is_dir():
        found = [item for item in path.iterdir() if item.suffix.lower() in READABLE]
    elif NUMBERED.search(path.name):
        found = _numbered(path)
    else:
        found = [Path(item) for item in glob.glob(name)]
    if not found:
        hint = f"; for its videos name {path / '*'}, and --output-dir" if path.is_dir() else ""
        raise MediaError(f"{name} holds no images (PNG, JPEG, WebP, TIFF, BMP, HEIC or AVIF){hint}")
    return sorted(found, key=_natural_order)


def _numbered(path: Path) -> list[Path]:
    before, digits, after = NUMBERED.split(path.name, maxsplit=1)
    width = f"{{{digits.lstrip('0')},}}" if digits.strip("0") else "+"
    names = re.compile(re.escape(before) + rf"\d{width}" + re.escape(after))
    if not path.parent.is_dir():
        return []
    return [item for item in path.parent.iterdir() if names.fullmatch(item.name)]


def _natural_order(path: Path) -> list[tuple[bool, int, str]]:
    """Sort key: frame2 before frame10."""
    parts = re.split(r"(\d+)", path.name)
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]


class ImageReader:
    """Images as frames; frame `n` has the time n / rate. Unreadable ones are counted in `damaged`.

    A single image that cannot be read raises `MediaError`.
    """

    def __init__(
        self, paths: Sequence[Path], notify: Notify, *, rate: Fraction = SEQUENCE_RATE
    ) -> None:
        self._paths, self._notify = paths, notify
        self.info = SourceInfo(name=str(paths[0]), rate=rate, total_frames=len(paths))
        self.damaged = 0

    def __iter__(self) -> Iterator[FrameOrPacket]:
        for index, path in enumerate(self._paths):
            try:
                frame = read_image(path, self._notify)
                if is_animated(path):
                    self._notify(f"{path} is animated: only its first picture is taken")
            except MediaError:
                if len(self._paths) == 1:
                    raise
                self.damaged += 1
                continue
            frame.pts, frame.time_base, frame.duration = index, 1 / self.info.rate, 1
            yield frame

    def close(self) -> None:
        """Does nothing: no file stays open."""


class ImageWriter:
    """Writes each frame as one image file. Packets of other streams are ignored.

    name: one image, a numbered pattern, or a folder if there are `names`: the name of the file for
    the frame with `pts` n is names[n].
    """

    def __init__(
        self, name: str, *, names: Sequence[str] = (), overwrite: bool = False, notify: Notify
    ) -> None:
        self._name, self._names, self._overwrite = name, names, overwrite
        self._notify = notify
        self._frames = 0

    def write(self, item: FrameOrPacket) -> None:
        """Write one image. Raises `MediaError` if that fails."""
        if not isinstance(item, av.VideoFrame):
            return
        destination = Destination(self._next_name(item), overwrite=self._overwrite)
        is_jpeg = destination.final.suffix.lower() in (".jpg", ".jpeg")
        if self._frames == 0 and is_jpeg and is_transparent(item):
            self._notify("transparency is left out: JPEG has none")
        save_image(item, destination)
        self._frames += 1

    def _next_name(self, frame: av.VideoFrame) -> str:
        path = Path(self._name)
        if self._names:
            return str(path / self._names[frame.pts or 0])
        if NUMBERED.search(path.name):
            number = self._frames + 1
            name = NUMBERED.sub(lambda found: found[0] % number, path.name, count=1)
            return str(path.with_name(name))
        if self._frames:
            raise MediaError(
                f"{self._name} can hold one image only; write a video, "
                "or images with a name like frame_%04d.png"
            )
        return self._name

    def finish(self) -> None:
        """Raise `MediaError` if there was no frame."""
        if not self._frames:
            raise MediaError(f"no image was written to {self._name}: there was no frame to write")

    def discard(self) -> None:
        """Does nothing: each image that has its name is complete."""
