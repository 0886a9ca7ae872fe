"""Readers for the two passes over an input: the video's frames, and then all other streams."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av

from turbolens.pipelines.base import FrameOrPacket, Notify
from turbolens.pipelines.video.container import VideoContainer
from turbolens.pipelines.video.reader import VideoReader

from .manifest import ResumePoint

KEY_INTERVAL = Fraction(1)  # seconds between two key frames that are remembered


class FrameReader(VideoReader):
    """The frames of the video alone, from the run-up of a segment on. Use `open_at`.

    All packets are read, so that timestamps are repaired as in a run from the beginning, but only
    those from the key frame before the run-up are decoded. run_up: how many of the frames so far
    belong to it.
    """

    def __init__(self, container: VideoContainer, notify: Notify) -> None:
        super().__init__(container, notify)
        self._begin: ResumePoint | None = None
        self._exact = container.has_pts  # False once a packet had no `pts`
        self._count = 0
        self.run_up = 0
        self._key_frames: list[tuple[int, int]] = []  # pts and number of the packet

    @classmethod
    def open_at(
        cls, container: VideoContainer, begin: ResumePoint | None, notify: Notify
    ) -> "FrameReader":
        """A reader that begins there, `None` for the beginning. Raises as `VideoReader.open`."""
        reader = cls(container, notify)
        reader._begin = begin
        reader._begin_decoding()
        return reader

    def key_frame_before(self, pts: int) -> int:
        """The number of the packet from which to decode a frame of this `pts`.

        0, for the beginning, if a timestamp was missing or wrong: repairs depend on all frames
        before. May be called on another thread.
        """
        if not self._exact or self._decoding.repaired:
            return 0
        return next((number for key, number in reversed(self._key_frames[:]) if key <= pts), 0)

    def __iter__(self) -> Iterator[FrameOrPacket]:
        """The frames. Once only."""
        for item in super().__iter__():
            if isinstance(item, av.VideoFrame) and self._is_wanted(item.pts or 0):
                yield item

    def _is_wanted(self, pts: int) -> bool:
        if self._begin is None or pts >= self._begin.pts:
            return True
        wanted = pts >= self._begin.run_up_pts
        self.run_up += wanted
        return wanted

    def _packets(self) -> Iterator[Any]:
        first = 0 if self._begin is None else self._begin.packet
        for packet in super()._packets():
            if packet.stream is not self._video:
                continue
            if packet.is_keyframe:
                self._note_key_frame(packet)
            self._count += 1
            if self._count > first:
                yield packet

    def _note_key_frame(self, packet: Any) -> None:
        if packet.pts is None:
            self._exact = False
            return
        time_base = Fraction(packet.time_base)
        pts = packet.pts - round(self._offset / time_base)
        last = self._key_frames[-1][0] if self._key_frames else None
        if last is None or (pts - last) * time_base >= KEY_INTERVAL:
            self._key_frames.append((pts, self._count))


class OtherStreamsReader(VideoReader):
    """The packets beside the video. No frame but the first is decoded. Use `open`."""

    _is_open = False

    @classmethod
    def open(cls, container: VideoContainer, notify: Notify) -> "OtherStreamsReader":
        """A reader that has decoded the first frame, whose rotation belongs to `info`."""
        reader = super().open(container, notify)
        assert isinstance(reader, cls)  # noqa: S101 - for the type checker
        reader._is_open = True
        return reader

    def packets(self) -> Iterator[Any]:
        """The packets beside the video, in the order of the file. Once only."""
        return (item for item in self if not isinstance(item, av.VideoFrame))

    def _packets(self) -> Iterator[Any]:
        """Without those of the video, once the first frame is decoded."""
        for packet in super()._packets():
            if not self._is_open or self._decoding.is_done or packet.stream is not self._video:
                yield packet
            elif self._is_after_span(packet):
                self._decoding.is_done = True  # as if the frame had been decoded: reading ends soon

    def _is_after_span(self, packet: Any) -> bool:
        if packet.pts is None or self._span.duration is None:
            return False
        return bool(packet.pts * packet.time_base - self._offset >= self._span.duration)
