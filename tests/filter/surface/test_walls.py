"""Textures of a wall stay where they are when somebody moves before it, and pan with a camera."""

import cv2
import numpy as np
from numpy.typing import NDArray

from turbolens.filter.surface.drift import Drift, Moved
from turbolens.filter.surface.seen import Seen

HEIGHT, WIDTH, STEP = 120, 160, 2.0
Levels = NDArray[np.uint8]


def _textured(height: int, width: int) -> Levels:
    noise = np.random.default_rng(0).normal(0, 120, (height, width)).astype(np.float32)
    return (128 + cv2.GaussianBlur(noise, (0, 0), 2.0)).clip(0, 255).astype(np.uint8)


def _wall(at: float) -> Levels:
    """A flat wall, and before it somebody of texture who is at `at` pixels."""
    picture = np.full((HEIGHT, WIDTH), 150, np.uint8)
    left = 50 + round(at)
    picture[40:, left : left + 50] = _textured(HEIGHT - 40, 50)
    return picture


def _panned(at: float) -> Levels:
    """A textured room with a flat sky above, of which the camera sees another part."""
    room = _textured(HEIGHT, 2 * WIDTH)
    room[: HEIGHT // 3] = 150
    return np.ascontiguousarray(room[:, 60 - round(at) : 60 - round(at) + WIDTH])


def _drifted(pictures: list[Levels], flow: NDArray[np.float32] | None) -> Moved | None:
    drift, moved = Drift(), None
    for index, levels in enumerate(pictures):
        rgb = np.repeat(levels[..., None], 3, axis=2)
        luma = levels * np.float32(1 / 255)
        moved = drift(Seen(rgb, luma, flow if index else None)).moved
    return moved


def _everywhere(x: float) -> NDArray[np.float32]:
    """A flow that says that all moves, as a search says of a wall beside somebody who does."""
    flow = np.zeros((2, HEIGHT // 2, WIDTH // 2), np.float32)
    flow[0] = x
    return flow


def test_a_wall_stays_while_somebody_moves_before_it() -> None:
    moved = _drifted([_wall(STEP * i) for i in range(6)], _everywhere(-STEP))
    assert moved is not None
    x = moved.at(HEIGHT, WIDTH)[0]
    assert np.abs(x[:20]).max() < 0.3, "the wall"
    assert np.abs(x[60:110, 70:100]).mean() > 1.0, "somebody"


def test_a_flat_sky_moves_with_a_pan() -> None:
    moved = _drifted([_panned(STEP * i) for i in range(6)], _everywhere(-STEP))
    assert moved is not None
    x = moved.at(HEIGHT, WIDTH)[0]
    expected = -STEP * 5
    assert abs(float(np.median(x[:30])) - expected) < 0.25 * abs(expected)
    assert abs(float(np.median(x[60:])) - expected) < 0.25 * abs(expected)


def test_nothing_moves_without_a_change() -> None:
    assert _drifted([_wall(0.0)] * 4, _everywhere(-STEP)) is None
