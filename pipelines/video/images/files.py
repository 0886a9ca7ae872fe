"""One image: encoded as PNG, JPEG or WebP, saved to a file, read from a file."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from turbolens.filter.errors import MediaError
from turbolens.pipelines.base import Notify
from turbolens.pipelines.errors import file_reason, output_reason
from turbolens.pipelines.letterbox import own_copy
from turbolens.pipelines.video.container import main_video
from turbolens.pipelines.video.destination import Destination, file_url
from turbolens.pipelines.video.encoders.choice import has_alpha
from turbolens.pipelines.video.preparation import FramePreparation

from .animation import is_animated_webp
from .heif import find_grid, read_grid

TIME_BASE = Fraction(1, 25)  # encoders ask for one; images have no time
IMAGE_CODECS: dict[str, tuple[str, dict[str, str]]] = {
    ".png": ("png", {}),
    ".jpg": ("mjpeg", {"qmin": "2", "qmax": "2"}),
    ".jpeg": ("mjpeg", {"qmin": "2", "qmax": "2"}),
    ".webp": ("libwebp", {"quality": "90"}),
}
"""Encoder and its options, by file suffix."""
UNSPECIFIED, BT709, BT601 = 2, 1, 5
LIMITED, FULL = 1, 2


def read_image(path: Path, notify: Notify) -> av.VideoFrame:
    """The image as a frame, upright. Raises `MediaError` if it cannot be read."""
    try:
        grid = find_grid(path)
        with av.open(file_url(str(path))) as container:
            video = main_video(container, str(path))
            frame = read_grid(container, grid) if grid else next(container.decode(video), None)
    except (av.FFmpegError, OSError, LookupError, ValueError) as error:
        raise MediaError(f"cannot read {path}: {_reason(path, error)}") from error
    if not isinstance(frame, av.VideoFrame):
        raise MediaError(f"cannot read {path}: it holds no image")
    frame.pts, frame.time_base = 0, TIME_BASE
    preparation = FramePreparation(notify)
    return [*preparation.push(frame), *preparation.flush()][0]


def _reason(path: Path, error: BaseException) -> str:
    if is_animated_webp(path):
        return "FFmpeg cannot decode animated WebP; save it as GIF or APNG first"
    if isinstance(error, LookupError):
        return "a tile of its grid is missing, or its description is damaged"
    return file_reason(str(path), error)


def save_image(frame: av.VideoFrame, destination: Destination) -> None:
    """Write a frame in the format of the file's suffix. Raises `MediaError` if that fails."""
    suffix = destination.final.suffix.lower()
    if suffix not in IMAGE_CODECS:
        raise MediaError(
            f"cannot write {destination.name}: images are written as {', '.join(IMAGE_CODECS)}"
        )
    try:
        Path(destination.writing).write_bytes(encode_image(frame, suffix))
    except (av.FFmpegError, OSError, ValueError) as error:
        destination.discard()
        refused = f"{suffix} cannot hold {frame.width}×{frame.height} pixels of {frame.format.name}"
        raise MediaError(
            f"cannot write {destination.name}: {output_reason(error, refused=refused)}"
        ) from error
    destination.complete()


def encode_image(frame: av.VideoFrame, suffix: str) -> bytes:
    """The bytes of an image file: ".jpg", ".png" or ".webp". The frame is left as it is.

    Raises PyAV's errors. JPEG is full range; JPEG and WebP are BT.601.
    """
    codec, options = IMAGE_CODECS[suffix]
    image = _converted(frame, _pixel_format(frame, codec))
    if image is frame:
        image = own_copy(frame)  # its time is changed below
    context: Any = av.CodecContext.create(codec, "w")
    context.width, context.height = image.width, image.height
    context.pix_fmt = image.format.name
    context.time_base = TIME_BASE
    context.options = options
    if codec == "mjpeg":
        context.color_range = FULL
    image.pts, image.time_base = 0, TIME_BASE
    image.pict_type = 0
    return b"".join(bytes(packet) for packet in (*context.encode(image), *context.encode(None)))


def _pixel_format(frame: av.VideoFrame, codec: str) -> str:
    """What to encode: the frame's depth, alpha and colour model where the codec has them."""
    deep = max(component.bits for component in frame.format.components) > 8
    if codec == "png":
        formats = {(False, False): "rgb24", (True, False): "rgba",
                   (False, True): "rgb48be", (True, True): "rgba64be"}  # fmt: skip
        return formats[has_alpha(frame), deep]
    if codec == "libwebp":
        if frame.format.is_rgb:
            return "bgra"
        return "yuva420p" if has_alpha(frame) else "yuv420p"
    return "yuvj444p" if frame.format.is_rgb else "yuvj420p"


def _converted(frame: av.VideoFrame, name: str) -> av.VideoFrame:
    yuv = name.startswith("yuv")
    untagged_hd = (
        not frame.format.is_rgb and frame.colorspace == UNSPECIFIED and frame.height >= 720
    )
    return frame.reformat(
        format=name,
        src_colorspace=BT709 if untagged_hd else None,
        dst_colorspace=BT601 if yuv else None,
        src_color_range=frame.color_range or None,
        dst_color_range=LIMITED if yuv and not name.startswith("yuvj") else FULL,
    )
