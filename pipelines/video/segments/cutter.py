"""Where a video is cut into segments: at a scene cut if there is one near the wanted length."""

from fractions import Fraction

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

EARLIEST, LATEST = Fraction(3, 4), Fraction(5, 4)
"""The bounds of a segment's length, relative to the wanted one."""
SIDE = 32  # pixels of the pictures that are compared
MIN_DIFFERENCE = 20.0  # mean difference in levels at a scene cut
MIN_RATIO = 4.0  # of that difference to the mean of the frames before it
UNREADABLE_BITS = 32  # a sample; swscale aborts for some such formats


class InputCutter:
    """Cuts at the scene cuts of the input, by which the filter forgets the past.

    `look` is called with every frame before it is filtered, and `begins_segment` with the result,
    maybe on another thread. begin: the `pts` of the first frame that is not part of a run-up.
    """

    def __init__(self, seconds: Fraction, begin: int | None = None) -> None:
        self._cutter, self._begin = Cutter(seconds), begin
        self._begins: set[int] = set()

    def look(self, frame: av.VideoFrame) -> None:
        """Decide whether a segment begins with this frame."""
        pts = frame.pts or 0
        is_run_up = self._begin is not None and pts < self._begin
        if not is_run_up and self._cutter.begins_segment(frame):
            self._begins.add(pts)

    def begins_segment(self, frame: av.VideoFrame) -> bool:
        """True if the filtered frame is the first one of a segment."""
        return (frame.pts or 0) in self._begins


class Cutter:
    """Decides frame by frame whether a new segment begins.

    From 3/4 of the wanted length on, a segment ends at the next scene cut, and at 5/4 without one.
    The decisions depend only on the frames since the last one that began a segment. A scene cut
    that is missed or wrongly found is harmless: it only places the seam.
    """

    def __init__(self, seconds: Fraction) -> None:
        self._earliest, self._latest = seconds * EARLIEST, seconds * LATEST
        self._reformatter = VideoReformatter()
        self._begin: Fraction | None = None
        self._last: NDArray[np.float32] | None = None
        self._differences: list[float] = []

    def begins_segment(self, frame: av.VideoFrame) -> bool:
        """True if this frame is the first one of a segment. Call it once for every frame."""
        time = (frame.pts or 0) * Fraction(frame.time_base or 1)
        if self._begin is None:
            self._restart(time)
            return True
        length = time - self._begin
        if length < self._earliest:
            return False
        if length >= self._latest or self._is_scene_cut(frame):
            self._restart(time)
            return True
        return False

    def _restart(self, time: Fraction) -> None:
        self._begin, self._last, self._differences = time, None, []

    def _is_scene_cut(self, frame: av.VideoFrame) -> bool:
        last, self._last = self._last, self._small(frame)
        if last is None or self._last is None:
            return False
        difference = float(np.abs(self._last - last).mean())
        usual = float(np.mean(self._differences)) if self._differences else difference
        self._differences.append(difference)
        return difference > max(MIN_DIFFERENCE, MIN_RATIO * usual)

    def _small(self, frame: av.VideoFrame) -> NDArray[np.float32] | None:
        if max(component.bits for component in frame.format.components) >= UNREADABLE_BITS:
            return None
        # A reformatter of its own: two threads that use that of the frame would wait forever.
        small = self._reformatter.reformat(frame, width=SIDE, height=SIDE, format="gray")
        return small.to_ndarray().astype(np.float32)
