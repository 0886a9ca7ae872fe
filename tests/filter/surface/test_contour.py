"""Contours: smooth lines without gaps, of the width that they are meant to have."""

import numpy as np

from turbolens.filter.surface.canvas import Canvas
from turbolens.filter.surface.looks import SURFACES
from turbolens.filter.surface.media.contour import Pen, inked, tracks, within
from turbolens.filter.surface.planes import Plane, blur, cv2, luma_of

SHAPE = 384, 512
PEN = Pen()


def places() -> tuple[Plane, Plane]:
    y, x = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]].astype(np.float32)
    return x, y


def picture_of(luma: Plane, noise_levels: float = 0.0, seed: int = 3) -> Plane:
    noise = np.random.default_rng(seed).normal(0, noise_levels / 255, luma.shape)
    return np.ascontiguousarray(np.dstack([blur(luma, 0.8) + noise] * 3), np.float32)


def discs(noise_levels: float = 0.0) -> Plane:
    """A dark disc whose rim is clear on the left and weak on the right, and a short dash."""
    x, y = places()
    ground = 0.75 - 0.22 * x / SHAPE[1]
    luma = np.where(np.hypot(y - 190, x - 250) < 120, 0.4, ground)
    luma[40:42, 456:460] = 0.3
    return picture_of(luma.astype(np.float32), noise_levels)


def pieces(lines: Plane) -> list[float]:
    """The diagonals of the boxes around connected pieces of lines."""
    _, _, boxes, _ = cv2.connectedComponentsWithStats((lines > 0.5).astype(np.uint8))
    return [float(np.hypot(box[cv2.CC_STAT_WIDTH], box[cv2.CC_STAT_HEIGHT])) for box in boxes[1:]]


def test_a_contour_is_one_piece_even_where_it_is_weak() -> None:
    found = pieces(inked(Canvas(discs(noise_levels=3)), 2.4, PEN))
    assert len(found) == 1
    assert found[0] > 300


def test_a_contour_is_as_wide_where_it_is_weak() -> None:
    lines = inked(Canvas(discs()), 2.4, Pen(thin=0.6, bold=0.6))
    clear, weak = lines[180:200, 110:150].sum(1), lines[180:200, 350:390].sum(1)
    assert weak.mean() > 0.7 * clear.mean()
    assert 1.5 < clear.mean() < 6


def test_contours_are_bolder_around_large_forms_than_inside() -> None:
    x, _ = places()
    luma = np.where(x < 170, 0.3, 0.7).astype(np.float32)
    luma[:, 340:342] = 0.5
    canvas = Canvas(picture_of(luma))
    even, swelling = (inked(canvas, 2.4, Pen(thin=0.3, bold=bold, high=0.1)) for bold in (0.3, 1.0))
    around, inside = np.s_[100:280, 140:200], np.s_[100:280, 320:362]
    assert even[inside].sum() > 0.3 * even[around].sum()
    grown = [float(swelling[part].sum() / even[part].sum()) for part in (around, inside)]
    assert grown[0] > 1.8
    assert grown[1] < 0.7 * grown[0]


def test_a_slanting_line_has_no_steps() -> None:
    """Its middle follows the slope in each column, and its darkness hardly changes."""
    x, y = places()
    luma = np.where(y > 60 + 0.37 * x, 0.35, 0.7).astype(np.float32)
    lines = inked(Canvas(picture_of(luma)), 2.4, PEN)[:, 120:400]
    dark = lines.sum(0)
    middle = (lines * y[:, 120:400]).sum(0) / dark
    beside = middle - 0.37 * x[0, 120:400]
    assert dark.std() < 0.1 * dark.mean()
    assert beside.std() < 0.22


def test_the_middle_of_a_line_is_within_it() -> None:
    track = tracks(Canvas(discs()), 2.9, Pen(thin=0.5, bold=0.9))
    tube, core = within(track, 0.0), within(track, 0.24)
    assert (core <= tube).all()
    assert 0.2 * tube.sum() < core.sum() < 0.8 * tube.sum()


def test_what_a_camera_adds_draws_no_contours() -> None:
    flat = picture_of(np.full(SHAPE, 0.5, np.float32), 1.5)
    assert (inked(Canvas(flat), 2.4, PEN) > 0.3).mean() < 0.002


def test_a_uniform_picture_has_no_contours() -> None:
    for level in (0.0, 0.5, 1.0):
        assert inked(Canvas(np.full((64, 96, 3), level, np.float32)), 2.4, PEN).max() < 0.05


def test_drawn_and_printed_looks_have_few_long_lines() -> None:
    """Where a disc is, neon, blueprint, comics and woodblocks draw its rim as one line."""
    picture = discs(noise_levels=3)
    x, y = places()
    near = np.abs(np.hypot(y - 190, x - 250) - 120) < 8
    for look in ("neon", "blueprint", "comic", "ukiyo-e", "hokusai"):
        luma = luma_of(SURFACES[look](Canvas(picture)))
        lines = luma if look in ("neon", "blueprint") else 1 - luma
        beyond = np.where(near, lines - float(np.quantile(lines, 0.75)), 0)
        found = pieces((beyond > 0.25).astype(np.float32))
        assert max(found) > 300, look
        assert sum(each > 10 for each in found) == 1, look
