"""A filter of a region: whose mask is used, what is shown when it fails, and live changes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from turbolens.filter import FrameError, FrameFilter, TurboModel
from turbolens.pipelines.scene.frames import TestScene

Array = NDArray[np.uint8]
Pictures = Callable[..., list[Array]]


def scene(frames: int = 6) -> list[tuple[Array, NDArray[np.float32]]]:
    """Pictures of the test scene with the exact masks of its figure."""
    return [(each.picture, each.person) for each in TestScene(96, 64, frames=frames)]


def masked(masks: list[Any]) -> Callable[[Any], Any]:
    """A mask function that returns these in order."""
    left = iter(masks)
    return lambda _: next(left)


@pytest.mark.parametrize("region", ["person", "background"])
def test_only_the_region_is_filtered_and_the_rest_is_exact(model: TurboModel, region: str) -> None:
    frames = scene()
    whole = FrameFilter(model, reuse_unchanged=False)
    part = FrameFilter(
        model, reuse_unchanged=False, region=region, feather=0.0,
        mask=masked([person for _, person in frames]),
    )  # fmt: skip
    for picture, person in frames:
        styled, composed = whole(picture), part(picture)
        share = person if region == "person" else 1 - person
        assert np.array_equal(composed[share == 1], styled[share == 1])
        assert np.array_equal(composed[share == 0], picture[share == 0])


@pytest.mark.parametrize("value", [None, "raises"])
@pytest.mark.parametrize("region", ["person", "background"])
def test_where_the_mask_fails_everything_is_filtered(
    model: TurboModel, value: Any, region: str, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(_: Any) -> Any:
        if value is None:
            return None
        raise ValueError("the segmenter is broken")

    whole = FrameFilter(model)
    part = FrameFilter(model, region=region, outside="black", mask=failing)
    for picture, _ in scene(2):
        assert np.array_equal(part(picture), whole(picture))
    assert ("the segmenter is broken" in caplog.text) == (value is not None)


def test_a_failure_in_between_shows_no_background_for_a_frame(model: TurboModel) -> None:
    frames = scene()
    masks: list[Any] = [person for _, person in frames]
    masks[3] = None
    part = FrameFilter(model, region="background", mask=masked(masks), reuse_unchanged=False)
    whole = FrameFilter(model, reuse_unchanged=False)
    for index, (picture, person) in enumerate(frames):
        composed, styled = part(picture), whole(picture)
        assert np.array_equal(composed[person == 0], styled[person == 0])
        assert np.array_equal(composed, styled) == (index == 3)


def test_a_mask_of_a_wrong_kind_is_an_error(model: TurboModel) -> None:
    with pytest.raises(FrameError, match="mask must be"):
        FrameFilter(model, region="person", mask=lambda _: np.zeros(3))(scene(1)[0][0])


def test_own_masks_change_over_a_still_picture(model: TurboModel) -> None:
    picture = scene(1)[0][0]
    left, right = np.zeros((64, 96), bool), np.zeros((64, 96), bool)
    left[:, :48], right[:, 48:] = True, True
    part = FrameFilter(model, region="person", feather=0.0, mask=masked([left, right, right]))
    first, second = part(picture), part(picture)
    assert np.array_equal(first[:, 50:], picture[:, 50:])
    assert np.array_equal(second[:, :46], picture[:, :46])
    assert not np.array_equal(second[:, 50:], picture[:, 50:])


def test_the_region_is_a_live_dial(model: TurboModel) -> None:
    (picture, person), *_ = scene(1)
    part = FrameFilter(model, mask=lambda _: person, feather=0.0)
    everything = part(picture)
    part.update(region="person")
    assert np.array_equal(part(picture)[person == 0], picture[person == 0])
    part.update(outside="#ff0000")
    assert (part(picture)[person == 0] == (255, 0, 0)).all()
    part.update(region="all")
    assert np.array_equal(part(picture), everything)


def test_nothing_is_computed_for_a_frame_without_the_region(
    model: TurboModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = FrameFilter(model, region="person", mask=lambda _: np.zeros((4, 4)))
    calls: list[Any] = []
    monkeypatch.setattr(model, "decode", calls.append)
    picture = scene(1)[0][0]
    assert np.array_equal(part(picture), picture)
    assert calls == []


def test_strength_zero_still_hides_the_background(model: TurboModel) -> None:
    (picture, person), *_ = scene(1)
    part = FrameFilter(
        model, strength=0.0, region="person", outside="black", mask=lambda _: person, feather=0.0
    )
    assert (part(picture)[person == 0] == 0).all()


def test_a_batch_gives_what_one_by_one_gives(model: TurboModel) -> None:
    frames = scene()
    one, many = (
        FrameFilter(model, region="background", mask=masked([person for _, person in frames]))
        for _ in range(2)
    )
    single = [one(picture) for picture, _ in frames]
    together = many.batch([picture for picture, _ in frames])
    for first, second in zip(single, together, strict=True):
        assert np.abs(first.astype(int) - second).max() <= 1


def test_a_reprojected_frame_is_composed_by_its_own_mask(model: TurboModel) -> None:
    (picture, person), (newer, newer_person), *_ = scene(2)
    part = FrameFilter(model, region="person", feather=0.0, mask=masked([person, newer_person]))
    part(picture)
    moved = part.reproject(newer)
    assert moved is not None
    assert np.array_equal(moved[newer_person == 0], newer[newer_person == 0])


def test_what_a_person_uncovers_is_not_shown_by_a_reprojection(model: TurboModel) -> None:
    """The uncovered part of the room would be shown, in other colours."""
    (picture, person), (newer, _), *_ = scene(2)
    part = FrameFilter(model, region="background", mask=lambda _: person)
    part(picture)
    assert part.reproject(newer) is None
    part.update(region="person")
    assert part.reproject(newer) is not None


@pytest.mark.slow
def test_the_network_in_the_package_leaves_the_person_as_it_is() -> None:
    part = FrameFilter(TurboModel.load(), prompt="pop art", strength=0.9, size=128,
                       region="background", texture=0.0)  # fmt: skip
    for index in (0, 8):
        shown = TestScene(640, 360)[index]
        change = np.abs(part(shown.picture).astype(int) - shown.picture.astype(int)).mean(-1)
        person = change[shown.person == 1].mean()
        background = change[shown.person == 0].mean()
        assert person < background / 2.5
