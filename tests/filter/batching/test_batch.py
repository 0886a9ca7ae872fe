"""Several frames and streams at once, coherence options, reuse, reprojection, transitions."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from turbolens.filter import FilterSettings, FrameFilter, SettingsError, TurboModel
from turbolens.filter.framefilter import filter_together

Array = NDArray[np.uint8]
Pictures = Callable[..., list[Array]]


def _one_by_one(model: TurboModel, frames: list[Array], **changes: Any) -> list[Array]:
    frame_filter = FrameFilter(model, **changes)
    return [frame_filter(frame) for frame in frames]


def _apart(first: NDArray[Any], second: NDArray[Any]) -> int:
    return int(np.abs(first.astype(int) - second.astype(int)).max())


def _noisy(frame: Array, count: int, deviation: float = 2.0) -> list[Array]:
    generator = np.random.default_rng(0)
    return [
        np.clip(frame + deviation * generator.standard_normal(frame.shape) + 0.5, 0, 255).astype(
            np.uint8
        )
        for _ in range(count)
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"steadiness": 1.0},
        {"steadiness": 0.0},
        {"noise": "advected", "strength": 1.0},
        {"feedback": 0.5},
        {"noise": "advected", "steps": 3},
        {"transition": 1.0},
    ],
)
def test_a_batch_gives_what_one_by_one_gives(
    model: TurboModel, pictures: Pictures, changes: dict[str, Any]
) -> None:
    frames = [*pictures(4), *pictures(2, seed=5)]
    batched = FrameFilter(model, **changes).batch(frames)
    single = _one_by_one(model, frames, **changes)
    assert max(_apart(a, b) for a, b in zip(batched, single, strict=True)) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("layers", ["mid", "up", "all"])
def test_cross_frame_attention_changes_later_frames_only(
    sd_folder: Path, pictures: Pictures, layers: str
) -> None:
    loaded = TurboModel.load(str(sd_folder), device="cpu", dtype="float32")
    for name, weight in loaded.unet.named_parameters():
        if ".attn1.to_out" in name:
            weight.data *= 200  # untrained attention says next to nothing
    frames = [pictures(1, seed=seed)[0] for seed in range(4)]
    settings = FilterSettings(prompt="oil painting", steadiness=0.0, strength=0.9)
    plain = _one_by_one(loaded, frames, **settings.model_dump())
    across = settings.replace(cross_frame=layers).model_dump()
    single = _one_by_one(loaded, frames, **across)
    assert _apart(plain[0], single[0]) <= 1
    assert not np.array_equal(plain[3], single[3])
    batched = FrameFilter(loaded, **across).batch(frames)
    assert max(_apart(a, b) for a, b in zip(batched, single, strict=True)) <= 1
    assert np.array_equal(_one_by_one(loaded, frames, **settings.model_dump())[3], plain[3])


@pytest.mark.slow
def test_streams_filtered_together_stay_apart(model: TurboModel, pictures: Pictures) -> None:
    settings: list[dict[str, Any]] = [
        {"prompt": "ink"},
        {"prompt": "oil", "strength": 0.4},
        {"seed": 3, "size": 72},
    ]
    streams = [FrameFilter(model, **changes) for changes in settings]
    videos = [pictures(3, seed=seed) for seed in range(3)]
    together = [filter_together(streams, list(frames)) for frames in zip(*videos, strict=True)]
    for index, changes in enumerate(settings):
        alone = _one_by_one(model, videos[index], **changes)
        ours = [frames[index] for frames in together]
        assert max(_apart(a, b) for a, b in zip(alone, ours, strict=True)) <= 1


def test_a_disabled_stream_passes_through_a_batch(model: TurboModel, pictures: Pictures) -> None:
    frame = pictures(1)[0]
    on, off = FrameFilter(model), FrameFilter(model, enabled=False)
    shown = filter_together([off, on, off], [frame, frame, frame])
    assert shown[0] is frame
    assert shown[2] is frame
    assert np.array_equal(shown[1], FrameFilter(model)(frame))


def test_filters_of_two_models_cannot_be_batched(
    model: TurboModel, sd_folder: Path, pictures: Pictures
) -> None:
    other = TurboModel.load(str(sd_folder), device="cpu", dtype="float32")
    with pytest.raises(SettingsError, match="share one TurboModel"):
        filter_together([FrameFilter(model), FrameFilter(other)], pictures(2))


def test_an_unchanged_frame_reuses_the_last_result(model: TurboModel, pictures: Pictures) -> None:
    ended: list[str] = []
    frame_filter = FrameFilter(model, on_stage=ended.append)
    shown = [frame_filter(frame) for frame in _noisy(pictures(1)[0], 8)]
    assert ended.count("denoise") == 1
    assert frame_filter.reused == 7
    assert all(np.array_equal(shown[0], later) for later in shown[1:])


def test_a_batch_of_unchanged_frames_equals_one_by_one(
    model: TurboModel, pictures: Pictures
) -> None:
    frames = pictures(3)
    repeating = [frames[0], frames[0], frames[1], frames[1], frames[1], frames[2]]
    batched = FrameFilter(model)
    shown = batched.batch(repeating)
    assert batched.reused == 3
    single = _one_by_one(model, repeating)
    assert max(_apart(a, b) for a, b in zip(shown, single, strict=True)) <= 1


def test_an_unchanged_frame_with_other_settings_is_filtered(
    model: TurboModel, pictures: Pictures
) -> None:
    frame_filter, frame = FrameFilter(model, seed=1), pictures(1)[0]
    first = frame_filter(frame)
    frame_filter.update(seed=2)
    second = frame_filter(frame)
    assert frame_filter.reused == 0
    assert np.array_equal(second, FrameFilter(model, seed=2)(frame))
    assert not np.array_equal(first, second)


def test_a_failed_result_is_not_reused(
    model: TurboModel, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = pictures(2)
    frame_filter = FrameFilter(model)
    for shown in frames:
        with monkeypatch.context() as broken:
            broken.setattr(model, "decode", _fail)
            with pytest.raises(RuntimeError, match="out of memory"):
                frame_filter(shown)
        again = frame_filter(shown)
        assert frame_filter.reused == 0
        assert not np.array_equal(again, shown)


def _fail(*_: Any) -> Any:
    raise RuntimeError("out of memory")


def test_unchanged_frames_are_filtered_on_request(model: TurboModel, pictures: Pictures) -> None:
    frame_filter = FrameFilter(model, reuse_unchanged=False)
    for _ in range(3):
        frame_filter(pictures(1)[0])
    assert frame_filter.reused == 0


def _timed(array: Array, pts: int) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(array, format="rgb24")
    frame.pts, frame.time_base = pts, Fraction(1, 10)
    return frame


def test_a_new_prompt_is_shown_at_once_or_with_a_transition(
    model: TurboModel, pictures: Pictures
) -> None:
    frame = pictures(1)[0]
    settings: dict[str, Any] = {"strength": 1.0, "steadiness": 0.0}
    old, new = (FrameFilter(model, prompt=p, **settings)(frame) for p in ("ink", "oil paint"))
    for transition, steps in ((0.0, 1), (1.0, 10)):
        frame_filter = FrameFilter(model, prompt="ink", transition=transition, **settings)
        frame_filter(_timed(frame, 0))
        frame_filter.update(prompt="oil paint")
        shown = [frame_filter(_timed(frame, pts)).to_ndarray() for pts in range(1, 13)]
        assert _apart(shown[steps], new) <= 1
        assert (_apart(shown[0], new) <= 1) == (transition == 0.0)
        assert (_apart(shown[0], old) <= 1) == (transition > 0.0)


def test_nothing_is_reprojected_before_the_first_result(
    model: TurboModel, pictures: Pictures
) -> None:
    frames = pictures(3)
    frame_filter = FrameFilter(model)
    assert frame_filter.reproject(frames[0]) is None
    frame_filter(frames[0])
    assert frame_filter.reproject(frames[1][:32]) is None
    frame_filter.reset()
    frame_filter(frames[1])
    assert frame_filter.reproject(frames[2]) is not None


def test_a_reprojected_still_frame_is_the_last_result(
    model: TurboModel, pictures: Pictures
) -> None:
    frame_filter, frame = FrameFilter(model), pictures(1)[0]
    result = frame_filter(frame)
    shown = frame_filter.reproject(frame)
    assert shown is not None
    assert _apart(shown, result) <= 2
    assert np.array_equal(frame_filter(frame), result)


def test_a_reprojected_frame_keeps_format_and_time(model: TurboModel, pictures: Pictures) -> None:
    frames = pictures(2)
    frame_filter = FrameFilter(model)
    frame_filter(_timed(frames[0], 3).reformat(format="yuv420p"))
    shown = frame_filter.reproject(_timed(frames[1], 4).reformat(format="yuv420p"))
    assert shown is not None
    assert (shown.width, shown.height, shown.format.name) == (64, 48, "yuv420p")
    assert shown.pts == 4


def test_a_disabled_filter_reprojects_nothing(model: TurboModel, pictures: Pictures) -> None:
    frame = pictures(1)[0]
    assert FrameFilter(model, enabled=False).reproject(frame) is frame
