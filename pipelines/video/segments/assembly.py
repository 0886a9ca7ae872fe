"""Writes the output from the finished segments of a video and the other streams of its input."""

from fractions import Fraction

from turbolens.pipelines.base import Notify
from turbolens.pipelines.video.container import Span, VideoContainer
from turbolens.pipelines.video.destination import Destination
from turbolens.pipelines.video.media import MediaOptions
from turbolens.pipelines.video.outputs import VideoOutput

from .joining import JoiningWriter, join, packets_before
from .manifest import Segment
from .parts import Parts
from .reader import OtherStreamsReader


def write_output(
    parts: Parts,
    source: str,
    output: VideoOutput,
    options: MediaOptions,
    *,
    tail: Segment | None = None,
    end: Fraction | None = None,
    notify: Notify,
) -> None:
    """Join all finished segments and then `tail`. Raises `MediaError`.

    end: in seconds, where the other streams end if the video does so early.
    """
    manifest = parts.manifest
    assert manifest.first_frame is not None  # noqa: S101 - a frame was written
    container = VideoContainer.open(
        source, span=Span(options.start, options.duration), format_name=options.input_format
    )
    reader = OtherStreamsReader.open(container, notify)
    try:
        destination = Destination(output.name, overwrite=options.overwrite, temporary=parts.joined)
        writer = JoiningWriter(
            destination, reader.info, output.encoding, first=manifest.first_frame, notify=notify
        )
        segments, others = list(manifest.segments), reader.packets()
        if tail is not None:
            segments.append(tail)
        if end is not None:
            others = packets_before(end, others)
        join(writer, parts.folder, segments, others=others)
    finally:
        reader.close()
