"""Which reader belongs to the name of an input: a video, images, a pipe or the test scene."""

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path

from turbolens.filter.errors import MediaError
from turbolens.pipelines.base import Notify, Reader

from .container import Span, VideoContainer
from .destination import is_piped, is_special
from .images.animation import is_animated, is_animated_webp
from .images.sequences import SEQUENCE_RATE, ImageReader, find_images, is_image, is_sequence
from .reader import VideoReader
from .writer import Encoding

SCENE_NAMES = ("test-scene", "testscene:")


@dataclass(frozen=True)
class MediaOptions:
    """How a file is read and written. Times are seconds from the beginning.

    rate: frames per second of a sequence of images or of the test scene. input_format: FFmpeg's
    name of the input's container, `None` to detect it.
    """

    encoding: Encoding = field(default_factory=Encoding)
    start: Fraction = Fraction(0)
    duration: Fraction | None = None
    rate: Fraction | None = None
    overwrite: bool = False
    input_format: str | None = None


@dataclass(frozen=True)
class OpenInput:
    """An input that was found and opened; nothing is decoded yet.

    total_frames: `None` if unknown. reader: starts decoding; call it once. A reader closes what it
    reads; `close` is for an input that is not read. size: width and height of the video in pixels,
    `None` if unknown. container: of a video file, else `None`.
    """

    total_frames: int | None
    reader: Callable[[Notify], Reader]
    close: Callable[[], None]
    size: tuple[int, int] | None = None
    container: VideoContainer | None = None

    @property
    def duration(self) -> Fraction | None:
        """Seconds of a video file by its header, `None` if unknown."""
        if self.container is None or self.total_frames is None:
            return None
        return self.total_frames / self.container.rate


def is_scene(name: str) -> bool:
    """True if the name means the synthetic test scene."""
    return name in SCENE_NAMES


def is_stream(name: str) -> bool:
    """True for pipes, devices and URLs: what is read once, and may not be kept waiting."""
    return is_piped(name) or "://" in name or is_special(Path(name))


def check_exists(source: str) -> None:
    """Raise `MediaError` for the name of a file that does not exist."""
    named = not (is_scene(source) or is_stream(source) or is_sequence(source))
    if named and not Path(source).exists():
        raise MediaError(f"cannot read {source}: there is no such file")


def open_input(source: str, options: MediaOptions) -> OpenInput:
    """Open an input by its name. Raises `MediaError` if nothing can be read there."""
    if is_scene(source):
        return _open_scene(options)
    if is_sequence(source) or (is_image(source) and not is_video_in_an_image(source)):
        paths, rate = [Path(source)], SEQUENCE_RATE
        if is_sequence(source):
            paths, rate = find_images(source), options.rate or SEQUENCE_RATE
        return OpenInput(
            len(paths), lambda notify: ImageReader(paths, notify, rate=rate), lambda: None
        )
    span = Span(options.start, options.duration)
    container = VideoContainer.open(source, span=span, format_name=options.input_format)
    return OpenInput(
        container.total_frames, partial(VideoReader.open, container), container.close,
        container.size, container,
    )  # fmt: skip


def is_video_in_an_image(source: str) -> bool:
    """True for an animated image that FFmpeg can decode: APNG or an AVIF sequence."""
    return is_animated(Path(source)) and not is_animated_webp(Path(source))


def _open_scene(options: MediaOptions) -> OpenInput:
    from turbolens.pipelines.scene.reader import SceneReader  # noqa: PLC0415 - draws; rarely needed

    scene = SceneReader(options.duration, rate=options.rate)
    return OpenInput(scene.info.total_frames, lambda _: scene, scene.close)


def open_reader(source: str, options: MediaOptions, notify: Notify) -> Reader:
    """The reader for a name. Raises `MediaError` if nothing can be read there."""
    return open_input(source, options).reader(notify)
