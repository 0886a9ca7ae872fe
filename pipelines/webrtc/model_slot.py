"""`ModelSlot`: the model of a server, which may still be loading while the server answers."""

import logging
from collections.abc import Callable
from fractions import Fraction
from threading import Thread
from time import monotonic
from typing import Any, Literal

import av
import numpy as np

from turbolens.filter import FilterSettings, TurbolensError, UnavailableError
from turbolens.pipelines.base import LiveFilter

logger = logging.getLogger(__name__)

State = Literal["loading", "warming", "ready", "failed"]
MakeFilter = Callable[[Any, FilterSettings], LiveFilter]
WARM_UP = 4  # frames
LIVE_SECONDS = 0.03  # a frame, so that 24 a second leave time for the codecs
LEAST_SIZE, SIZE_STEP = 256, 64  # pixels; below it too little is left of a face
WORDS: dict[State, str] = {
    "loading": "the model is loading",
    "warming": "the model filters its first picture",
    "ready": "ready",
    "failed": "the model could not be loaded",
}


def frame_filter(model: Any, settings: FilterSettings) -> LiveFilter:
    """The filter of a `TurboModel`."""
    from turbolens.filter import FrameFilter  # noqa: PLC0415 - torch takes seconds

    return FrameFilter(model, settings)


class ModelSlot:
    """A model, or a function that loads one, which `start` calls on a thread.

    make_filter: model and settings → filter; for models of your own.
    """

    def __init__(
        self, model: Any, settings: FilterSettings, make_filter: MakeFilter = frame_filter
    ) -> None:
        self._given, self._settings, self._make_filter = model, settings, make_filter
        self._model: Any = None
        self._began = monotonic()
        self._ended: float | None = None
        self.state: State = "loading"
        self.error: Exception | None = None
        self.live_size: int | None = None
        """The working size to filter live at on this machine, none for the model's own."""

    def start(self) -> None:
        """Begin to load. The thread is a daemon: a server can stop while it loads."""
        self._began = monotonic()
        Thread(target=self._load, name="load model", daemon=True).start()

    @property
    def looks(self) -> tuple[str, ...]:
        """The looks that the model names."""
        return tuple(getattr(self._model, "looks", ()))

    def require(self) -> None:
        """Raises `UnavailableError` while there is no model."""
        if self.state != "ready":
            raise UnavailableError(f"{self._words()}; try again later")

    def new_filter(self, settings: FilterSettings) -> LiveFilter:
        """A filter for one more stream. Raises `UnavailableError` while there is no model."""
        self.require()
        return self._make_filter(self._model, settings)

    def status(self) -> dict[str, Any]:
        """How far it is, as plain data."""
        seconds = (self._ended or monotonic()) - self._began
        return {"state": self.state, "message": self._words(), "seconds": round(seconds, 1)}

    def describe(self) -> dict[str, Any]:
        """The model as plain data."""
        return {
            "name": str(getattr(self._model, "name", "")),
            "looks": list(self.looks),
            "native_size": getattr(self._model, "native_size", None),
            "device": str(getattr(self._model, "device", "")),
        }

    def _words(self) -> str:
        """A path of this machine is nobody's business: only errors made for users are told."""
        detail = str(self.error) if isinstance(self.error, TurbolensError) else ""
        return f"{WORDS[self.state]}: {detail}" if detail else WORDS[self.state]

    def _load(self) -> None:
        try:
            self._model = self._given() if callable(self._given) else self._given
            self.state = "warming"
            seconds = _seconds_a_frame(self._make_filter(self._model, self._settings))
            self.live_size = live_size(getattr(self._model, "native_size", None), seconds)
        except Exception as error:  # the edge of the thread: told to everyone who asks
            self.error, self.state = error, "failed"
            logger.warning("the model could not be loaded: %s", error,
                           exc_info=not isinstance(error, TurbolensError))  # fmt: skip
        else:
            self.state = "ready"
            smaller = f"; working pictures of {self.live_size} pixels" if self.live_size else ""
            logger.info("the model is ready: %.0f ms a frame%s", seconds * 1000, smaller)
        self._ended = monotonic()


def live_size(native_size: int | None, seconds: float) -> int | None:
    """The working size that is live where the model's own took so long a frame; none: its own."""
    if native_size is None or seconds <= LIVE_SECONDS:
        return None
    fitting = int(native_size * (LIVE_SECONDS / seconds) ** 0.5) // SIZE_STEP * SIZE_STEP
    size = max(LEAST_SIZE, fitting)
    return size if size < native_size else None


def _seconds_a_frame(frame_filter: LiveFilter) -> float:
    """The fastest of a few; the first is slow, and nobody has to wait for it later."""
    times: list[float] = []
    for number in range(WARM_UP):
        frame = _frame(number)
        began = monotonic()
        frame_filter(frame)
        times.append(monotonic() - began)
    return min(times)


def _frame(number: int) -> av.VideoFrame:
    """Of a webcam's size, and each another grey: a filter may know a frame that it has seen."""
    grey = np.full((480, 640, 3), 64 + 32 * number, np.uint8)
    frame = av.VideoFrame.from_ndarray(grey, format="rgb24").reformat(format="yuv420p")
    frame.pts, frame.time_base = number, Fraction(1, 30)
    return frame
