"""`ModelSlot`: the model of a server, which loads while the server answers already."""

import logging
from collections.abc import Callable
from fractions import Fraction
from itertools import count
from math import inf
from threading import Event, Thread
from time import monotonic
from typing import Any, Literal

import av
import numpy as np

from turbolens.filter import FilterSettings, TurbolensError, UnavailableError
from turbolens.filter.diffusion.vocabulary import Vocabulary
from turbolens.pipelines.base import AdjustableFilter
from turbolens.pipelines.live.working_size import SIZES, SizeSearch

logger = logging.getLogger(__name__)

State = Literal["loading", "warming", "ready", "failed"]
MakeFilter = Callable[[Any, FilterSettings], AdjustableFilter]
LIVE_FPS = 32.0  # of the filter alone; with the codecs, 24 remain
FIRST_FRAMES = 2  # that are timed for first estimates of time and working size
SETTLING_SECONDS = 60.0  # to wait at most for faster networks that are being prepared
SEARCH_SECONDS = 8.0  # for the working size
MESSAGES: dict[State, str] = {
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
    """The description of a model as plain data. loras: the weights of its LoRAs when loaded."""
    adapters = getattr(model, "adapters", None)
    return {
        "name": str(getattr(model, "name", "")),
        "looks": list(getattr(model, "looks", ())),
        "native_size": getattr(model, "native_size", None),
        "device": str(getattr(model, "device", "")),
        "loras": {} if adapters is None else dict(adapters.loras.weights({})),
    }


class ModelSlot:
    """Loads a model on a thread, and makes the filters of sessions.

    model: a model, or a function that loads one. settings: those of the warm-up.
    make_filter: (model, settings) → filter, for your own models.
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
        """The working size that is live on this machine; `None` for the model's native size.

        It is estimated before the model is ready, and then measured until the first session."""
        self.frame_seconds: float | None = None
        """Estimated time of a frame with the first settings; `None` before the model is ready."""
        self._stop_measuring = Event()

    def start(self) -> None:
        """Start loading. The thread is a daemon, so a server can stop while it loads."""
        self._began = monotonic()
        Thread(target=self._load, name="load model", daemon=True).start()

    def close(self) -> None:
        """End the measurement of the working size."""
        self._stop_measuring.set()

    @property
    def steps(self) -> tuple[int, int]:
        """The lowest and the highest number of denoising steps for good results."""
        fewest, most = getattr(self._model, "steps", (1, 4))
        return fewest, most

    @property
    def looks(self) -> tuple[str, ...]:
        """The prompts that the model suggests."""
        return tuple(getattr(self._model, "looks", ()))

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The words of the model; `None` if it takes any prompt, or is not loaded."""
        return getattr(self._model, "vocabulary", None)

    def require(self) -> None:
        """Raise `UnavailableError` unless the model is ready."""
        if self.state != "ready":
            raise UnavailableError(f"{self._message()}; try again later")

    def new_filter(self, settings: FilterSettings) -> AdjustableFilter:
        """A filter for a new stream. Raises `UnavailableError` unless the model is ready."""
        self.require()
        self._stop_measuring.set()
        return self._make_filter(self._model, settings)

    def status(self) -> dict[str, Any]:
        """The state as plain data. seconds: how long it has been loading, or took to load."""
        seconds = (self._ended or monotonic()) - self._began
        return {"state": self.state, "message": self._message(), "seconds": round(seconds, 1)}

    def describe(self) -> dict[str, Any]:
        """The description of the model as plain data."""
        return described(self._model)

    def _message(self) -> str:
        """The state in words. Other errors are hidden: they may contain paths of this machine."""
        detail = str(self.error) if isinstance(self.error, TurbolensError) else ""
        return f"{MESSAGES[self.state]}: {detail}" if detail else MESSAGES[self.state]

    def _load(self) -> None:
        try:
            self._model = self._given() if callable(self._given) else self._given
            self.state = "warming"
            wanted = self._settings.with_steps_of(self.steps)
            warm_up = self._make_filter(self._model, wanted)
            warm_up(_frame(0))  # the slow first one
            seconds = _frame_seconds(warm_up)
            native = getattr(self._model, "native_size", None)
            if native is not None and self._settings.size is None:
                self.live_size = _estimated_size(seconds, native)
                seconds *= ((self.live_size or native) / native) ** 2
            self.frame_seconds = seconds
        except Exception as error:  # the edge of the thread: the state tells it
            self.error, self.state = error, "failed"
            logger.warning("the model could not be loaded: %s", error,
                           exc_info=not isinstance(error, TurbolensError))  # fmt: skip
        else:
            self._ended, self.state = monotonic(), "ready"
            logger.info("the model is ready%s", _in_words(self.live_size))
            if native is not None and self._settings.size is None:
                self._measure_size(warm_up, native)
        self._ended = self._ended or monotonic()

    def _measure_size(self, frame_filter: AdjustableFilter, native: int) -> None:
        """Replace the estimated size by a measured one, unless a session begins meanwhile."""
        try:
            size = _find_live_size(frame_filter, native, stop=self._stop_measuring)
        except Exception:  # the edge of the thread: the estimate is kept
            logger.warning("the working size could not be measured", exc_info=True)
            return
        if not self._stop_measuring.is_set() and size != self.live_size:
            self.live_size = size
            logger.info("new sessions begin%s", _in_words(size or native))


def _in_words(size: int | None) -> str:
    return f" with a working size of {size} px" if size else ""


def _sizes(native: int) -> list[int]:
    return [native, *(size for size in SIZES if size < native)]


def _frame_seconds(frame_filter: AdjustableFilter) -> float:
    """The shortest time of the first frames after the very first."""
    seconds = inf
    for number in range(1, 1 + FIRST_FRAMES):
        frame, began = _frame(number), monotonic()
        frame_filter(frame)
        seconds = min(seconds, monotonic() - began)
    return seconds


def _estimated_size(seconds: float, native: int) -> int | None:
    """The largest size that is likely to reach `LIVE_FPS`; `None` if it is the native one.

    seconds: of a frame in the native size. It is taken to grow with the number of pixels.
    """
    fast = [size for size in _sizes(native) if seconds * (size / native) ** 2 * LIVE_FPS < 1.0]
    size = max(fast, default=_sizes(native)[-1])
    return size if size < native else None


def _find_live_size(frame_filter: AdjustableFilter, native: int, *, stop: Event) -> int | None:
    """The largest size that reaches `LIVE_FPS`; `None` if it is the native one.

    While faster networks are being prepared, measurements say little, and the search takes longer.
    stop: ends the search, since sessions disturb it.
    """
    search = SizeSearch(_sizes(native), fps=LIVE_FPS)
    deadline = monotonic() + SEARCH_SECONDS
    latest = monotonic() + SETTLING_SECONDS
    for number in count(1 + FIRST_FRAMES):
        if search.found or stop.is_set() or monotonic() > deadline:
            break
        frame_filter.update(size=search.size)
        frame, began = _frame(number), monotonic()
        frame_filter(frame)
        seconds, settling = monotonic() - began, getattr(frame_filter, "settling", False)
        search.note(seconds, settling=settling)
        if settling and monotonic() < latest:
            deadline += seconds
    return search.size if search.size < native else None


def _frame(number: int) -> av.VideoFrame:
    """A grey frame of a webcam's size. Each differs, since a filter skips unchanged frames."""
    grey = np.full((480, 640, 3), 64 + 16 * number % 128, np.uint8)
    frame = av.VideoFrame.from_ndarray(grey, format="rgb24").reformat(format="yuv420p")
    frame.pts, frame.time_base = number, Fraction(1, 30)
    return frame
