"""Which writer belongs to the name of an output. Outputs are checked before any work is done."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from turbolens.filter.errors import MediaError
from turbolens.pipelines.base import Notify, SourceInfo, Writer

from .destination import Destination, check_writable, is_piped
from .encoders.choice import default_codec
from .encoders.presets import check_encoder_preset
from .images.files import IMAGE_CODECS
from .images.sequences import (
    NUMBERED,
    ImageWriter,
    find_images,
    is_image,
    is_pattern,
    is_sequence,
)
from .media import MediaOptions, is_video_in_an_image
from .writer import Encoding, VideoWriter, check_codec

CONTAINERS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".ts", ".mts", ".m2ts", ".nut", ".flv")


@dataclass(frozen=True)
class VideoOutput:
    """A video file or pipe to write."""

    destination: Destination
    encoding: Encoding

    @property
    def name(self) -> str:
        """As given."""
        return self.destination.name

    def writer(self, info: SourceInfo, notify: Notify) -> Writer:
        """A writer for frames and packets of this source."""
        return VideoWriter(self.destination, info, self.encoding, notify=notify)


@dataclass(frozen=True)
class ImageOutput:
    """Images to write: one, a numbered pattern, or a folder for the images of `source`."""

    name: str
    source: str
    overwrite: bool = False

    @property
    def _is_folder(self) -> bool:
        return not NUMBERED.search(Path(self.name).name) and not is_image(self.name)

    def writer(self, info: SourceInfo, notify: Notify) -> Writer:
        """A writer for frames. Creates the folder if there is none."""
        names: list[str] = []
        if self._is_folder:
            names = _names_like(self.source)
            Path(self.name).mkdir(exist_ok=True)
        return ImageWriter(self.name, names=names, overwrite=self.overwrite, notify=notify)


Output: TypeAlias = VideoOutput | ImageOutput


def check_output(destination: str, source: str, options: MediaOptions) -> Output:
    """The output of this name. Raises `MediaError` if it cannot be written, or is the input."""
    if _means_images(destination, source):
        _check_images(destination, source, overwrite=options.overwrite)
        path = Path(destination)
        check_writable(path / "image" if path.is_dir() else path)
        return ImageOutput(destination, source, options.overwrite)
    known = Path(destination).suffix.lower() in CONTAINERS or options.encoding.format_name
    if not is_piped(destination) and not known and not Path(destination).is_dir():
        raise MediaError(
            f"{destination}: the name must end in one of {', '.join(CONTAINERS)}, "
            "or --format must name the container"
        )
    target = Destination(destination, overwrite=options.overwrite)
    _refuse_same_file(source, target)
    check_codec(target, options.encoding)
    encoding = options.encoding
    codec = encoding.codec or default_codec(target.final, transparent=False)
    check_encoder_preset(codec, encoding.preset, hardware=encoding.hardware)
    return VideoOutput(target, options.encoding)


def _means_images(destination: str, source: str) -> bool:
    """True for the name of an image or pattern, and for a folder if the input is a sequence."""
    if is_image(destination) or is_pattern(destination):
        return True
    is_folder = Path(destination).is_dir() or destination.endswith("/")
    return is_folder and is_sequence(source)


def _check_images(destination: str, source: str, *, overwrite: bool) -> None:
    path = Path(destination)
    if is_image(destination):
        one_image = is_image(source) and not is_video_in_an_image(source)
        if not one_image and not is_sequence(source):
            raise MediaError(
                f"{destination} can hold one image only; for a video's frames name "
                f"{path.with_stem(path.stem + '_%04d')}"
            )
        _refuse_same_file(source, Destination(destination, overwrite=overwrite))
    if path.is_dir() and path.resolve() == Path(source).resolve():
        raise MediaError(f"input and output are the same folder: {source}")


def _refuse_same_file(source: str, target: Destination) -> None:
    if is_piped(source) or not target.final.exists() or not Path(source).exists():
        return
    if target.final.is_file() and target.final.samefile(source):
        raise MediaError(f"input and output are the same file: {source}")


def _names_like(source: str) -> list[str]:
    """File names for the images made from images: the same ones, or .png if that is not written."""
    return [path.name if path.suffix.lower() in IMAGE_CODECS else f"{path.stem}.png"
            for path in find_images(source)]  # fmt: skip
