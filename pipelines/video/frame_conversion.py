"""Frames in the size and pixel format of an encoder."""

from typing import Any

import av
from av.video.reformatter import VideoReformatter

from turbolens.pipelines.base import Notify

from .video_stream import BT709, LIMITED

FULL = 2


class FrameConversion:
    """Converts frames for an encoder. A size that changes midway is a notice, once."""

    def __init__(self, encoder: Any, notify: Notify) -> None:
        self._encoder, self._notify = encoder, notify
        self._reformatter = VideoReformatter()
        self._size_changed = False

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The frame itself if nothing must be converted."""
        context = self._encoder
        same_size = (frame.width, frame.height) == (context.width, context.height)
        if same_size and frame.format.name == context.pix_fmt:
            return frame
        if not same_size:
            self._notify_size_change(frame)
        ranges = {}
        if not frame.format.is_rgb:
            full = frame.color_range == FULL
            ranges = dict.fromkeys(
                ("src_color_range", "dst_color_range"), FULL if full else LIMITED
            )
        converted = self._reformatter.reformat(
            frame, width=context.width, height=context.height, format=context.pix_fmt,
            dst_colorspace=BT709 if frame.format.is_rgb else None, **ranges,
        )  # fmt: skip
        converted.pts, converted.time_base = frame.pts, frame.time_base
        converted.duration = frame.duration
        return converted

    def _notify_size_change(self, frame: av.VideoFrame) -> None:
        if not self._size_changed:
            self._size_changed = True
            self._notify(
                f"the picture changes its size to {frame.width}×{frame.height} midway: it is scaled"
                f" to the first size"
            )
