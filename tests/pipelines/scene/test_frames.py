"""The test scene: its flow is exact, and the same arguments give the same frames."""

from fractions import Fraction
from itertools import islice

import numpy as np
import pytest
from numpy.typing import NDArray

from turbolens.pipelines.scene.frames import SceneFrame, TestScene

SMALL = (192, 108)


def warped(previous: NDArray[np.uint8], flow: NDArray[np.float32]) -> NDArray[np.float64]:
    """The previous picture, sampled bilinearly where the flow says the pixels came from."""
    height, width = flow.shape[:2]
    x = np.clip(np.arange(width)[None, :] + flow[..., 0], 0, width - 1.001)
    y = np.clip(np.arange(height)[:, None] + flow[..., 1], 0, height - 1.001)
    left, top = x.astype(int), y.astype(int)
    fx, fy = (x - left)[..., None], (y - top)[..., None]
    above = previous[top, left] * (1 - fx) + previous[top, left + 1] * fx
    under = previous[top + 1, left] * (1 - fx) + previous[top + 1, left + 1] * fx
    return np.asarray(above * (1 - fy) + under * fy)


def error(before: SceneFrame, after: SceneFrame, flow: NDArray[np.float32]) -> float:
    difference = np.abs(warped(before.picture, flow) - after.picture).mean(-1)
    return float(difference[after.visible].mean())


@pytest.mark.parametrize("index", [5, 40, 95, 130])
def test_warping_by_the_flow_gives_the_frame_where_it_is_visible(index: int) -> None:
    scene = TestScene(320, 180, shake=2.0)
    before, after = scene[index - 1], scene[index]
    assert after.visible.mean() > 0.9
    assert error(before, after, after.flow) < 2.0
    assert error(before, after, after.flow) < 0.5 * error(before, after, 0 * after.flow)


def test_the_flow_is_exact_to_a_hundredth_of_a_pixel_in_the_sky() -> None:
    scene = TestScene(*SMALL, shake=0.0)
    assert np.abs(scene[7].flow[0, 0]).max() < 1.0
    owner = scene.render(7).owner
    assert np.abs(scene[7].flow[owner == 0]).max() == 0.0


def test_what_the_figure_uncovers_is_not_visible_before() -> None:
    scene = TestScene(*SMALL)
    now, before = scene.render(11).owner, scene.render(10).owner
    uncovered = (now < before) & (before > 11) & (np.abs(scene[11].flow).max(-1) < 0.5)
    assert uncovered.any()
    assert not scene[11].visible[uncovered].any()


def test_a_cut_shows_nothing_that_was_seen() -> None:
    scene = TestScene(*SMALL, rate=4, frames=30)
    assert [frame.index for frame in scene if frame.cut] == [12, 24]
    assert not scene[12].visible.any()
    assert not scene[12].flow.any()
    assert np.abs(scene[12].picture.astype(int) - scene[11].picture).mean() > 15


def test_without_cuts_the_shot_goes_on() -> None:
    scene = TestScene(*SMALL, rate=4, cuts=False)
    assert not any(frame.cut for frame in islice(scene, 30))


def test_frames_are_the_same_in_any_order() -> None:
    forward = [frame.picture for frame in TestScene(*SMALL, rate=2, frames=8, noise=3.0)]
    scene = TestScene(*SMALL, rate=2, frames=8, noise=3.0)
    for index in (7, 0, 5, -1):
        assert np.array_equal(scene[index].picture, forward[index])


def test_another_seed_is_another_scene() -> None:
    first, second = TestScene(*SMALL, seed=1)[0], TestScene(*SMALL, seed=2)[0]
    assert np.abs(first.picture.astype(int) - second.picture).mean() > 5


def test_the_same_moment_looks_the_same_at_any_rate() -> None:
    slow, fast = TestScene(*SMALL, rate=10), TestScene(*SMALL, rate=Fraction(60))
    assert np.array_equal(slow[4].picture, fast[24].picture)


@pytest.mark.parametrize("size", [(16, 16), (33, 57), (256, 256), (108, 192)])
def test_any_size_is_filled(size: tuple[int, int]) -> None:
    frame = TestScene(*size, frames=3)[2]
    assert frame.picture.shape == (size[1], size[0], 3)
    assert frame.flow.shape == (size[1], size[0], 2)
    assert frame.picture.max(-1).min() > 0


def test_noise_has_the_deviation_that_was_asked_for() -> None:
    clean, noisy = TestScene(*SMALL)[3].picture, TestScene(*SMALL, noise=4.0)[3].picture
    middle = (clean > 30) & (clean < 225)
    assert np.std((noisy.astype(int) - clean)[middle]) == pytest.approx(4.0, rel=0.1)


def test_lighting_is_told_by_the_gain() -> None:
    scene = TestScene(*SMALL, rate=10, frames=30, lighting=True)
    gains = [scene.gain(index) for index in range(30)]
    assert set(gains) == {1.0, 1.7, 0.75}
    flash, dark = gains.index(1.7), gains.index(0.75)
    assert scene[flash].picture.mean() > 1.2 * scene[flash - 1].picture.mean()
    assert scene[dark].picture.mean() < 0.85 * scene[dark - 1].picture.mean()


def test_a_frame_knows_its_time() -> None:
    frame = TestScene(*SMALL, rate=Fraction(30000, 1001))[7].frame
    assert (frame.pts, frame.time_base) == (7, Fraction(1001, 30000))
    assert (frame.width, frame.height, frame.format.name) == (*SMALL, "rgb24")


def test_an_endless_scene_has_no_length_and_a_short_one_ends() -> None:
    with pytest.raises(TypeError, match="endless"):
        len(TestScene(*SMALL))
    scene = TestScene(*SMALL, frames=2)
    assert len(scene) == len(list(scene)) == 2
    with pytest.raises(IndexError):
        scene[2]


def test_the_person_is_what_the_figure_covers() -> None:
    scene = TestScene(*SMALL)
    frame, owner = scene[11], scene.render(11).owner
    layers = scene._layers(11)
    figure = [number for number, layer in enumerate(layers) if layer.is_person]
    assert len(figure) == 3
    assert frame.person.shape == owner.shape
    assert frame.person.min() == 0.0
    assert frame.person.max() == 1.0
    differs = (frame.person > 0.5) != np.isin(owner, figure)
    assert differs.mean() < 0.002  # edges where two half-transparent layers meet
