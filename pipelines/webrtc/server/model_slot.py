"""`ModelSlot`: the model of a server, which may still be loading while the server answers."""

import logging
from collections.abc import Callable
from fractions import Fraction
from itertools import count
from threading import Thread
from time import monotonic
from typing import Any, Literal

import av
import numpy as np

from turbolens.filter import FilterSettings, TurbolensError, UnavailableError
from turbolens.pipelines.base import AdjustableFilter
from turbolens.pipelines.live.working_size import SIZES, SizeSearch

logger = logging.getLogger(__name__)

State = Literal["loading", "warming", "ready", "failed"]
MakeFilter = Callable[[Any, FilterSettings], AdjustableFilter]
LIVE_FPS = 32.0  # that the filter must hold alone, so that 24 leave time for the codecs
SETTLING_SECONDS = 60.0  # for what makes it faster to be prepared, at most
SEARCH_SECONDS = 8.0
WORDS: dict[State, str] = {
    "loading": "the model is loading",
    "warming": "the model filters its first picture",
    "ready": "ready",
    "failed": "the model could not be loaded",
}


def frame_filter(model: Any, settings: FilterSettings) -> AdjustableFilter:
    """The filter of a `TurboModel`."""
    from turbolens.filter import FrameFilter  # noqa: PLC0415 - torch takes seconds

    return FrameFilter(model, settings)


def described(model: Any) -> dict[str, Any]:
    """A model as plain data; loras: the weights that its LoRAs were loaded with."""
    adapters = getattr(model, "adapters", None)
    return {
        "name": str(getattr(model, "name", "")),
        "looks": list(getattr(model, "looks", ())),
        "native_size": getattr(model, "native_size", None),
        "device": str(getattr(model, "device", "")),
        "loras": {} if adapters is None else dict(adapters.loras.weights({})),
    }


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
    def steps(self) -> tuple[int, int]:
        """How few and how many denoising steps make a good picture."""
        fewest, most = getattr(self._model, "steps", (1, 4))
        return fewest, most

    @property
    def looks(self) -> tuple[str, ...]:
        """The looks that the model names."""
        return tuple(getattr(self._model, "looks", ()))

    def require(self) -> None:
        """Raises `UnavailableError` while there is no model."""
        if self.state != "ready":
            raise UnavailableError(f"{self._words()}; try again later")

    def new_filter(self, settings: FilterSettings) -> AdjustableFilter:
        """A filter for one more stream. Raises `UnavailableError` while there is no model."""
        self.require()
        return self._make_filter(self._model, settings)

    def status(self) -> dict[str, Any]:
        """How far it is, as plain data."""
        seconds = (self._ended or monotonic()) - self._began
        return {"state": self.state, "message": self._words(), "seconds": round(seconds, 1)}

    def describe(self) -> dict[str, Any]:
        """The model as plain data."""
        return described(self._model)

    def _words(self) -> str:
        """A path of this machine is nobody's business: only errors made for users are told."""
        detail = str(self.error) if isinstance(self.error, TurbolensError) else ""
        return f"{WORDS[self.state]}: {detail}" if detail else WORDS[self.state]

    def _load(self) -> None:
        try:
            self._model = self._given() if callable(self._given) else self._given
            self.state = "warming"
            wanted = self._settings.with_steps_of(self.steps)
            self._warm_up(self._make_filter(self._model, wanted))
        except Exception as error:  # the edge of the thread: told to everyone who asks
            self.error, self.state = error, "failed"
            logger.warning("the model could not be loaded: %s", error,
                           exc_info=not isinstance(error, TurbolensError))  # fmt: skip
        else:
            self.state = "ready"
            smaller = f", with working pictures of {self.live_size} px" if self.live_size else ""
            logger.info("the model is ready%s", smaller)
        self._ended = monotonic()

    def _warm_up(self, frame_filter: AdjustableFilter) -> None:
        """The first frame is slow, and nobody has to wait for it later; then find the live size."""
        frame_filter(_frame(0))
        native = getattr(self._model, "native_size", None)
        if native is None or self._settings.size is not None:
            return
        search = SizeSearch([native, *(size for size in SIZES if size < native)], fps=LIVE_FPS)
        ends = monotonic() + SEARCH_SECONDS
        latest = monotonic() + SETTLING_SECONDS
        for number in count(1):
            if search.found or monotonic() > ends:
                break
            frame_filter.update(size=search.size)
            frame, began = _frame(number), monotonic()
            frame_filter(frame)
            seconds, settling = monotonic() - began, getattr(frame_filter, "settling", False)
            search.note(seconds, settling=settling)
            if settling and monotonic() < latest:
                ends += seconds  # what it will soon be faster than says little
        self.live_size = search.size if search.size < native else None


def _frame(number: int) -> av.VideoFrame:
    """Of a webcam's size, and each another grey: a filter may know a frame that it has seen."""
    grey = np.full((480, 640, 3), 64 + 16 * number % 128, np.uint8)
    frame = av.VideoFrame.from_ndarray(grey, format="rgb24").reformat(format="yuv420p")
    frame.pts, frame.time_base = number, Fraction(1, 30)
    return frame
