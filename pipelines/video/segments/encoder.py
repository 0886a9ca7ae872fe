"""Encodes the frames of one segment as the output's container needs them."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import av

from turbolens.filter.errors import MediaError
from turbolens.pipelines.base import Notify, SourceInfo
from turbolens.pipelines.errors import reason
from turbolens.pipelines.video.destination import Destination
from turbolens.pipelines.video.frame_conversion import FrameConversion
from turbolens.pipelines.video.side_streams.plan import scratch_output
from turbolens.pipelines.video.video_stream import VideoTrack
from turbolens.pipelines.video.writer import Encoding, container_format, track_for

from .first_frame import FirstFrame

ERRORS = (av.FFmpegError, OSError, ValueError)


@dataclass(frozen=True)
class EncoderSetup:
    """What the encoders of all segments of a video have in common.

    path: the output's. format_name, format_options: of its container, by FFmpeg's names.
    """

    path: Path
    format_name: str
    format_options: dict[str, str]
    encoding: Encoding
    info: SourceInfo

    @classmethod
    def of(cls, destination: Destination, encoding: Encoding, info: SourceInfo) -> "EncoderSetup":
        """For this output. Raises `MediaError` if its container is unknown."""
        name, options = container_format(destination, encoding)
        return cls(destination.final, name, options, encoding, info)

    @property
    def portable(self) -> "EncoderSetup":
        """The same for another process, which cannot use the open streams of the input."""
        return replace(self, info=replace(self.info, video=None, streams=(), chapters=()))

    def track(self, first: FirstFrame) -> VideoTrack:
        """The video stream whose first frame has these properties."""
        return track_for(
            first.blank(), self.encoding, self.info, path=self.path, format_name=self.format_name
        )


class SegmentEncoder:
    """Gives the packets of one segment, of which the first is a key frame.

    The encoder belongs to a container of the output's format that is written nowhere, so that its
    parameter sets are where that format wants them: in its header, or in band.

    Raises `MediaError` if the encoder fails.
    """

    def __init__(self, setup: EncoderSetup, first: FirstFrame, notify: Notify) -> None:
        self._name = str(setup.path)
        self._resources = ExitStack()
        try:
            scratch = self._resources.enter_context(
                scratch_output(setup.format_name, setup.format_options)
            )
            track = setup.track(first)
            self._video: Any = track.add_to(scratch)
            scratch.start_encoding()
        except ERRORS as error:
            self._resources.close()
            raise self._error(error) from error
        self._converted = FrameConversion(self._video.codec_context, notify)

    @property
    def parameters(self) -> str:
        """A digest of the encoder's parameter sets. Segments are joined only if theirs agree."""
        return digest_of(self._video.codec_context)

    def packets(self, frame: av.VideoFrame | None) -> Iterator[Any]:
        """The packets that are ready after this frame; `None` at the end, to flush."""
        try:
            converted = None if frame is None else self._converted(frame)
            packets = self._video.encode(converted)
        except ERRORS as error:
            raise self._error(error) from error
        yield from packets

    def close(self) -> None:
        """Close the encoder. May be called twice."""
        self._resources.close()

    def _error(self, error: BaseException) -> MediaError:
        return MediaError(f"cannot write {self._name}: {reason(error)}")


def digest_of(encoder: Any) -> str:
    """A digest of the parameter sets of an open encoder, "" if it has none in its header."""
    extradata = encoder.extradata
    return sha256(extradata).hexdigest() if extradata else ""
