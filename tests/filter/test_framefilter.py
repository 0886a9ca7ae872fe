"""One video stream: size and time, determinism, live changes, threads."""

from collections.abc import Callable
from fractions import Fraction
from threading import Thread
from typing import Any

import av
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from turbolens.filter import (
    FilterSettings,
    FrameError,
    FrameFilter,
    SettingsError,
    TurboModel,
    filter_together,
)
from turbolens.filter.framefilter import STAGES

Array = NDArray[np.uint8]
Pictures = Callable[..., list[Array]]


def _equal(first: list[Array], second: list[Array]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def _video_frame(array: Array, pts: int) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(array, format="rgb24").reformat(format="yuv420p")
    frame.pts, frame.time_base = pts, Fraction(1, 1000)
    return frame


def test_an_array_gives_an_array_of_its_size(model: TurboModel, pictures: Pictures) -> None:
    picture = pictures(1)[0]
    result = FrameFilter(model)(picture)
    assert result.shape == picture.shape
    assert result.dtype == np.uint8
    assert not np.array_equal(result, picture)


@pytest.mark.parametrize("size", [(16, 16), (33, 17), (101, 250)])
def test_any_size_is_kept(model: TurboModel, size: tuple[int, int]) -> None:
    picture = np.zeros((*size, 3), dtype=np.uint8)
    assert FrameFilter(model)(picture).shape == picture.shape


def test_a_video_frame_keeps_size_format_and_time(model: TurboModel, pictures: Pictures) -> None:
    frame = _video_frame(pictures(1)[0], pts=123)
    result = FrameFilter(model)(frame)
    assert (result.width, result.height, result.format.name) == (64, 48, "yuv420p")
    assert (result.pts, result.time_base) == (123, Fraction(1, 1000))


def test_same_seed_and_frames_give_the_same_bits(model: TurboModel, pictures: Pictures) -> None:
    frames = pictures(3)
    first, second = FrameFilter(model, seed=5), FrameFilter(model, seed=5)
    assert _equal([first(each) for each in frames], [second(each) for each in frames])


def test_another_seed_gives_another_picture(model: TurboModel, pictures: Pictures) -> None:
    frame = pictures(1)[0]
    one, other = (FrameFilter(model, seed=seed, strength=1.0)(frame) for seed in (1, 2))
    assert not np.array_equal(one, other)


@pytest.mark.parametrize(
    "changes", [{}, {"steps": 3}, {"blend_before": 0.0, "blend_after": 0.0}, {"size": 128}]
)
def test_a_batch_gives_what_one_by_one_gives(
    model: TurboModel, pictures: Pictures, changes: dict[str, Any]
) -> None:
    frames = pictures(5)
    single, batched = FrameFilter(model, **changes), FrameFilter(model, **changes)
    together = batched.batch(frames[:3]) + batched.batch(frames[3:])
    for one, other in zip([single(each) for each in frames], together, strict=True):
        assert np.abs(one.astype(int) - other).max() <= 1


def test_a_batch_may_mix_sizes(model: TurboModel, pictures: Pictures) -> None:
    frames = pictures(4)
    frames[2] = frames[2][:24]
    single, batched = FrameFilter(model), FrameFilter(model)
    together = batched.batch(frames)
    assert [each.shape for each in together] == [each.shape for each in frames]
    for one, other in zip([single(each) for each in frames], together, strict=True):
        assert np.abs(one.astype(int) - other).max() <= 1


def test_an_empty_batch_gives_nothing(model: TurboModel) -> None:
    assert FrameFilter(model).batch([]) == []


@pytest.mark.parametrize("changes", [{"enabled": False}, {"strength": 0.0}, {"mix": 0.0}])
def test_frames_pass_untouched(
    model: TurboModel, pictures: Pictures, changes: dict[str, Any]
) -> None:
    frame = pictures(1)[0]
    assert FrameFilter(model, **changes)(frame) is frame


def test_mix_is_between_input_and_filtered(model: TurboModel, pictures: Pictures) -> None:
    frame = pictures(1)[0]
    full, half = FrameFilter(model)(frame), FrameFilter(model, mix=0.5)(frame)
    expected = (full.astype(float) + frame) / 2
    assert np.abs(half - expected).max() <= 2


def test_an_update_applies_to_the_next_frame(model: TurboModel, pictures: Pictures) -> None:
    frame = pictures(1)[0]
    settings: dict[str, Any] = {"blend_before": 0.0, "blend_after": 0.0}
    changed = FrameFilter(model, **settings)
    before = changed(frame)
    changed.update(prompt="ink", strength=0.9)
    fresh = FrameFilter(model, **settings, prompt="ink", strength=0.9)
    assert np.array_equal(changed(frame), fresh(frame))
    assert not np.array_equal(changed(frame), before)


def test_a_wrong_update_changes_nothing(model: TurboModel) -> None:
    frame_filter = FrameFilter(model)
    with pytest.raises(SettingsError):
        frame_filter.update(strength=0.2, mix=7)
    assert frame_filter.settings == FilterSettings()


def test_reset_restarts_the_stream(model: TurboModel, pictures: Pictures) -> None:
    settings: dict[str, Any] = {"motion_sensitivity": 0.0, "scene_cut_sensitivity": 0.0}
    first, *_, last = pictures(8)
    frame_filter = FrameFilter(model, **settings)
    fresh = frame_filter(first)
    assert not np.array_equal(frame_filter(last), FrameFilter(model, **settings)(last))
    frame_filter.reset()
    assert np.array_equal(frame_filter(first), fresh)


def test_a_new_size_restarts_the_stream(model: TurboModel, pictures: Pictures) -> None:
    frame_filter, frame = FrameFilter(model), pictures(1)[0]
    frame_filter(frame)
    frame_filter.update(size=128)
    assert np.array_equal(frame_filter(frame), FrameFilter(model, size=128)(frame))


def test_both_kinds_of_timesteps_run_several_steps(model: TurboModel, pictures: Pictures) -> None:
    frame = pictures(1)[0]
    for timesteps in ("direct", "diffusers"):
        one, four = (FrameFilter(model, timesteps=timesteps, steps=n)(frame) for n in (1, 4))
        assert not np.array_equal(one, four)


@pytest.mark.parametrize("strength", [0.0005, 0.001, 0.01])
def test_the_smallest_strengths_run_at_any_number_of_steps(
    model: TurboModel, pictures: Pictures, strength: float
) -> None:
    frame = pictures(1)[0]
    for timesteps in ("direct", "diffusers"):
        FrameFilter(model, strength=strength, steps=4, timesteps=timesteps)(frame)


def test_the_first_frame_of_a_scene_is_that_of_a_fresh_stream(
    model: TurboModel, pictures: Pictures
) -> None:
    before, after = pictures(1, seed=1)[0], pictures(1, seed=2)[0]
    frame_filter = FrameFilter(model, scene_cut_sensitivity=1.0)
    frame_filter(before)
    fresh = FrameFilter(model, scene_cut_sensitivity=1.0)(after)
    assert np.array_equal(frame_filter(after), fresh)


@pytest.mark.parametrize(
    "frame",
    [
        "frame", None,
        np.zeros((48, 64), np.uint8), np.zeros((48, 64, 4), np.uint8),
        np.zeros((48, 64, 3), np.float32), np.zeros((1, 1, 3), np.uint8),
    ],
)  # fmt: skip
def test_anything_but_a_frame_is_refused(model: TurboModel, frame: Any) -> None:
    with pytest.raises(FrameError):
        FrameFilter(model)(frame)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("embedded",), r"model must be a TurboModel, got str; .*TurboModel\.load\('embedded'\)"),
        ((FilterSettings(), None), "model must be a TurboModel, got FilterSettings"),
        ((None, {"prompt": "neon"}), "settings must be FilterSettings, got dict; .*FilterSettings"),
    ],
)
def test_arguments_of_another_kind_are_refused(
    model: TurboModel, arguments: tuple[Any, ...], message: str
) -> None:
    first: Any = model if arguments[0] is None else arguments[0]
    with pytest.raises(SettingsError, match=message):
        FrameFilter(first, *arguments[1:])


@pytest.mark.parametrize("name", ["control", "mask"])
def test_a_picture_in_place_of_a_function_is_refused(model: TurboModel, name: str) -> None:
    picture: Any = np.zeros((48, 64), np.uint8)
    with pytest.raises(SettingsError, match=f"{name} must be .*function.*, got ndarray"):
        FrameFilter(model, **{name: picture})


def test_filters_and_frames_of_different_number_are_refused(
    model: TurboModel, pictures: Pictures
) -> None:
    with pytest.raises(ValueError, match="as many filters as frames, got 1 and 2"):
        filter_together([FrameFilter(model)], pictures(2))


def test_a_bad_frame_in_a_batch_does_not_change_the_stream(
    model: TurboModel, pictures: Pictures
) -> None:
    frames = pictures(3)
    broken, whole = FrameFilter(model), FrameFilter(model)
    broken(frames[0]), whole(frames[0])
    with pytest.raises(FrameError):
        broken.batch([frames[1], frames[2][:4]])
    assert np.array_equal(broken(frames[1]), whole(frames[1]))


@pytest.mark.slow
def test_several_filters_share_a_model_from_several_threads(
    model: TurboModel, pictures: Pictures
) -> None:
    frames = pictures(4)
    prompts = ["ink", "oil", "neon"]
    alone = [[FrameFilter(model, prompt=p).batch([f])[0] for f in frames] for p in prompts]
    results: list[list[Array]] = [[] for _ in prompts]

    def run(index: int) -> None:
        for frame in frames:
            frame_filter = FrameFilter(model, prompt=prompts[index])
            results[index].append(frame_filter(frame))

    threads = [Thread(target=run, args=(index,)) for index in range(len(prompts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(_equal(a, b) for a, b in zip(alone, results, strict=True))


def test_one_filter_may_be_changed_while_it_runs(model: TurboModel, pictures: Pictures) -> None:
    frame_filter, frame = FrameFilter(model), pictures(1)[0]

    def change() -> None:
        for number in range(100):
            frame_filter.update(strength=number / 100, seed=number)
            frame_filter.reset()

    thread = Thread(target=change)
    thread.start()
    for _ in range(10):
        frame_filter(frame)
    thread.join()
    assert frame_filter.settings.seed == 99


def test_every_stage_is_reported_in_order(model: TurboModel, pictures: Pictures) -> None:
    ended: list[str] = []
    FrameFilter(model, on_stage=ended.append)(pictures(1)[0])
    assert tuple(ended) == STAGES


def test_results_are_never_overwritten(model: TurboModel, pictures: Pictures) -> None:
    frames, frame_filter = pictures(2), FrameFilter(model)
    first = frame_filter(frames[0])
    kept = first.copy()
    frame_filter(frames[1])
    assert np.array_equal(first, kept)


def test_gradients_stay_on_for_the_caller(model: TurboModel, pictures: Pictures) -> None:
    FrameFilter(model)(pictures(1)[0])
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


@pytest.mark.slow
def test_a_transition_over_a_still_image_reaches_the_new_style() -> None:
    """The blended result lags behind the transition."""
    model = TurboModel.load("embedded", device="cpu", dtype="float32")
    still = np.linspace(0, 255, 64 * 64 * 3).reshape(64, 64, 3).astype(np.uint8)
    settings: dict[str, Any] = {"strength": 0.8, "size": 64}
    frame_filter = FrameFilter(model, prompt="oil painting", transition=0.5, **settings)
    for pts in range(0, 300, 33):
        frame_filter(_video_frame(still, pts))
    frame_filter.update(prompt="neon")
    for pts in range(330, 4000, 33):
        last = frame_filter(_video_frame(still, pts))
    wanted = FrameFilter(model, prompt="neon", **settings)(_video_frame(still, 0))
    apart = last.to_ndarray(format="rgb24").astype(int) - wanted.to_ndarray(format="rgb24")
    assert np.abs(apart).mean() < 2.0
    assert frame_filter.reused > 0  # and then it rests
