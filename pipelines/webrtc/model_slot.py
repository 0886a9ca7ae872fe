"""`ModelSlot`: the model of a server, which may still be loading while the server answers."""

import logging
from collections.abc import Callable
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
            self._make_filter(self._model, self._settings)(_first_frame())
        except Exception as error:  # the edge of the thread: told to everyone who asks
            self.error, self.state = error, "failed"
            logger.warning("the model could not be loaded: %s", error,
                           exc_info=not isinstance(error, TurbolensError))  # fmt: skip
        else:
            self.state = "ready"
            logger.info("the model is ready")
        self._ended = monotonic()


def _first_frame() -> av.VideoFrame:
    """Grey, of a webcam's size: the first picture is slow, and nobody has to wait for it."""
    frame = av.VideoFrame.from_ndarray(np.full((480, 640, 3), 128, np.uint8), format="rgb24")
    frame = frame.reformat(format="yuv420p")
    frame.pts = 0
    return frame
