"""Which reader and which writer belong to a name on the command line."""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from turbolens.filter.errors import MediaError
from turbolens.pipelines.base import Notify, Reader, SourceInfo, Writer

from .destination import Destination
from .images import (
    NUMBERED,
    PICTURE_CODECS,
    SEQUENCE_RATE,
    PictureReader,
    PictureWriter,
    find_pictures,
    is_pattern,
    is_picture,
)
from .reader import Span, VideoReader
from .writer import Encoding, VideoWriter

SCENE_NAMES = ("test-scene", "testscene:")
CONTAINERS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".ts", ".mts", ".m2ts", ".nut", ".flv")


@dataclass(frozen=True)
class MediaOptions:
    """How a file is read and written; times in seconds from the beginning."""

    encoding: Encoding = field(default_factory=Encoding)
    start: Fraction = Fraction(0)
    duration: Fraction | None = None
    rate: Fraction | None = None
    overwrite: bool = False
    input_format: str | None = None


def is_scene(name: str) -> bool:
    """Whether the name means the synthetic test scene."""
    return name in SCENE_NAMES


def is_sequence(name: str) -> bool:
    """Whether the name means many pictures: a folder or a pattern."""
    return Path(name).is_dir() or is_pattern(name)


def is_piped(name: str) -> bool:
    """Whether the name means standard input or output."""
    return name == "-" or name.startswith("pipe:")


def open_reader(source: str, options: MediaOptions, notify: Notify) -> Reader:
    """The reader for a name. Raises `MediaError` if nothing can be read there."""
    if is_scene(source):
        from turbolens.pipelines.scene.reader import SceneReader  # noqa: PLC0415 - numpy work only when asked for

        return SceneReader(options.duration, rate=options.rate)
    if is_sequence(source):
        paths = find_pictures(source)
        return PictureReader(paths, notify, options.rate or SEQUENCE_RATE)
    if is_picture(source):
        return PictureReader([Path(source)], notify)
    return VideoReader(source, span=Span(options.start, options.duration),
                       format_name=options.input_format, notify=notify)  # fmt: skip


def open_writer(
    destination: str, source: str, info: SourceInfo, options: MediaOptions, notify: Notify
) -> Writer:
    """The writer for a name. Raises `MediaError` if that cannot be written."""
    if writes_pictures(destination, source):
        names: list[str] = []
        if not NUMBERED.search(Path(destination).name) and not is_picture(destination):
            names = _names_for(source)
            Path(destination).mkdir(exist_ok=True)
        return PictureWriter(destination, names=names, overwrite=options.overwrite, notify=notify)
    target = Destination(destination, overwrite=options.overwrite)
    return VideoWriter(target, info, options.encoding, notify=notify)


def writes_pictures(destination: str, source: str) -> bool:
    """Whether the output is pictures: by its name, or a folder for a sequence."""
    path = Path(destination)
    if is_picture(destination) or is_pattern(destination):
        return True
    return is_sequence(source) and (path.is_dir() or destination.endswith("/"))


def check_output(destination: str, source: str, options: MediaOptions) -> None:
    """Raise `MediaError` for an output that cannot be, before any work is done."""
    path = Path(destination)
    if writes_pictures(destination, source):
        many_into_one = is_picture(destination) and not (is_picture(source) or is_sequence(source))
        if many_into_one:
            raise MediaError(
                f"{destination} can hold one picture only; for a video's frames name "
                f"{path.with_stem(path.stem + '_%04d')}"
            )
        if is_picture(destination):
            _refuse_same(source, Destination(destination, overwrite=options.overwrite))
        if path.is_dir() and path.resolve() == Path(source).resolve():
            raise MediaError(f"input and output are the same folder: {source}")
        return
    known = path.suffix.lower() in CONTAINERS or options.encoding.format_name
    if not is_piped(destination) and not known and not path.is_dir():
        raise MediaError(
            f"{destination}: the name must end in one of {', '.join(CONTAINERS)}, "
            "or --format must name the container"
        )
    _refuse_same(source, Destination(destination, overwrite=options.overwrite))


def _refuse_same(source: str, target: Destination) -> None:
    if is_piped(source) or not target.final.exists() or not Path(source).exists():
        return
    if target.final.is_file() and target.final.samefile(source):
        raise MediaError(f"input and output are the same file: {source}")


def _names_for(source: str) -> list[str]:
    """Names for pictures made from pictures: the same, where that can be written."""
    return [path.name if path.suffix.lower() in PICTURE_CODECS else f"{path.stem}.png"
            for path in find_pictures(source)]  # fmt: skip
