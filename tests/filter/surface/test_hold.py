"""`Hold`: a camera's noise does not make a surface flicker, and nothing sticks to the screen."""

import numpy as np
import pytest

from turbolens.filter.surface.hold import Hold
from turbolens.filter.surface.planes import Plane

SHARES = {"comic": 1.0}
GREY = np.full((48, 64), 0.5, np.float32)


def moved(pixels: float) -> tuple[Plane, Plane]:
    return np.full_like(GREY, pixels), np.zeros_like(GREY)


def surface(level: float) -> Plane:
    return np.full((*GREY.shape, 3), level, np.float32)


def held(luma: Plane = GREY, pixels: float = 0.0, shares: dict[str, float] = SHARES) -> float:
    """The level of a second surface of 1 after a first one of 0, in the middle."""
    hold = Hold()
    hold(surface(0.0), GREY, None, SHARES)
    return float(hold(surface(1.0), luma, moved(pixels), shares)[24, 32, 0])


def test_a_surface_stays_where_the_picture_stays() -> None:
    assert held() == pytest.approx(0.05)
    assert held(GREY + np.float32(0.5 / 255)) == pytest.approx(0.05)


@pytest.mark.parametrize(
    "change",
    [{"luma": GREY + np.float32(4 / 255)}, {"pixels": 0.4}, {"shares": {"comic": 0.9}}],
    ids=["another brightness", "texture that moves", "another strength"],
)
def test_it_begins_anew_where_something_changes(change: dict[str, object]) -> None:
    assert held(**change) == 1.0  # type: ignore[arg-type]


def test_what_changed_for_good_arrives() -> None:
    hold = Hold()
    hold(surface(0.0), GREY, None, SHARES)
    levels = [float(hold(surface(1.0), GREY, None, SHARES)[0, 0, 0]) for _ in range(90)]
    assert levels == sorted(levels)
    assert levels[-1] > 0.98


def test_another_size_and_a_reset_forget_the_past() -> None:
    hold = Hold()
    hold(surface(0.0), GREY, None, SHARES)
    small = hold(surface(1.0)[:40], GREY[:40], None, SHARES)
    assert small.min() == 1.0
    hold.reset()
    assert hold(surface(0.0)[:40], GREY[:40], None, SHARES).max() == 0.0
