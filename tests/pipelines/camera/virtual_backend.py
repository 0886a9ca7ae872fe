"""A pyvirtualcam backend that keeps the frames it is sent."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pyvirtualcam
import pyvirtualcam.camera
from numpy.typing import NDArray


class KeepingBackend:
    """Keeps the frames it is sent. Refuses a second writer, as real backends do."""

    opened: list["KeepingBackend"]
    name = "Keeping Camera"
    fails_to_open = ""
    fails_to_send = 0
    """How many more times sending fails."""
    closed = 0

    def __init__(
        self, *, width: int, height: int, fps: float, fourcc: int, device: str | None, **_: object
    ) -> None:
        if type(self).fails_to_open:
            raise RuntimeError(type(self).fails_to_open)
        if any(not other.closed for other in type(self).opened):
            raise RuntimeError("already in use")
        self.width, self.height, self.fps, self.fourcc = width, height, fps, fourcc
        self.wanted = device
        self.sent: list[NDArray[np.uint8]] = []
        type(self).opened.append(self)

    def send(self, frame: NDArray[np.uint8]) -> None:
        if type(self).fails_to_send:
            type(self).fails_to_send -= 1
            raise RuntimeError("the device went away")
        assert frame.ndim == 1
        assert frame.flags.c_contiguous
        self.sent.append(frame.copy())

    def luma(self, index: int = -1) -> NDArray[np.uint8]:
        """The brightness of a frame that was sent as I420, (H, W)."""
        return self.sent[index][: self.width * self.height].reshape(self.height, self.width)

    def device(self) -> str:
        return self.wanted or self.name

    def native_fourcc(self) -> int:
        return self.fourcc

    def close(self) -> None:
        self.closed += 1


@contextmanager
def keeping_backend(name: str = "keeping") -> Iterator[type[KeepingBackend]]:
    """The only backend while the block runs; its cameras are in `opened`."""

    class Backend(KeepingBackend):
        opened: list[KeepingBackend] = []  # noqa: RUF012 - one list for each test

    known = dict(pyvirtualcam.camera.BACKENDS)
    pyvirtualcam.camera.BACKENDS.clear()
    pyvirtualcam.register_backend(name, Backend)
    try:
        yield Backend
    finally:
        pyvirtualcam.camera.BACKENDS.clear()
        pyvirtualcam.camera.BACKENDS.update(known)
