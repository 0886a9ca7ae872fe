"""`Controls`: what may be asked of a running filter, the same by data channel and by HTTP."""

from collections.abc import Callable, Collection
from typing import Any

from turbolens.filter import FilterSettings, SettingsError
from turbolens.pipelines.base import AdjustableFilter
from turbolens.pipelines.statistics import Stats
from turbolens.pipelines.webrtc.limits import Limits

Data = dict[str, Any]
Listener = Callable[[FilterSettings], None]


class Controls:
    """The dials of one running filter, within the limits of a server.

    describe: what is to be said of it besides settings and statistics. All data is plain, ready
    for JSON.
    """

    def __init__(
        self,
        frame_filter: AdjustableFilter,
        limits: Limits | None = None,
        *,
        statistics: Callable[[], Stats] = Stats,
        describe: Callable[[], Data] = dict,
    ) -> None:
        self._filter, self._limits = frame_filter, limits or Limits()
        self._first = frame_filter.settings
        self._statistics, self._describe = statistics, describe
        self._listeners: list[Listener] = []

    @property
    def settings(self) -> Data:
        """The settings of the next frame."""
        return self._filter.settings.model_dump(mode="json")

    def set(self, changes: Data) -> Data:
        """Change settings from the next frame on, and give all of them. Raises `SettingsError`."""
        wanted = within_limits(self._filter.settings.replace(**changes), self._limits)
        self._filter.update(**{name: getattr(wanted, name) for name in changes})
        for listener in self._listeners:
            listener(self._filter.settings)
        return self.settings

    def reset(self, *, settings: bool = False) -> Data:
        """Forget the past; on demand go back to the settings it began with, too."""
        self._filter.reset()
        return self.set(self._first.model_dump() if settings else {})

    def snapshot(self) -> Data:
        """All there is to say."""
        return {**self._describe(), "settings": self.settings, "statistics": self.statistics()}

    def statistics(self) -> Data:
        """The figures up to now."""
        return self._statistics().as_dict()

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Be told of every change of the settings. Gives what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)


def within_limits(settings: FilterSettings, limits: Limits) -> FilterSettings:
    """The settings, if a server of these limits can be asked for them. Raises `SettingsError`."""
    length = sum(len(text) for text, _ in settings.prompt)
    if length > limits.prompt_characters:
        raise SettingsError(
            f"prompt: all texts together have at most {limits.prompt_characters} characters here, "
            f"got {length}"
        )
    if settings.size is not None and settings.size > limits.working_size:
        raise SettingsError(f"size: at most {limits.working_size} here, got {settings.size}")
    return settings


def schema(limits: Limits, adapters: Collection[str] = ()) -> Data:
    """The JSON Schema of the settings, as a server of these limits takes them.

    A setting that is heeded only by models with an adapter says so in `needs`, unless it is here.
    """
    made: Data = FilterSettings.model_json_schema()
    for choice in made["properties"]["size"].get("anyOf", ()):
        if choice.get("type") == "integer":
            choice["maximum"] = min(choice["maximum"], limits.working_size)
    for one in made["properties"].values():
        if one.get("needs") in adapters:
            del one["needs"]
    return made
