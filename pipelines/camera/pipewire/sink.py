"""`PipeWireCamera`: a sink that programs list as a camera of PipeWire."""

from fractions import Fraction

import av

from turbolens.filter.errors import MediaError
from turbolens.pipelines.letterbox import Fitter, packed_bytes

from .daemon import why_unavailable
from .process import NodeProcess

PIXEL_FORMAT = "yuyv422"  # what webcams give, and every reader accepts


class PipeWireCamera:
    """A camera of PipeWire, "Turbolens", that other programs can choose.

    width and height in pixels; `None` takes them from the first frame. Frames are fitted into them.
    rate in frames per second. Any number of programs may read; one that stalls delays neither the
    others nor `write`. Raises `MediaError` if PipeWire does not run.
    """

    backend, device = "PipeWire", "Turbolens"
    name = "the PipeWire camera"

    def __init__(
        self,
        *,
        width: int | None = None,
        height: int | None = None,
        rate: float | Fraction = 30,
    ) -> None:
        self.rate = Fraction(rate).limit_denominator(1001)
        self._size: tuple[int, int] | None = None
        self._process: NodeProcess | None = None
        _check()
        if width is not None and height is not None:
            self._open(width, height)

    @property
    def node(self) -> int | None:
        """The number of the node. `None` if it is not open."""
        return None if self._process is None else self._process.node

    def _open(self, width: int, height: int) -> None:
        _check()
        self._size = max(2, width // 2 * 2), max(2, height // 2 * 2)
        self._fit = Fitter(*self._size, PIXEL_FORMAT)
        self._process = NodeProcess(*self._size, self.rate)

    def write(self, frame: av.VideoFrame) -> None:
        """Show the frame, with black bars if its shape differs. Raises `MediaError`."""
        if self._process is None:
            self._open(*(self._size or (frame.width, frame.height)))
        assert self._process is not None  # noqa: S101 - opened above
        self._process.send(packed_bytes(self._fit(frame)).data)

    def reopen(self) -> None:
        """Close the node and open it again with the same size. Raises `MediaError`."""
        self.close()
        if self._size is not None:
            self._open(*self._size)

    def close(self) -> None:
        """Close the node. May be called twice."""
        process, self._process = self._process, None
        if process is not None:
            process.close()


def _check() -> None:
    reason = why_unavailable()
    if reason is not None:
        raise MediaError(f"cannot open a PipeWire camera: {reason}")
