"""Which video and audio stream of an input are read."""

from typing import Any, NamedTuple

from av.container import InputContainer
from av.stream import Discard, Disposition

VARIANT_FORMATS = ("hls", "dash")  # their video streams are one video in several sizes


class Selection(NamedTuple):
    """The streams to read. audio: `None` if there is none that can be decoded."""

    video: Any
    audio: Any | None


def select_streams(container: InputContainer) -> Selection | None:
    """The main video and its audio; `None` without video that can be decoded.

    Of the variants of an adaptive stream (HLS, DASH) the one with the most pixels. Else the stream
    marked as default, or the first one. An attached picture, such as a cover, is not video. Streams
    that are not read are discarded, so that their variants are not downloaded.
    """
    videos = [stream for stream in container.streams.video if _is_video(stream)]
    if not videos:
        return None
    if container.format.name in VARIANT_FORMATS:
        video = max(videos, key=_pixels)
    else:
        video = next(filter(_is_default, videos), videos[0])
    selection = Selection(video, _audio_of(container, video))
    for stream in container.streams:
        if stream not in selection:
            stream.discard = Discard.all
    return selection


def _audio_of(container: InputContainer, video: Any) -> Any | None:
    """The audio of the same variant or program as the video."""
    best = container.streams.best("audio", related=video)
    candidates = [best, *container.streams.audio]
    return next((each for each in candidates if each is not None and _can_decode(each)), None)


def _is_video(stream: Any) -> bool:
    return _can_decode(stream) and not stream.disposition & Disposition.attached_pic


def _is_default(stream: Any) -> bool:
    return bool(stream.disposition & Disposition.default)


def _can_decode(stream: Any) -> bool:
    """False if FFmpeg has no decoder: PyAV gives such a stream no codec context."""
    return stream.codec_context is not None


def _pixels(stream: Any) -> int:
    return int(stream.codec_context.width * stream.codec_context.height)
