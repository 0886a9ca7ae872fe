"""Pictures for a model's adapters from files: a picture as prompt, a video of control pictures."""

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
    """The picture of a file, or the first of a video: (H, W, 3) uint8, upright.

    Raises `MediaError` where it cannot be read.
    """
    reader = open_reader(name, MediaOptions(), _ignore)
    try:
        frame = next(_frames(reader), None)
    finally:
        reader.close()
    if frame is None:
        raise MediaError(f"cannot read {name}: there is no picture in it")
    return np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)


class ControlVideo:
    """A video of depth, poses or other control pictures beside another video.

    Called with a frame of that one, it gives its own picture of the same time: the last one that is
    not later. After its end, its last picture stays. Raises `MediaError` where there is none.
    """

    def __init__(self, name: str, options: MediaOptions | None = None) -> None:
        self._name = name
        self._reader = open_reader(name, options or MediaOptions(), _ignore)
        self._frames = _frames(self._reader)
        self._shown: av.VideoFrame | None = None
        self._next = next(self._frames, None)

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The picture for this frame. Frames come in the order of their times."""
        time = _time(frame)
        while self._next is not None and (self._shown is None or _time(self._next) <= time):
            self._shown, self._next = self._next, next(self._frames, None)
        if self._shown is None:
            raise MediaError(f"cannot read {self._name}: there is no picture in it")
        return self._shown

    def close(self) -> None:
        """Close the file."""
        self._reader.close()


def _frames(reader: Reader) -> Iterator[av.VideoFrame]:
    return (item for item in reader if isinstance(item, av.VideoFrame))


def _time(frame: av.VideoFrame) -> Fraction:
    """Seconds; a frame without a time is shown at once."""
    if frame.pts is None or not frame.time_base:
        return Fraction(0)
    return frame.pts * Fraction(frame.time_base)


def _ignore(_: str) -> None:
    """What a reader notices about these is no news."""
