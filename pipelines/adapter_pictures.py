"""Images that go with frames, from files: an image prompt, control images, masks."""

from collections.abc import Iterator
from fractions import Fraction
from typing import TypeAlias

import av
import numpy as np
from numpy.typing import NDArray

from turbolens.filter import MediaError

from .base import Reader, ignore
from .video.media import MediaOptions, OpenInput, open_input, open_reader

Array: TypeAlias = NDArray[np.uint8]


def first_picture(name: str) -> Array:
    """The image in a file, or the first frame of a video: RGB (H, W, 3) uint8, upright.

    Raises `MediaError` if it cannot be read.
    """
    reader = open_reader(name, MediaOptions(), ignore)
    try:
        frame = next(_frames(reader), None)
    finally:
        reader.close()
    if frame is None:
        raise MediaError(f"cannot read {name}: it has no video frame")
    return np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)


class ControlVideo:
    """A video of control images, such as depth or poses, for the frames of another video.

    Call it with a frame of the other video to get the control image for that time: the last one
    that is not later. After the end, the last image stays. Raises `MediaError` for an empty video.
    """

    def __init__(
        self, name: str, options: MediaOptions | None = None, opened: OpenInput | None = None
    ) -> None:
        self._name = name
        opened = opened or open_input(name, options or MediaOptions())
        self._reader = opened.reader(ignore)
        self._frames = _frames(self._reader)
        self._current: av.VideoFrame | None = None
        self._next = next(self._frames, None)

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The control image for this frame. Frames must come in order of time."""
        time = _time(frame)
        while self._next is not None and (self._current is None or _time(self._next) <= time):
            self._current, self._next = self._next, next(self._frames, None)
        if self._current is None:
            raise MediaError(f"cannot read {self._name}: it has no video frame")
        return self._current

    def close(self) -> None:
        """Close the file."""
        self._reader.close()


class MaskVideo(ControlVideo):
    """A video of masks for the frames of another one: white where a person is, black elsewhere.

    It may have another size and frame rate, but not another shape, and it must not end before the
    other video does. Raises `MediaError` otherwise, and if it cannot be read.
    """

    def __init__(self, name: str, options: MediaOptions | None = None) -> None:
        opened = open_input(name, options or MediaOptions())
        super().__init__(name, options, opened)
        self._duration, self._rate = opened.duration, self._reader.info.rate
        self._end: Fraction | None = None

    def check_duration(self, needed: Fraction | None) -> None:
        """Raise `MediaError` if it ends before a video of this duration, as far as headers tell."""
        own = self._duration
        if needed is not None and own is not None and own + 2 / self._rate < needed:
            raise self._too_short(own, needed)

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The mask for this frame. Frames must come in order of time."""
        mask = super().__call__(frame)
        if self._next is None and self._end is None:
            self._end = _time(mask) + 1 / self._rate
        if self._end is not None and _time(frame) >= self._end:
            raise self._too_short(self._end, _time(frame))
        shapes = frame.width * mask.height, frame.height * mask.width
        if abs(shapes[0] - shapes[1]) > 0.02 * max(shapes):
            raise MediaError(
                f"--mask {self._name} must have the shape of the video, "
                f"{frame.width}×{frame.height}, got {mask.width}×{mask.height}; scale or crop it"
            )
        return mask

    def _too_short(self, end: Fraction, needed: Fraction) -> MediaError:
        return MediaError(
            f"--mask {self._name} must be as long as the video: it ends at {float(end):.2f} s, and "
            f"the video goes on at {float(needed):.2f} s; make a longer mask, or use --duration"
        )


def _frames(reader: Reader) -> Iterator[av.VideoFrame]:
    return (item for item in reader if isinstance(item, av.VideoFrame))


def _time(frame: av.VideoFrame) -> Fraction:
    """The frame's time in seconds, 0 if it has none."""
    if frame.pts is None or not frame.time_base:
        return Fraction(0)
    return frame.pts * Fraction(frame.time_base)
