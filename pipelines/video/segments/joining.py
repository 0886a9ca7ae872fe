"""Joins finished segments and the other streams of the input into the output."""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from turbolens.filter.errors import MediaError
from turbolens.pipelines.base import Notify, SourceInfo
from turbolens.pipelines.video.destination import Destination
from turbolens.pipelines.video.reader import TAIL
from turbolens.pipelines.video.video_stream import VideoTrack
from turbolens.pipelines.video.writer import Encoding, VideoWriter

from .durable import sync_file, sync_folder
from .encoder import ERRORS, digest_of
from .first_frame import FirstFrame
from .manifest import Segment
from .packet_file import read_packets

EARLY_PACKETS = 100  # of other streams, by which is tried whether the container can hold them


class JoiningWriter(VideoWriter):
    """A `VideoWriter` whose video is encoded already.

    The output's own encoder is opened for its parameter sets, as in a run in one piece, and gets no
    frame.
    """

    def __init__(
        self,
        destination: Destination,
        info: SourceInfo,
        encoding: Encoding,
        *,
        first: FirstFrame,
        notify: Notify,
    ) -> None:
        super().__init__(destination, info, encoding, notify=notify)
        self._first = first
        self._last_dts: int | None = None

    def begin(self) -> None:
        """Write the header. Packets that were written before it are samples of their streams."""
        try:
            self._open(self._first.blank())
        except ERRORS as error:
            raise self._error(error) from error

    @property
    def parameters(self) -> str:
        """See `SegmentEncoder`. Known after `begin`."""
        return digest_of(self._video.codec_context)

    def write_video(self, packet: Any) -> None:
        """Copy an encoded packet of the video."""
        self._correct_dts(packet)
        packet.stream = self._video
        try:
            self._mux([packet])
        except ERRORS as error:
            raise self._error(error) from error

    def _correct_dts(self, packet: Any) -> None:
        """Let `dts` rise where one encoder begins after another.

        An encoder that reorders frames begins before its first `pts`. With variable frame rate that
        can be before the end of the one before. No `pts` is passed: at least as many frames as are
        reordered lie between.
        """
        if packet.dts is None:
            return
        if self._last_dts is not None and packet.dts <= self._last_dts:
            packet.dts = self._last_dts + 1
        self._last_dts = packet.dts

    def _flushed(self) -> Iterable[Any]:
        return ()

    def _close_output(self) -> None:
        super()._close_output()
        sync_file(Path(self._destination.writing))

    def _track(self, format_name: str, frame: av.VideoFrame) -> VideoTrack:
        track = super()._track(format_name, frame)
        return _QuietTrack(track.choice, track.info, track.frame, track.pixel_format)

    def finish(self) -> None:
        """Close the file, and give it its name once its contents are on the disk."""
        super().finish()
        sync_folder(self._destination.final.absolute().parent)


class _QuietTrack(VideoTrack):
    """A track of a blank frame. What changes was told when the first segment was encoded."""

    def notify_changes(self, video: Any, notify: Notify) -> None:
        """Tell nothing."""


def join(
    writer: JoiningWriter, folder: Path, segments: Sequence[Segment], *, others: Iterator[Any]
) -> None:
    """Write the output: the packets of these segments, and those of the other streams between them.

    folder: where the segments' files are. others: packets in the order of the input. Raises
    `MediaError` if the output cannot be written, or if the segments' parameter sets are not those
    of the output; it is discarded then.
    """
    try:
        for _, packet in zip(range(EARLY_PACKETS), others, strict=False):
            writer.write(packet)
        writer.begin()
        if {segment.parameters for segment in segments} != {writer.parameters}:
            raise MediaError(
                "the segments were encoded with different parameter sets and cannot be joined; "
                "use --no-resume to begin anew"
            )
        video = (packet for each in segments for packet in read_packets(folder / each.file))
        for is_video, packet in _by_time(video, others):
            (writer.write_video if is_video else writer.write)(packet)
        writer.finish()
    except BaseException:
        writer.discard()
        raise


def packets_before(end: Fraction, packets: Iterator[Any]) -> Iterator[Any]:
    """The packets whose time is before the end of a video, in seconds, if that ends early."""
    for packet in packets:
        time = _time(packet)
        if time < end:
            yield packet
        elif time > end + TAIL:
            return


def _by_time(video: Iterator[Any], others: Iterator[Any]) -> Iterator[tuple[bool, Any]]:
    """Packets of both in order of time, and True for those of the video.

    Others keep their order, even if their times go back.
    """
    frame, other = next(video, None), next(others, None)
    while frame is not None or other is not None:
        if other is None or (frame is not None and _time(frame) <= _time(other)):
            yield True, frame
            frame = next(video, None)
        else:
            yield False, other
            other = next(others, None)


def _time(packet: Any) -> Fraction:
    """Seconds. Packets without a time come at once."""
    time = packet.dts if packet.dts is not None else packet.pts
    return Fraction(-1) if time is None else time * Fraction(packet.time_base)
