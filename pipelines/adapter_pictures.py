"""Images for adapters from files: an image prompt, and a video of control images."""

from collections.abc import Iterator
from fractions import Fraction
from typing import TypeAlias

import av
import numpy as np
from numpy.typing import NDArray

from turbolens.filter import MediaError

from .base import Reader
from .video.media import MediaOptions, open_reader

Array: TypeAlias = NDArray[np.uint8]


def first_picture(name: str) -> Array:
    """The image in a file, or the first frame of a video: RGB (H, W, 3) uint8, upright.

    Raises `MediaError` if it cannot be read.
    """
    reader = open_reader(name, MediaOptions(), _ignore)
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

    def __init__(self, name: str, options: MediaOptions | None = None) -> None:
        self._name = name
        self._reader = open_reader(name, options or MediaOptions(), _ignore)
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


def _frames(reader: Reader) -> Iterator[av.VideoFrame]:
    return (item for item in reader if isinstance(item, av.VideoFrame))


def _time(frame: av.VideoFrame) -> Fraction:
    """The frame's time in seconds, 0 if it has none."""
    if frame.pts is None or not frame.time_base:
        return Fraction(0)
    return frame.pts * Fraction(frame.time_base)


def _ignore(_: str) -> None:
    """Drop a reader's notices."""
