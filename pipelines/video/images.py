"""Pictures, one or a numbered or named sequence, as sources and as outputs."""

import glob
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from turbolens.filter.errors import MediaError
from turbolens.pipelines.base import FrameOrPacket, Notify, SourceInfo
from turbolens.pipelines.errors import reason

from .destination import Destination
from .encoders import has_alpha
from .preparation import FramePreparation

PICTURE_CODECS = {
    ".png": ("png", {}),
    ".jpg": ("mjpeg", {"qmin": "2", "qmax": "2"}),
    ".jpeg": ("mjpeg", {"qmin": "2", "qmax": "2"}),
    ".webp": ("libwebp", {"quality": "90"}),
}
READABLE = {*PICTURE_CODECS, ".bmp", ".tif", ".tiff"}
NUMBERED = re.compile(r"%0?(\d*)d")
WILD = re.compile(r"[*?]")
SEQUENCE_RATE = Fraction(25)


def is_picture(name: str) -> bool:
    """Whether the name is one of a single picture."""
    return Path(name).suffix.lower() in READABLE and not is_pattern(name)


def is_pattern(name: str) -> bool:
    """Whether the name stands for many pictures: `frame_%04d.png` or `*.png`."""
    path = Path(name)
    if path.suffix.lower() not in READABLE or path.exists():
        return False
    return bool(NUMBERED.search(path.name) or WILD.search(path.name))


def find_pictures(name: str) -> list[Path]:
    """The pictures of a folder or pattern, in their order. Raises `MediaError` if there is none."""
    path = Path(name)
    if path.is_dir():
        found = [item for item in path.iterdir() if item.suffix.lower() in READABLE]
    elif NUMBERED.search(path.name):
        found = _numbered(path)
    else:
        found = [Path(item) for item in glob.glob(name)]
    if not found:
        raise MediaError(f"{name} holds no pictures (PNG, JPEG, WebP, TIFF or BMP)")
    return sorted(found, key=_natural)


def _numbered(path: Path) -> list[Path]:
    before, digits, after = NUMBERED.split(path.name, maxsplit=1)
    width = f"{{{digits.lstrip('0')},}}" if digits.strip("0") else "+"
    names = re.compile(re.escape(before) + rf"\d{width}" + re.escape(after))
    if not path.parent.is_dir():
        return []
    return [item for item in path.parent.iterdir() if names.fullmatch(item.name)]


def _natural(path: Path) -> list[tuple[bool, int, str]]:
    """frame2 before frame10."""
    parts = re.split(r"(\d+)", path.name)
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]


@dataclass
class PictureReader:
    """Pictures as frames; frame `n` has the time n / rate. Unreadable ones are counted."""

    paths: Sequence[Path]
    notify: Notify
    rate: Fraction = SEQUENCE_RATE
    damaged: int = 0
    info: SourceInfo = field(init=False)

    def __post_init__(self) -> None:
        self.info = SourceInfo(
            name=str(self.paths[0]), rate=self.rate, total_frames=len(self.paths)
        )

    def __iter__(self) -> Iterator[FrameOrPacket]:
        for index, path in enumerate(self.paths):
            try:
                frame = read_picture(path, self.notify)
            except MediaError:
                if len(self.paths) == 1:
                    raise
                self.damaged += 1
                continue
            frame.pts, frame.time_base, frame.duration = index, 1 / self.rate, 1
            yield frame

    def close(self) -> None:
        """Nothing is held open."""


def read_picture(path: Path, notify: Notify) -> av.VideoFrame:
    """The picture, upright. Raises `MediaError` if it cannot be read."""
    try:
        with av.open(path) as container:
            frame = next(container.decode(video=0), None)
    except (av.FFmpegError, OSError, IndexError) as error:
        raise MediaError(f"cannot read {path}: {reason(error)}") from error
    if frame is None:
        raise MediaError(f"cannot read {path}: it holds no picture")
    if frame.format.name == "pal8":
        frame = frame.reformat(format="rgba")
    frame.pts, frame.time_base = 0, Fraction(1, 25)
    preparation = FramePreparation(notify)
    return [*preparation.push(frame), *preparation.flush()][0]


def save_picture(frame: av.VideoFrame, destination: Destination) -> None:
    """Write one picture in the format of the name. Raises `MediaError` if that fails."""
    name = destination.final.suffix.lower()
    try:
        codec, options = PICTURE_CODECS[name]
    except KeyError:
        known = ", ".join(PICTURE_CODECS)
        raise MediaError(
            f"cannot write {destination.name}: pictures are written as {known}"
        ) from None
    try:
        Path(destination.writing).write_bytes(_encoded(frame, codec, options))
    except (av.FFmpegError, OSError, ValueError) as error:
        destination.discard()
        raise MediaError(f"cannot write {destination.name}: {reason(error)}") from error
    destination.complete()


def _encoded(frame: av.VideoFrame, codec: str, options: dict[str, str]) -> bytes:
    picture = _in_format(frame, _format_for(frame, codec))
    context: Any = av.CodecContext.create(codec, "w")
    context.width, context.height = picture.width, picture.height
    context.pix_fmt = picture.format.name
    context.time_base = Fraction(1, 25)
    context.options = options
    if codec == "mjpeg":
        context.color_range = 2
    picture.pts, picture.time_base = 0, Fraction(1, 25)
    picture.pict_type = 0
    return b"".join(bytes(packet) for packet in (*context.encode(picture), *context.encode(None)))


def _format_for(frame: av.VideoFrame, codec: str) -> str:
    deep = max(component.bits for component in frame.format.components) > 8
    if codec == "png":
        formats = {(False, False): "rgb24", (True, False): "rgba",
                   (False, True): "rgb48be", (True, True): "rgba64be"}  # fmt: skip
        return formats[has_alpha(frame), deep]
    if codec == "libwebp":
        return "yuva420p" if has_alpha(frame) and not frame.format.is_rgb else (
            "bgra" if has_alpha(frame) or frame.format.is_rgb else "yuv420p")  # fmt: skip
    return "yuvj444p" if frame.format.is_rgb else "yuvj420p"


def _in_format(frame: av.VideoFrame, name: str) -> av.VideoFrame:
    """JPEG and WebP are BT.601; JPEG is full range, WebP limited."""
    yuv = name.startswith("yuv")
    untagged_hd = not frame.format.is_rgb and frame.colorspace == 2 and frame.height >= 720
    return frame.reformat(
        format=name,
        src_colorspace=1 if untagged_hd else None,
        dst_colorspace=5 if yuv else None,
        src_color_range=frame.color_range or None,
        dst_color_range=(2 if name.startswith("yuvj") else 1) if yuv else 2,
    )


class PictureWriter:
    """Writes each frame as one picture: to one name, a pattern, or a folder by `names`."""

    def __init__(
        self, name: str, *, names: Sequence[str] = (), overwrite: bool = False, notify: Notify
    ) -> None:
        self._name, self._names, self._overwrite = name, names, overwrite
        self._notify = notify
        self._finished = False
        self._written: list[Path] = []
        self._many = bool(names) or bool(NUMBERED.search(Path(name).name))
        self.frames = 0

    def write(self, item: FrameOrPacket) -> None:
        """Write one picture; packets of other streams have no place here."""
        if not isinstance(item, av.VideoFrame):
            return
        destination = Destination(self._next_name(item), overwrite=self._overwrite)
        if has_alpha(item) and destination.final.suffix.lower() in (".jpg", ".jpeg"):
            self._say_once("transparency is left out: JPEG has none")
        save_picture(item, destination)
        self._written.append(destination.final)
        self.frames += 1

    def _next_name(self, frame: av.VideoFrame) -> str:
        if not self._many:
            if self.frames:
                raise MediaError(
                    f"{self._name} can hold one picture only; write a video, "
                    "or pictures with a name like frame_%04d.png"
                )
            return self._name
        if self._names:
            return str(Path(self._name) / self._names[frame.pts or 0])
        path, number = Path(self._name), self.frames + 1
        name = NUMBERED.sub(lambda found: found[0] % number, path.name, count=1)
        return str(path.with_name(name))

    def _say_once(self, text: str) -> None:
        if self.frames == 0:
            self._notify(text)

    def finish(self) -> None:
        """Raise `MediaError` if there was no frame."""
        if not self.frames:
            raise MediaError(f"no picture was written to {self._name}: there was no frame to write")
        self._finished = True

    def discard(self) -> None:
        """Nothing: each picture that has its name is whole."""
