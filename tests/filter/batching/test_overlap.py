"""Frames of a stream that overlap: the results of one call per frame, whatever happens between."""

from collections.abc import Callable, Iterator
from itertools import count
from threading import current_thread
from typing import Any

import av
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from turbolens.filter import FrameError, FrameFilter, TurboModel
from turbolens.filter import beside as threads
from turbolens.filter.batching import batch

pytestmark = pytest.mark.slow

Array = NDArray[np.uint8]
Pictures = Callable[..., list[Array]]
LAST = "nothing more"


@pytest.fixture(autouse=True)
def two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "processors", lambda: 2)
    monkeypatch.setattr("turbolens.filter.batching.overlap.processors", lambda: 2)


@pytest.fixture(scope="module")
def embedded() -> TurboModel:
    """The embedded model, whose looks have surfaces."""
    return TurboModel.load("embedded", device="cpu")


def _film(pictures: Pictures) -> list[Array]:
    """A pan with a repeated frame and a cut."""
    first, second = pictures(5), pictures(4, seed=5)
    return [*first, first[-1], first[-1], *second]


def _one_by_one(frame_filter: FrameFilter, frames: list[Array]) -> list[Array]:
    return [frame_filter(frame) for frame in frames]


def _assert_same(results: list[Array], expected: list[Array]) -> None:
    assert len(results) == len(expected)
    for result, other in zip(results, expected, strict=True):
        np.testing.assert_array_equal(result, other)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"texture": 0.0},
        {"steadiness": 0.0},
        {"noise": "advected", "strength": 1.0},
        {"feedback": 0.5},
        {"size": 96, "detail": 0.5},
        {"region": "person"},
        {"mix": 0.0},
        {"reuse_unchanged": False},
    ],
)
def test_overlapping_frames_are_those_of_one_by_one(
    embedded: TurboModel, pictures: Pictures, changes: dict[str, Any]
) -> None:
    film = _film(pictures)
    alone, overlapping = (FrameFilter(embedded, prompt="van gogh", **changes) for _ in range(2))
    _assert_same(list(overlapping.frames(film)), _one_by_one(alone, film))
    assert overlapping.reused == alone.reused
    assert overlapping.texture_shift == alone.texture_shift
    _assert_same([overlapping(film[0])], [alone(film[0])])


def test_the_next_frame_is_prepared_and_the_last_finished_on_other_threads(
    embedded: TurboModel, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: dict[str, set[str]] = {}

    def noted(name: str) -> Any:
        inner = getattr(batch, name)

        def call(*args: Any) -> Any:
            used.setdefault(name, set()).add(current_thread().name)
            return inner(*args)

        return call

    for name in ("prepared", "finished", "styled"):
        monkeypatch.setattr(f"turbolens.filter.batching.overlap.{name}", noted(name))
    frame_filter = FrameFilter(embedded, prompt="oil painting")
    assert len(list(frame_filter.frames(pictures(12)))) == 12
    assert used["styled"] == {current_thread().name}
    for name in ("prepared", "finished"):
        assert any(each.startswith("turbolens-beside") for each in used[name]), name


def test_a_result_comes_after_the_next_frame_has_been_taken(
    embedded: TurboModel, pictures: Pictures
) -> None:
    happened: list[str] = []

    def frames() -> Iterator[Array]:
        for number, picture in enumerate(pictures(3)):
            happened.append(f"taken {number}")
            yield picture
        happened.append(LAST)

    for number, _ in enumerate(FrameFilter(embedded).frames(frames())):
        happened.append(f"result {number}")
    assert happened == [
        "taken 0", "taken 1", "taken 2", "result 0", LAST, "result 1", "result 2",
    ]  # fmt: skip


def test_on_one_processor_a_frame_is_finished_before_the_next_one_is_begun(
    embedded: TurboModel, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("turbolens.filter.batching.overlap.processors", lambda: 1)
    film = _film(pictures)
    alone, overlapping = (FrameFilter(embedded, prompt="comic") for _ in range(2))
    assert not overlapping.overlaps
    _assert_same(list(overlapping.frames(film)), _one_by_one(alone, film))


@pytest.mark.parametrize(
    "changes",
    [{"prompt": "comic"}, {"size": 96}, {"enabled": False}, {"texture": 0.0}, {"seed": 7}],
)
def test_settings_apply_from_the_next_frame_that_is_taken(
    embedded: TurboModel, pictures: Pictures, changes: dict[str, Any]
) -> None:
    film = pictures(9)
    alone, overlapping = (FrameFilter(embedded, prompt="van gogh") for _ in range(2))
    was = {name: getattr(alone.settings, name) for name in changes}

    def changed(frame_filter: FrameFilter) -> Iterator[Array]:
        for number, picture in enumerate(film):
            if number in (3, 6):
                frame_filter.update(**(changes if number == 3 else was))
            yield picture

    expected = [alone(picture) for picture in changed(alone)]
    _assert_same(list(overlapping.frames(changed(overlapping))), expected)


@pytest.mark.parametrize("number_of_reset", [1, 3])
@pytest.mark.parametrize("feedback", [0.0, 0.5])
def test_a_reset_applies_to_the_next_frame_that_is_taken(
    embedded: TurboModel, pictures: Pictures, number_of_reset: int, feedback: float
) -> None:
    film = pictures(6)
    alone, overlapping = (
        FrameFilter(embedded, prompt="mosaic", feedback=feedback) for _ in range(2)
    )

    def with_reset(frame_filter: FrameFilter) -> Iterator[Array]:
        for number, picture in enumerate(film):
            if number == number_of_reset:
                frame_filter.reset()
            yield picture

    expected = [alone(picture) for picture in with_reset(alone)]
    _assert_same(list(overlapping.frames(with_reset(overlapping))), expected)


def test_frames_of_another_size_are_filtered_anew(embedded: TurboModel, pictures: Pictures) -> None:
    film = [*pictures(3), *(picture[:40] for picture in pictures(3)), *pictures(2)]
    alone, overlapping = (FrameFilter(embedded, prompt="van gogh") for _ in range(2))
    _assert_same(list(overlapping.frames(film)), _one_by_one(alone, film))


@pytest.mark.parametrize("broken", ["encode_rgb", "decode"])
def test_a_frame_that_fails_raises_and_later_ones_are_filtered(
    model: TurboModel, pictures: Pictures, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    film, frame_filter = pictures(4), FrameFilter(model)
    results = frame_filter.frames([*film, film[-1]])
    first = next(results)
    with monkeypatch.context() as patched:
        patched.setattr(model, broken, _fail)
        with pytest.raises(RuntimeError, match="out of memory"):
            list(results)
    _assert_same([first], [FrameFilter(model)(film[0])])
    again = frame_filter(film[-1])
    assert frame_filter.reused == 0
    assert not np.array_equal(again, film[-1])


@pytest.mark.parametrize("number", [1, 2, 4])
@pytest.mark.parametrize("feedback", [0.0, 0.5])
def test_the_frames_before_one_that_fails_have_results(
    model: TurboModel,
    pictures: Pictures,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    feedback: float,
) -> None:
    film, decode, calls = pictures(6), model.decode, count()

    def decode_some(latents: torch.Tensor) -> torch.Tensor:
        return _fail() if next(calls) == number else decode(latents)

    expected = _one_by_one(FrameFilter(model, feedback=feedback), film[:number])
    monkeypatch.setattr(model, "decode", decode_some)
    results, error = _until_error(FrameFilter(model, feedback=feedback).frames(film))
    assert str(error) == "out of memory"
    _assert_same(results, expected)


@pytest.mark.parametrize("number", [0, 1, 3])
def test_the_frames_before_an_error_of_their_source_have_results(
    model: TurboModel, pictures: Pictures, number: int
) -> None:
    film = pictures(number)

    def broken_source() -> Iterator[Array]:
        yield from film
        raise OSError("the disk is gone")

    results, error = _until_error(FrameFilter(model).frames(broken_source()))
    assert str(error) == "the disk is gone"
    _assert_same(results, _one_by_one(FrameFilter(model), film))


def _until_error(results: Iterator[Array]) -> tuple[list[Array], Exception | None]:
    given: list[Array] = []
    try:
        for result in results:
            given.append(result)  # noqa: PERF402 - those before the error count
    except (RuntimeError, OSError) as error:
        return given, error
    return given, None


def _fail(*_: Any) -> Any:
    raise RuntimeError("out of memory")


def test_ctrl_c_in_the_networks_is_raised_at_once(
    model: TurboModel, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = FrameFilter(model).frames(pictures(4))
    next(results)

    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(model, "decode", interrupted)
    with pytest.raises(KeyboardInterrupt):  # not after one more result, where a `break` loses it
        next(results)


def test_a_surface_that_fails_raises_for_its_frame(
    embedded: TurboModel, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame_filter = FrameFilter(embedded, prompt="van gogh")
    results = frame_filter.frames(pictures(5))
    next(results)
    with monkeypatch.context() as patched:
        patched.setattr(frame_filter._stream._surface, "lay", _fail)
        with pytest.raises(RuntimeError, match="out of memory"):
            list(results)
    assert len(list(frame_filter.frames(pictures(3)))) == 3


def test_a_frame_that_cannot_be_read_raises_after_the_results_before_it(
    model: TurboModel, pictures: Pictures
) -> None:
    good = [av.VideoFrame.from_ndarray(picture, format="rgb24") for picture in pictures(3)]
    bad = av.VideoFrame(64, 48, "pal8")
    frame_filter = FrameFilter(model)
    results = frame_filter.frames([*good, bad])
    for _ in good:
        next(results)
    with pytest.raises(FrameError, match="pal8"):
        next(results)
    assert len(list(frame_filter.frames(good))) == 3


def test_a_stream_may_be_left_in_the_middle(embedded: TurboModel, pictures: Pictures) -> None:
    film = pictures(6)
    frame_filter = FrameFilter(embedded, prompt="van gogh")
    results = frame_filter.frames(film)
    next(results)
    results.close()  # type: ignore[attr-defined]
    frame_filter.reset()
    _assert_same(
        list(frame_filter.frames(film)), _one_by_one(FrameFilter(embedded, prompt="van gogh"), film)
    )


def test_no_frames_give_no_results(model: TurboModel) -> None:
    assert list(FrameFilter(model).frames([])) == []
