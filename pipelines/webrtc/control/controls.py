"""`Controls`: settings, reset and state of a running filter, for the data channel and HTTP."""

from collections.abc import Callable, Collection
from typing import Any

from turbolens.filter import FilterSettings, SettingsError
from turbolens.filter.diffusion.vocabulary import Vocabulary, readings
from turbolens.pipelines.base import Adjustable
from turbolens.pipelines.statistics import Stats
from turbolens.pipelines.webrtc.limits import Limits

Data = dict[str, Any]
Listener = Callable[[FilterSettings], None]


class Controls:
    """The settings of one running filter, within the limits of a server.

    statistics: returns the current figures. describe: returns what else belongs to a snapshot. All
    data is ready for JSON.
    """

    def __init__(
        self,
        frame_filter: Adjustable,
        limits: Limits | None = None,
        *,
        statistics: Callable[[], Stats] = Stats,
        describe: Callable[[], Data] = dict,
    ) -> None:
        self._filter, self._limits = frame_filter, limits or Limits()
        self._initial = frame_filter.settings
        self._statistics, self._describe = statistics, describe
        self._listeners: list[Listener] = []

    @property
    def settings(self) -> Data:
        """The settings of the next frame."""
        return self._filter.settings.model_dump(mode="json")

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The words of the filter's model; `None` if it takes any prompt."""
        return getattr(getattr(self._filter, "model", None), "vocabulary", None)

    def state(self) -> Data:
        """The settings of the next frame, and how the model reads their prompts."""
        return with_readings(self._filter.settings, self.vocabulary)

    def set(self, changes: Data) -> Data:
        """Change settings from the next frame on. Returns all settings; raises `SettingsError`."""
        changed = within_limits(self._filter.settings.replace(**changes), self._limits)
        self._filter.update(**{name: getattr(changed, name) for name in changes})
        for listener in self._listeners:
            listener(self._filter.settings)
        return self.settings

    def reset(self, *, settings: bool = False) -> Data:
        """Forget the previous frames. settings: reset the settings to their first values, too."""
        self._filter.reset()
        return self.set(self._initial.model_dump() if settings else {})

    def snapshot(self) -> Data:
        """Description, settings, readings of the prompts, and statistics."""
        return {**self._describe(), **self.state(), "statistics": self.statistics()}

    def statistics(self) -> Data:
        """The figures up to now."""
        return self._statistics().as_dict()

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` after every change of the settings. Returns a function that ends this."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)


def with_readings(settings: FilterSettings, vocabulary: Vocabulary | None) -> Data:
    """The settings for JSON, with `readings` of their prompts by a model with a list of looks."""
    data: Data = {"settings": settings.model_dump(mode="json")}
    found = readings(vocabulary, settings.weighted_prompts)
    return {**data, "readings": [each.as_dict() for each in found]} if found else data


def within_limits(settings: FilterSettings, limits: Limits) -> FilterSettings:
    """Return the settings if they are within these limits. Raises `SettingsError`."""
    length = sum(len(text) for text, _ in settings.prompt)
    if length > limits.prompt_characters:
        raise SettingsError(
            f"prompt: all texts together may have at most {limits.prompt_characters} characters "
            f"here, got {length}"
        )
    if settings.size is not None and settings.size > limits.working_size:
        raise SettingsError(f"size: at most {limits.working_size} here, got {settings.size}")
    return settings


def schema(limits: Limits, adapters: Collection[str] = ()) -> Data:
    """The JSON Schema of the settings, with these limits.

    A setting that only works with an adapter has the adapter's kind in `needs`, unless it is one of
    `adapters`.
    """
    json_schema: Data = FilterSettings.model_json_schema()
    for choice in json_schema["properties"]["size"].get("anyOf", ()):
        if choice.get("type") == "integer":
            choice["maximum"] = min(choice["maximum"], limits.working_size)
    for field in json_schema["properties"].values():
        if field.get("needs") in adapters:
            del field["needs"]
    return json_schema
