"""`WebcamFilter`: working size, steps, refused changes, loading of the model."""

from threading import Event, current_thread
from typing import Any

import av
import pytest

from tests.pipelines.live.live_parts import numbered
from tests.pipelines.webcam.call_parts import Look
from turbolens.filter import FilterSettings, SettingsError
from turbolens.pipelines.live.working_size import GROWTH_CALLS, MEASURED, SizeSearch
from turbolens.pipelines.webcam.filter import WebcamFilter


def test_the_size_reaches_the_filter_but_not_the_settings() -> None:
    looks: list[Look] = []

    def load(settings: FilterSettings) -> Look:
        looks.append(Look(settings))
        return looks[-1]

    search = SizeSearch((512, 256), fps=1e9)
    frame_filter = WebcamFilter(load, FilterSettings(), search=search)
    for index in range(10):
        frame_filter(numbered(index))
    assert looks[0].sizes[0] == 512
    assert looks[0].sizes[-1] == frame_filter.size == 256
    assert frame_filter.settings.size is None
    frame_filter.reloaded()(numbered(11))
    assert looks[1].sizes == [256]


def test_the_size_grows_during_the_call() -> None:
    looks: list[Look] = []
    notices: list[str] = []

    def load(settings: FilterSettings) -> Look:
        looks.append(Look(settings))
        return looks[-1]

    search = SizeSearch((512, 256))
    while not search.found:
        search.note(1.0)
    frame_filter = WebcamFilter(load, FilterSettings(), search=search, notify=notices.append)
    for index in range(2 * GROWTH_CALLS):
        frame_filter(numbered(index))
    assert (looks[0].sizes[0], looks[0].sizes[-1], frame_filter.size) == (256, 512, 512)
    assert [text[:19] for text in notices] == ["working size 512 px"]


def test_reused_results_are_not_measured() -> None:
    class Still(Look):
        reused = 0

        def __call__(self, frame: av.VideoFrame, /) -> av.VideoFrame:
            self.reused += 1
            return frame

    search = SizeSearch()
    still = WebcamFilter(Still, FilterSettings(), search=search)
    for index in range(5 * MEASURED):
        still(numbered(index))
    assert not search.found


def test_a_size_that_was_given_is_not_searched() -> None:
    fixed = WebcamFilter(Look, FilterSettings(size=320), search=SizeSearch())
    fixed(numbered(1))
    assert fixed.size == 320


def test_the_number_of_steps_that_a_model_needs_is_kept() -> None:
    looks: list[Look] = []

    def load(settings: FilterSettings) -> Look:
        looks.append(Look(settings.with_steps_of((4, 8))))
        return looks[-1]

    frame_filter = WebcamFilter(load, FilterSettings())
    frame_filter.update(strength=0.9)
    frame_filter(numbered(1))
    assert (looks[0].settings.steps, looks[0].settings.strength) == (4, 0.9)
    fewer = WebcamFilter(load, FilterSettings(steps=2))
    fewer(numbered(1))
    assert looks[1].settings.steps == 2


def test_a_size_set_in_the_call_overrides_the_one_found_until_it_is_none() -> None:
    looks: list[Look] = []

    def load(settings: FilterSettings) -> Look:
        looks.append(Look(settings))
        return looks[-1]

    frame_filter = WebcamFilter(load, FilterSettings(), search=SizeSearch((512, 256), fps=1e9))
    frame_filter(numbered(0))
    frame_filter.update(size=320)
    for index in range(10):
        frame_filter(numbered(index))
    assert (looks[0].sizes[-1], frame_filter.size) == (320, 320)
    frame_filter.update(size=None)
    for index in range(10):
        frame_filter(numbered(index))
    assert (looks[0].sizes[11], looks[0].sizes[-1]) == (512, 256)
    frame_filter.update(prompt="noir", size=None)
    frame_filter(numbered(1))
    assert (looks[0].sizes[-1], frame_filter.size) == (256, 256)


def test_a_change_that_the_filter_refuses_is_not_kept() -> None:
    class Choosy(Look):
        def update(self, **changes: Any) -> FilterSettings:
            if changes.get("lora_weights"):
                raise SettingsError("there is no such LoRA")
            return super().update(**changes)

    frame_filter = WebcamFilter(Choosy, FilterSettings())
    frame_filter(numbered(1))
    with pytest.raises(SettingsError, match="no such LoRA"):
        frame_filter.update(strength=0.9, lora_weights={"nobody": 1.0})
    assert frame_filter.settings == FilterSettings()
    frame_filter.reloaded()(numbered(2))


def test_a_filter_that_is_off_loads_no_model() -> None:
    def load(_: FilterSettings) -> Look:
        raise AssertionError("not needed")

    off = WebcamFilter(load, FilterSettings(enabled=False))
    frame = numbered(1)
    assert off(frame) is frame
    assert off.state() == ""


def test_a_preloaded_filter_is_loaded_once_and_before_the_first_frame() -> None:
    loads: list[str] = []
    begun = Event()

    def load(settings: FilterSettings) -> Look:
        loads.append(current_thread().name)
        begun.set()
        return Look(settings)

    frame_filter = WebcamFilter(load, FilterSettings())
    frame_filter.preload()
    assert begun.wait(20)
    assert frame_filter.state() == "loading the model"
    frame_filter(numbered(1))
    assert frame_filter.state() == ""
    frame_filter(numbered(2))
    assert loads == ["load model"]
    off = WebcamFilter(load, FilterSettings(enabled=False))
    off.preload()
    assert len(loads) == 1


def test_an_error_of_a_preloaded_filter_comes_with_the_first_frame() -> None:
    answers = [SettingsError("no such model"), None]

    def load(settings: FilterSettings) -> Look:
        error = answers.pop(0)
        if error is not None:
            raise error
        return Look(settings)

    frame_filter = WebcamFilter(load, FilterSettings())
    frame_filter.preload()
    with pytest.raises(SettingsError, match="no such model"):
        frame_filter(numbered(1))
    frame_filter(numbered(2))
    assert answers == []
