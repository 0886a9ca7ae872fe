"""What surfaces need of a frame is the same, bit for bit, whether it is computed ahead or not."""

from functools import partial
from threading import Event, Thread, current_thread
from threading import enumerate as all_threads
from typing import Any

import numpy as np
import pytest
import torch

from turbolens.filter import FilterSettings, FrameFilter, TurboModel
from turbolens.filter import beside as threads
from turbolens.filter.diffusion.vocabulary import Vocabulary
from turbolens.filter.settings import WeightedPrompt
from turbolens.filter.surface.canvas import Canvas
from turbolens.filter.surface.drift import Drifted, Moved
from turbolens.filter.surface.ground import Asked, Ground
from turbolens.filter.surface.layer import SurfaceLayer
from turbolens.filter.surface.looks import SURFACES
from turbolens.filter.surface.memo import Memo, once
from turbolens.filter.surface.planes import Plane, blur, luma_of, noise
from turbolens.filter.surface.seen import Seen

SHAPE = 144, 192
ALL = Vocabulary({look: (look,) for look in SURFACES}, surfaces={look: look for look in SURFACES})


@pytest.fixture(autouse=True)
def two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "processors", lambda: 2)


def picture(offset: int = 0) -> Plane:
    """A part of a soft random picture, panned by `offset` pixels."""
    height, width = SHAPE
    wide = np.dstack([noise((height, 256), 7.0, channel) for channel in "rgb"])
    shown: Plane = np.clip(wide[:, offset : offset + width] * 0.18 + 0.5, 0, 1)
    return shown.astype(np.float32)


def seen(offset: int = 0) -> Seen:
    """The frame of `picture`, which pans by two pixels to the left."""
    shown = picture(offset)
    flow = np.zeros((2, SHAPE[0] // 2, SHAPE[1] // 2), np.float32)
    flow[0] = 2.0
    return Seen((shown * 255).astype(np.uint8), luma_of(shown), flow if offset else None)


def drifted() -> Drifted:
    return Drifted(Moved(*(blur(3 * noise(SHAPE, 9.0, each), 2.0) for each in "xy")), is_new=False)


def finished(ground: Ground, asked: tuple[Asked, ...]) -> None:
    ground.begin(asked).result()


@pytest.mark.parametrize("name", SURFACES)
def test_a_surface_is_the_same_on_a_ground_that_was_computed_ahead(name: str) -> None:
    first = Canvas(picture(), ground=Ground(seen(), drifted))
    SURFACES[name](first)
    fresh = SURFACES[name](Canvas(picture(4), ground=Ground(seen(4), drifted)))
    ground = Ground(seen(4), drifted)
    finished(ground, tuple(first.asked))
    np.testing.assert_array_equal(SURFACES[name](Canvas(picture(4), ground=ground)), fresh)


@pytest.mark.parametrize("name", SURFACES)
def test_all_that_the_last_picture_needed_is_there_for_the_next_one(name: str) -> None:
    first = Canvas(picture(), ground=Ground(seen(), drifted))
    SURFACES[name](first)
    ground = Ground(seen(4), drifted)
    finished(ground, tuple(first.asked))
    ready = len(ground.memo)
    assert ready > 0
    SURFACES[name](Canvas(picture(4), ground=ground))
    assert len(ground.memo) == ready


def run(surfaces: SurfaceLayer, name: str, *, beside: bool, together: int) -> list[torch.Tensor]:
    """Results of a pan of 8 frames, planned `together` at a time."""
    results, prompts = [], [WeightedPrompt(name)]
    for begin in range(0, 16, 2 * together):
        offsets = [begin + 2 * index for index in range(together)]
        plans = [
            surfaces.plan(partial(seen, each), SHAPE, prompts, 0.9, 1.0, ahead=beside)
            for each in offsets
        ]
        for offset, plan in zip(offsets, plans, strict=True):
            rgb = torch.from_numpy((picture(offset) * 255).astype(np.uint8))
            results.append(surfaces.lay(rgb, plan))
    return results


@pytest.mark.parametrize("name", ["oil painting", "pencil sketch", "comic", "stained glass"])
@pytest.mark.parametrize("together", [1, 4])
def test_a_stream_has_the_same_results_with_and_without_the_other_thread(
    name: str, together: int
) -> None:
    alone = run(SurfaceLayer(ALL), name, beside=False, together=1)
    beside = run(SurfaceLayer(ALL), name, beside=True, together=together)
    assert all(torch.equal(*each) for each in zip(alone, beside, strict=True))
    assert not torch.equal(alone[0], alone[-1])


def test_a_filter_computes_ahead_with_the_same_results(monkeypatch: pytest.MonkeyPatch) -> None:
    model, frames = TurboModel.load(), [(picture(each) * 255).astype(np.uint8) for each in range(5)]
    settings = FilterSettings(prompt="oil painting", size=128)
    names = set[str]()
    skin: Any = Ground.skin

    def watched(ground: Ground, *args: Any) -> Any:
        names.add(current_thread().name)
        return skin(ground, *args)

    monkeypatch.setattr(Ground, "skin", watched)
    filtering = FrameFilter(model, settings)
    beside = [filtering(frame) for frame in frames]
    assert any(name.startswith("turbolens-beside") for name in names)
    monkeypatch.setattr(threads, "processors", lambda: 1)
    filtering = FrameFilter(model, settings)
    for frame, result in zip(frames, beside, strict=True):
        np.testing.assert_array_equal(filtering(frame), result)


def test_an_error_on_the_other_thread_is_raised_by_the_surface_that_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failing = Event()

    def fail(ground: Ground) -> None:
        failing.set()
        raise ArithmeticError(current_thread().name)

    def surface(canvas: Canvas) -> Plane:
        if canvas.ground.seen.flow is not None:
            canvas.ahead(fail)
        canvas.asked[fail, ()] = None
        return canvas.picture

    surfaces = SurfaceLayer(
        Vocabulary({"mine": ("mine",)}, surfaces={"mine": "mine"}), {"mine": surface}
    )
    rgb = torch.zeros((*SHAPE, 3), dtype=torch.uint8)
    plans = iter([seen(), seen(2)])
    prompts = [WeightedPrompt("mine")]
    surfaces.lay(rgb, surfaces.plan(lambda: next(plans), SHAPE, prompts, 0.9, 1.0, ahead=True))
    plan = surfaces.plan(lambda: next(plans), SHAPE, prompts, 0.9, 1.0, ahead=True)
    assert plan is not None
    assert failing.wait(20)
    with pytest.raises(ArithmeticError, match="turbolens-beside"):
        surfaces.lay(rgb, plan)


def test_a_ground_that_is_finished_is_left_alone() -> None:
    ground = Ground(seen())
    ground.finished = True
    finished(ground, ((Ground.skin, ()),))
    assert len(ground.memo) == 0


def test_many_streams_share_a_few_threads() -> None:
    for _ in range(20):
        run(SurfaceLayer(ALL), "oil painting", beside=True, together=1)
    ours = [each for each in all_threads() if each.name.startswith("turbolens-beside")]
    assert 1 <= len(ours) <= 8


def test_two_threads_compute_a_result_once_and_get_the_same_object() -> None:
    began, go_on, calls = Event(), Event(), []

    class Frame:
        def __init__(self) -> None:
            self.memo = Memo()

        @once
        def plane(self) -> Plane:
            calls.append(current_thread().name)
            began.set()
            assert go_on.wait(20)
            return np.zeros(3, np.float32)

    frame, results = Frame(), []
    threads = [Thread(target=lambda: results.append(frame.plane())) for _ in range(2)]
    threads[0].start()
    assert began.wait(20)
    threads[1].start()
    go_on.set()
    for each in threads:
        each.join(20)
    assert len(calls) == 1
    assert results[0] is results[1]
    with pytest.raises(ValueError, match="read-only"):
        results[0][0] = 1
