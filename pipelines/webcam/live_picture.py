"""`LivePicture`: what the call sees, small, for the control page."""

from threading import Lock

import av

from turbolens.pipelines.letterbox import Fitter, own_copy
from turbolens.pipelines.video.images.files import encode_image

WIDTH = 480  # pixels


class LivePicture:
    """A sink that keeps the last frame. It is scaled and encoded only on request."""

    name = "the picture of the control page"

    def __init__(self) -> None:
        self._frame: av.VideoFrame | None = None
        self._encoded = 0, b""  # the number of the picture, and its JPEG
        self._lock = Lock()
        self.number = 0

    def write(self, frame: av.VideoFrame) -> None:
        """Keep the frame. A frame that is shown again is no new picture."""
        if frame is not self._frame:
            self._frame, self.number = frame, self.number + 1

    def jpeg(self) -> tuple[int, bytes]:
        """The number of the newest picture, and the picture as JPEG; empty before the first."""
        number, frame = self.number, self._frame
        with self._lock:
            if frame is not None and number != self._encoded[0]:
                self._encoded = number, small_jpeg(frame, WIDTH)
            return self._encoded

    def close(self) -> None:
        """Forget the frame."""
        self._frame = None


def small_jpeg(frame: av.VideoFrame, width: int) -> bytes:
    """The frame as JPEG, at most this wide (pixels). May be called while other threads use it."""
    width = min(width, frame.width) // 2 * 2
    height = max(2, round(width * frame.height / frame.width / 2) * 2)
    return encode_image(Fitter(width, height)(own_copy(frame)), ".jpg")
