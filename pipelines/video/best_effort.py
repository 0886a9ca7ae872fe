"""Times of decoded frames where the container's own are missing or wrong."""

import av


class BestEffortTimestamps:
    """FFmpeg's rule for the time of a frame, which PyAV leaves out.

    A frame has the `pts` of its packet, and the `dts` of the packet that completed it. The one
    that has gone back less often so far is right. From `guess_correct_pts` in FFmpeg's
    libavcodec/decode.c.
    """

    def __init__(self, *, has_pts: bool = True) -> None:
        """has_pts: False for containers that store no `pts`, where FFmpeg's are guesses."""
        self._has_pts = has_pts
        self._pts, self._dts = _Order(), _Order()

    def timestamp(self, frame: av.VideoFrame) -> int | None:
        """The time of the next frame in its time base, `None` if the file does not tell."""
        pts = frame.pts if self._has_pts else None
        dts = frame.dts
        self._dts.add(dts, otherwise=pts)
        self._pts.add(pts, otherwise=dts)
        if pts is not None and (dts is None or self._pts.faults <= self._dts.faults):
            return pts
        return dts


class _Order:
    """Counts how often a timestamp does not increase."""

    def __init__(self) -> None:
        self._last: int | None = None
        self.faults = 0

    def add(self, value: int | None, *, otherwise: int | None) -> None:
        """Add a value, or if it is `None` continue from the other timestamp."""
        if value is not None and self._last is not None and value <= self._last:
            self.faults += 1
        value = otherwise if value is None else value
        self._last = self._last if value is None else value
