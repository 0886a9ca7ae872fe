"""Reads a video file or pipe: frames with exact times, and the packets of every other stream."""

from collections.abc import Iterator
from fractions import Fraction
from functools import cached_property
from typing import Any

import av

from turbolens.pipelines.base import FrameOrPacket, Notify, SourceInfo

from .container import MICROSECONDS, VideoContainer
from .decoding import DecodingTimes, FrameDecoding, decoder_of
from .preparation import FramePreparation
from .side_streams.timeline import Timeline

TAIL = Fraction(1)  # seconds read beyond the span, for packets stored later than their video frames
MAX_FAILURES = 2  # failed reads in a row after which the input has ended


class VideoReader:
    """Iterating gives `VideoFrame`s, and `Packet`s of the other streams, in the order of the file.

    Frames are deinterlaced, upright and in standard dynamic range. What cannot be decoded is
    skipped and counted in `damaged`. Use `open`; a reader closes its container.
    """

    def __init__(self, container: VideoContainer, notify: Notify) -> None:
        self._container, self._notify = container, notify
        self._video, self._span = container.video, container.span
        self._preparation = FramePreparation(notify, cropping=container.cropping)
        self._decoding = FrameDecoding(
            decoder_of(container.video), DecodingTimes.of(container), self._preparation
        )
        self._offset = container.offset
        self._timeline = Timeline(container.video, from_zero=container.span.is_whole)
        self._buffered: list[FrameOrPacket] = []
        self._items = self._read()
        self._failed_reads = 0

    @classmethod
    def open(cls, container: VideoContainer, notify: Notify) -> "VideoReader":
        """A reader that has decoded up to the first frame, since only frames tell the rotation.

        Raises `MediaError` if there is no frame, or if one needs an FFmpeg filter that is missing.
        """
        reader = cls(container, notify)
        reader._begin_decoding()
        return reader

    def _begin_decoding(self) -> None:
        """Decode up to the first frame. Closes the container if that fails."""
        self._video.thread_type, self._video.thread_count = "AUTO", 2
        try:
            self._buffer_first_frame()
        except BaseException:
            self.close()
            raise

    @property
    def damaged(self) -> int:
        """How many pieces could not be read or decoded so far."""
        return self._failed_reads + self._decoding.damaged

    def _buffer_first_frame(self) -> None:
        for item in self._items:
            self._buffered.append(item)
            if isinstance(item, av.VideoFrame):
                return
        raise self._container.no_frame()

    @cached_property
    def info(self) -> SourceInfo:
        """Rate, length, metadata and streams, after rotation and cutting."""
        container, video = self._container, self._video
        aspect = video.sample_aspect_ratio or Fraction(1)
        return SourceInfo(
            name=container.name,
            rate=container.rate,
            total_frames=container.total_frames,
            sample_aspect_ratio=1 / aspect if self._preparation.swaps_sides else aspect,
            metadata=dict(container.demuxer.metadata),
            stream_metadata=dict(video.metadata),
            chapters=tuple(container.demuxer.chapters()) if self._span.is_whole else (),
            video=video,
            streams=tuple(container.demuxer.streams),
            offset=container.offset,
        )

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._container.close()

    def __iter__(self) -> Iterator[FrameOrPacket]:
        """Frames and packets, in the order of the file. Once only."""
        yield from self._buffered
        self._buffered = []
        yield from self._items

    def _read(self) -> Iterator[FrameOrPacket]:
        self._seek()
        for packet in self._packets():
            if packet.stream is self._video:
                yield from self._decoding.frames(packet)
            elif packet.size and (kept := self._shifted(packet)):
                yield kept
            if self._decoding.is_done and self._is_past_tail(packet):
                break
        yield from self._decoding.frames(None)
        if self._timeline.joins:
            self._notify(f"timestamps begin again {self._timeline.joins}×: they are continued")

    def _seek(self) -> None:
        if self._span.start:
            try:
                self._container.demuxer.seek(int(self._offset * MICROSECONDS))
            except (av.FFmpegError, OSError):
                self._notify("cannot seek in this input: reading up to --start instead")

    def _packets(self) -> Iterator[Any]:
        """All packets. Damaged parts are skipped; two failures in a row end the input."""
        failures = 0
        while failures < MAX_FAILURES:
            try:
                for packet in self._container.demuxer.demux():
                    if packet.size == 0:
                        continue  # a flush packet: `_read` flushes the decoder itself
                    failures = 0
                    self._timeline.correct(packet)
                    yield packet
                return
            except av.FFmpegError:
                failures += 1
                self._failed_reads += 1

    def _shifted(self, packet: Any) -> Any | None:
        """A packet of another stream with times from the span's beginning; `None` if outside."""
        if self._span.is_whole or packet.pts is None:
            return packet
        time = packet.pts * packet.time_base - self._offset
        if (time < 0 and self._span.start) or (
            self._span.duration is not None and time >= self._span.duration
        ):
            return None
        shift = round(self._offset / packet.time_base)
        packet.pts -= shift
        if packet.dts is not None:
            packet.dts -= shift
        return packet

    def _is_past_tail(self, packet: Any) -> bool:
        time = packet.dts if packet.dts is not None else packet.pts
        if time is None or self._span.duration is None:
            return False
        return bool(time * packet.time_base - self._offset > self._span.duration + TAIL)
