"""`WebcamFilter`: loads its model with the first frame, and finds a working size by measuring."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock, Thread
from time import perf_counter
from typing import Any, TypeAlias

import av

from turbolens.filter import FilterSettings, UnavailableError
from turbolens.pipelines.base import AdjustableFilter, Notify, SupportsReproject
from turbolens.pipelines.live.working_size import SizeSearch

Load: TypeAlias = Callable[[FilterSettings], AdjustableFilter]


class WebcamFilter:
    """A frame filter that loads the actual one with the first frame, or when `preload` is called.

    So the camera and the sinks are ready at once, and the model is never loaded if `enabled` is
    off. With a `search`, the working size is found in the first seconds. `frozen` repeats the last
    frame. All methods may be called from any thread.
    """

    def __init__(
        self,
        load: Load,
        settings: FilterSettings,
        *,
        search: SizeSearch | None = None,
        notify: Notify = lambda _: None,
    ) -> None:
        self._load, self._notify = load, notify
        self._search = search
        self._settings = settings
        self._lock = Lock()
        self._inner: AdjustableFilter | None = None
        self._loading: Future[AdjustableFilter] | None = None
        self._last: av.VideoFrame | None = None
        self.frozen = False

    @property
    def settings(self) -> FilterSettings:
        """The settings as they were requested, without the size that was found."""
        return self._settings

    @property
    def size(self) -> int | None:
        """The longer side of the working picture in pixels. `None` is the model's own."""
        return self._found_size if self._settings.size is None else self._settings.size

    @property
    def _found_size(self) -> int | None:
        return None if self._search is None else self._search.size

    def update(self, **changes: Any) -> FilterSettings:
        """Change settings from the next frame on. Raises `SettingsError`, and changes nothing then.

        A `size` is used in place of the one that was found; `None` goes back to that.
        """
        with self._lock:
            settings = self._settings.replace(**changes)
            if self._inner is not None:
                self._inner.update(**self._with_found_size(changes))
            self._settings = settings
            return settings

    def _with_found_size(self, changes: dict[str, Any]) -> dict[str, Any]:
        """The changes, with the size that was found in place of a size of `None`."""
        reset = "size" in changes and changes["size"] is None
        return {**changes, "size": self._found_size} if reset else changes

    def preload(self) -> None:
        """Begin to load on another thread, unless `enabled` is off. The first frame waits for it.

        So the model loads while the camera gives its first frame.
        """
        if self._settings.enabled:
            loading = self._loading = Future[AdjustableFilter]()
            Thread(target=self._fill, args=(loading,), name="load model", daemon=True).start()

    def _fill(self, loading: "Future[AdjustableFilter]") -> None:
        try:
            loading.set_result(self._load(self._settings))
        except BaseException as error:  # noqa: BLE001 - edge of a thread: raised at the first frame
            loading.set_exception(error)

    def reset(self) -> None:
        """Forget the past frames."""
        if self._inner is not None:
            self._inner.reset()

    def state(self) -> str:
        """What the status line says about this filter besides its settings."""
        return "loading the model" if self._inner is None and self._settings.enabled else ""

    def details(self) -> dict[str, Any]:
        """Nothing besides the settings and the size."""
        return {}

    def reloaded(self) -> "WebcamFilter":
        """A new filter with these settings and this size, whose model is loaded again."""
        return WebcamFilter(self._load, self._settings, search=self._search, notify=self._notify)

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The filtered frame; while frozen the last one again, while not enabled the frame."""
        if self.frozen and self._last is not None:
            return self._last
        if not self._settings.enabled:
            self.reset()
            self._last = frame
            return frame
        inner = self._loaded()
        began, reused = perf_counter(), getattr(inner, "reused", 0)
        styled = inner(frame)
        if getattr(inner, "reused", 0) == reused:  # else it repeated its last result at no cost
            self._measure(inner, perf_counter() - began)
        self._last = styled
        return styled

    def sample(self, frame: av.VideoFrame, **changes: Any) -> av.VideoFrame:
        """The frame with other settings, beside the stream, at the size and with the model in use.

        It waits for its turn between two frames of the stream, and one of them waits for it. Raises
        `UnavailableError` while the filter is off, loading, or looking for its size.
        """
        inner = self._inner
        model = getattr(inner, "model", None)
        if inner is None or model is None or not self._settled(inner):
            raise UnavailableError("the model is off or still loading")
        from turbolens.filter import FrameFilter  # noqa: PLC0415 - torch: loaded with the model

        settings = inner.settings.replace(enabled=True, **changes)
        return FrameFilter(model, settings)(frame)

    def _settled(self, inner: AdjustableFilter) -> bool:
        """True once the filter has its final speed and size."""
        found = self._search is None or self._search.found or self._settings.size is not None
        return found and self._settings.enabled and not getattr(inner, "settling", False)

    def reproject(self, frame: av.VideoFrame) -> av.VideoFrame | None:
        """The last result as it would look in this frame. `None` if the filter cannot do that."""
        inner = self._inner
        if self.frozen or not self._settings.enabled or not isinstance(inner, SupportsReproject):
            return None
        return inner.reproject(frame)

    def _loaded(self) -> AdjustableFilter:
        """The actual filter. Loading takes seconds, in which settings may change."""
        if self._inner is not None:
            return self._inner
        loading, self._loading = self._loading, None
        inner = self._load(self._settings) if loading is None else loading.result()
        with self._lock:
            # Only what the user has set: the model may have set the rest, as its number of steps.
            changed = self._settings.model_dump(exclude_unset=True)
            inner.update(**self._with_found_size({"size": None, **changed}))
            self._inner = inner
        return inner

    def _measure(self, inner: AdjustableFilter, seconds: float) -> None:
        search = self._search
        if search is None or self._settings.size is not None:
            return
        before, was_found = search.size, search.found
        search.note(seconds, settling=getattr(inner, "settling", False))
        with self._lock:
            if search.size != before and self._settings.size is None:
                inner.update(size=search.size)
        if search.found and not was_found:
            rate = "" if search.seconds is None else f": {1 / search.seconds:.0f} frames per second"
            self._notify(f"working size {search.size} px{rate}")
