"""Writes filtered frames to segments, each of which is on the disk before the next one begins."""

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Generic, Protocol, TypeVar

import av

from turbolens.filter.errors import MediaError
from turbolens.pipelines.base import FrameOrPacket, Notify
from turbolens.pipelines.errors import reason

from .cutter import InputCutter
from .encoder import EncoderSetup, SegmentEncoder
from .first_frame import FirstFrame
from .manifest import ResumePoint, Segment
from .packet_file import PacketFileWriter
from .parts import Parts


class PacketSink(Protocol):
    """Where the packets of a segment go."""

    def write(self, packet: Any) -> None:
        """Append a packet."""
        ...


P = TypeVar("P", bound=PacketSink)


@dataclass
class OpenSegment(Generic[P]):
    """A segment that is being encoded."""

    encoder: SegmentEncoder
    file: P
    frames: int = field(default=0, init=False)
    has_packets: bool = field(default=False, init=False)

    def write(self, frame: av.VideoFrame | None) -> None:
        """Encode a frame; `None` at the end. Raises `MediaError`."""
        for packet in self.encoder.packets(frame):
            if not self.has_packets and not packet.is_keyframe:
                raise MediaError("the encoder did not begin with a key frame; choose another codec")
            self.has_packets = True
            self.file.write(packet)
        self.frames += frame is not None


class SegmentWriter:
    """A `Writer` that appends finished segments to `parts`. It joins nothing.

    Frames before the point where `parts` goes on are a run-up and are not written. resume_point_at:
    where to resume a segment that begins with a frame of this `pts`. damaged: how many pieces could
    not be decoded so far. end: where the last frame ends, in seconds. Raises `MediaError` if a
    segment cannot be written.
    """

    def __init__(
        self,
        parts: Parts,
        setup: EncoderSetup,
        cutter: InputCutter,
        *,
        resume_point_at: Callable[[int], ResumePoint],
        damaged: Callable[[], int],
        notify: Notify,
    ) -> None:
        self._parts, self._setup, self._cutter, self._notify = parts, setup, cutter, notify
        self._resume_point_at, self._damaged = resume_point_at, damaged
        self._run_up_to = parts.manifest.resume_point
        self._segment: OpenSegment[PacketFileWriter] | None = None
        self.last: Segment | None = None
        self.end = Fraction(0)

    def write(self, item: FrameOrPacket) -> None:
        """Encode a frame, in a new segment if it begins one."""
        if not isinstance(item, av.VideoFrame) or self._is_run_up(item):
            return
        try:
            if self._cutter.begins_segment(item):
                self._begin_segment(item)
            assert self._segment is not None  # noqa: S101 - the first frame begins one
            self._segment.write(item)
            self.end = _end_of(item)
        except OSError as error:
            raise self._error(error) from error

    def _is_run_up(self, frame: av.VideoFrame) -> bool:
        begin, pts = self._run_up_to, frame.pts or 0
        if begin is None:
            return False
        if pts < begin.pts:
            return True
        if pts > begin.pts:
            raise MediaError(
                f"{self._setup.info.name} gives other frames than before, so that the segments in"
                f" {self._parts.folder} do not fit; use --no-resume to begin anew"
            )
        self._run_up_to = None
        return False

    def _begin_segment(self, frame: av.VideoFrame) -> None:
        if self._segment is not None:
            self._parts.append(self._finished(self._resume_point_at(frame.pts or 0)))
        first = self._parts.manifest.first_frame
        if first is None:
            first = FirstFrame.of(frame)
            self._parts.set_first_frame(first)
        encoder = SegmentEncoder(self._setup, first, self._notify)
        try:
            self._segment = OpenSegment(encoder, self._parts.next_file())
        except OSError:
            encoder.close()
            raise

    def _finished(self, following: ResumePoint | None) -> Segment:
        """Complete the segment's file, on the disk."""
        assert self._segment is not None  # noqa: S101 - begun before
        segment = self._segment
        segment.write(None)
        checksum = segment.file.complete()
        self._segment = None
        parameters = segment.encoder.parameters
        segment.encoder.close()
        return Segment(
            self._parts.next_name, segment.frames, checksum, parameters, following, self._damaged()
        )

    def finish(self) -> None:
        """Complete the last segment, which is then `last`, `None` if there was no frame for it.

        The caller appends it to `parts`, unless it ends early.
        """
        try:
            if self._segment is not None:
                self.last = self._finished(None)
        except OSError as error:
            raise self._error(error) from error
        if self.last is None and not self._parts.manifest.segments:
            raise MediaError(f"{self._setup.info.name} holds no frame that could be decoded")

    def discard(self) -> None:
        """Remove the segment that is not finished. Those before it stay."""
        if self._segment is not None:
            self._segment.encoder.close()
            self._segment.file.discard()
            self._segment = None

    def _error(self, error: Any) -> MediaError:
        return MediaError(f"cannot write {self._parts.folder}: {reason(error)}")


def _end_of(frame: av.VideoFrame) -> Fraction:
    time: Fraction = ((frame.pts or 0) + (frame.duration or 0)) * Fraction(frame.time_base or 1)
    return time
