"""Lines, hatching and flat areas: what drawn and printed looks are made from."""

from itertools import product

import numpy as np

from turbolens.filter.surface.canvas import Canvas
from turbolens.filter.surface.looks import SURFACES
from turbolens.filter.surface.media.hatching import hatched
from turbolens.filter.surface.media.lines import drawn
from turbolens.filter.surface.media.tones import (
    between,
    cleared,
    face_lines,
    flat_colours,
    in_steps,
    smoothed,
)
from turbolens.filter.surface.planes import Plane, blur, luma_of, smoothstep

SHAPE = 160, 208
SKIN, CLOTH = (0.80, 0.60, 0.50), (0.48, 0.52, 0.58)


def grey(luma: np.ndarray) -> Plane:
    return np.ascontiguousarray(np.dstack([luma] * 3), np.float32)


def places() -> tuple[Plane, Plane]:
    y, x = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]].astype(np.float32)
    return x, y


def noisy(luma: Plane, levels: float) -> Plane:
    random = np.random.default_rng(4)
    return (luma + random.normal(0, levels / 255, luma.shape)).astype(np.float32)


def ring(noise_levels: float = 0.0) -> Plane:
    """A dark circle of 2 pixels on a light ground, its radius 45 pixels, around (80, 104)."""
    x, y = places()
    away = np.abs(np.hypot(y - 80, x - 104) - 45)
    return grey(noisy(0.7 - 0.3 * (away < 1.2), noise_levels))


def test_a_line_is_drawn_where_it_is_without_gaps_and_as_thin() -> None:
    lines = drawn(Canvas(ring(noise_levels=4)), 1.0)
    angles = np.linspace(0, 2 * np.pi, 240, endpoint=False)
    radii = np.arange(43, 48)[:, None]
    rows = np.rint(80 + radii * np.sin(angles)).astype(int)
    columns = np.rint(104 + radii * np.cos(angles)).astype(int)
    assert (lines[rows, columns].max(axis=0) > 0.5).mean() > 0.99
    x, y = places()
    beside = np.abs(np.hypot(y - 80, x - 104) - 45) > 4
    assert lines[beside].mean() < 0.01


def test_what_a_camera_adds_draws_no_lines() -> None:
    lines = drawn(Canvas(grey(noisy(np.full(SHAPE, 0.5, np.float32), 1.5))), 1.0)
    assert (lines > 0.3).mean() < 0.002


def test_fine_texture_that_repeats_is_left_out_and_a_line_alone_stays() -> None:
    x, _ = places()
    luma = np.full(SHAPE, 0.6, np.float32)
    luma[:, 104:] += 0.1 * np.sign(np.sin(x[:, 104:] * (2 * np.pi / 6)))
    luma[:, 50:52] -= 0.2
    canvas = Canvas(grey(luma))
    alone, repeated = np.s_[20:-20, 48:54], np.s_[20:-20, 120:190]
    lines, without = drawn(canvas, 1.0), drawn(canvas, 1.0, clutter=0.0)
    assert lines[alone].max(axis=1).mean() > 0.8
    assert lines[repeated].mean() < 0.4 * without[repeated].mean()


def test_hatching_runs_along_the_forms_and_at_rest_where_there_are_none() -> None:
    x, _ = places()
    upright = hatched(Canvas(grey(0.5 + 0.2 * np.sin(x / 9))), 0.8, 10.0, rest=0.0)[0]
    level = hatched(Canvas(grey(np.full(SHAPE, 0.5, np.float32))), 0.8, 10.0, rest=0.0)[0]
    inner = np.s_[24:-24, 24:-24]

    def changes(plane: Plane, axis: int) -> float:
        return float(np.abs(np.diff(plane[inner], axis=axis)).mean())

    assert changes(upright, 0) < 0.6 * changes(upright, 1)
    assert changes(level, 1) < 0.6 * changes(level, 0)


def test_layers_of_hatching_cross() -> None:
    flat = Canvas(grey(np.full(SHAPE, 0.5, np.float32)))
    first, second = hatched(flat, 0.8, 10.0, 0.0, (0.0, np.pi / 2))
    assert abs(float(np.corrcoef(first.ravel(), second.ravel())[0, 1])) < 0.1
    assert np.abs(np.diff(second, axis=0)).mean() < 0.6 * np.abs(np.diff(second, axis=1)).mean()


def test_an_even_area_has_less_noise_and_keeps_its_edge() -> None:
    x, _ = places()
    edge = np.where(x < 104, 0.3, 0.7).astype(np.float32)
    even = smoothed(noisy(edge, 6), noisy(edge, 6), 5.0)
    assert even[40:120, 20:80].std() < 0.4 * noisy(edge, 6)[40:120, 20:80].std()
    assert even[80, 110] - even[80, 97] > 0.85 * 0.4


def test_steps_are_firm_at_edges_and_no_bands_in_a_gradient() -> None:
    x, y = places()
    luma = (0.2 + 0.5 * x / SHAPE[1]).astype(np.float32)
    assert np.abs(np.diff(in_steps(luma, 4), axis=1)).max() < 3 * 0.5 / SHAPE[1]
    edge = blur(np.where(y < 80, 0.30, 0.60).astype(np.float32), 1.5)
    assert np.abs(np.diff(in_steps(edge, 4), axis=0)).max() > np.abs(np.diff(edge, axis=0)).max()


def test_colours_become_vivid_and_greys_stay_grey() -> None:
    picture = np.full((*SHAPE, 3), 0.5, np.float32)
    picture[:, :70], picture[:, 140:] = (0.35, 0.45, 0.65), (0.49, 0.50, 0.52)
    picture[:16], picture[-16:] = 0.05, 0.95
    flat, _ = flat_colours(Canvas(picture), 4, vivid=1.6)

    def chroma(part: Plane) -> float:
        return float(np.ptp(part.reshape(-1, 3).mean(0)))

    blue, greyish = np.s_[40:120, 20:50], np.s_[40:120, 160:190]
    assert chroma(flat[blue]) > 1.2 * chroma(picture[blue])
    assert chroma(flat[greyish]) < chroma(picture[greyish])


def test_eyes_and_mouths_are_drawn_on_faces_however_dim_and_not_in_a_pattern() -> None:
    for light in (1.0, 0.4):
        picture = np.empty((*SHAPE, 3), np.float32)
        picture[:, :104], picture[:, 104:] = np.array(SKIN) * light, np.array(CLOTH) * light
        for column in (45, 60):
            picture[70:73, column : column + 5] *= 0.5
        for row, column in product(range(10, 150, 8), range(112, 200, 8)):
            picture[row : row + 3, column : column + 5] *= 0.5
        lines = face_lines(Canvas(blur(picture, 0.6)), 0.8)
        assert lines[71, [47, 62]].min() > 0.4
        assert lines[90:130, 20:80].max() < 0.05
        assert lines[60:90, 130:180].mean() < 0.25 * lines[71, [47, 62]].min()


def test_the_face_of_a_person_in_cold_light_is_drawn_too() -> None:
    picture = np.full((*SHAPE, 3), 0.55, np.float32)
    picture[50:110, 80:130] = 0.35, 0.36, 0.39  # less red than blue, as no skin is
    for column in (90, 112):
        picture[70:74, column : column + 7] *= 0.5
    lines = face_lines(Canvas(blur(picture, 0.6)), 0.8)
    assert lines[71:73, [93, 115]].min() > 0.4
    assert lines[80:100, 90:120].max() < 0.05


def test_skin_keeps_more_of_its_tones_than_cloth() -> None:
    tone = np.where(places()[1] < 80, 0.34, 0.42).astype(np.float32)
    kept = np.zeros((SHAPE[0] // 4, SHAPE[1] // 4), np.float32)
    kept[:, :26] = 0.5
    change = np.abs(in_steps(tone, 4, kept) - tone)
    assert change[76:84, :90].mean() < 0.7 * change[76:84, 118:].mean()


def test_features_are_brought_out() -> None:
    x, y = places()
    luma = np.where(np.hypot(y - 80, x - 104) < 3, 0.45, 0.6).astype(np.float32)
    luma[:16], luma[-16:] = 0.05, 0.95
    canvas = Canvas(grey(blur(luma, 1.0)))
    contrast = [
        float(tone[80, 60] - tone[80, 104]) for tone in (canvas.seen_tone, cleared(canvas, 0.9))
    ]
    assert contrast[1] > 1.4 * contrast[0]


def test_a_smooth_step_by_table_is_that_of_its_formula() -> None:
    tone = np.linspace(0, 1, 400, dtype=np.float32)[None]
    exact = smoothstep(tone, 0.2, 0.7)
    np.testing.assert_allclose(between(tone, low=0.2, high=0.7, top=0.5), 0.5 * exact, atol=0.008)
    np.testing.assert_allclose(between(tone, low=0.7, high=0.2), 1 - exact, atol=0.016)


def _half_skin() -> Plane:
    """A half with the hue of skin, another one of cloth, as dark as each other."""
    picture = np.empty((*SHAPE, 3), np.float32)
    picture[:, :104] = np.array(SKIN) * (0.42 / luma_of(np.array([[SKIN]], np.float32))[0, 0])
    picture[:, 104:] = np.array(CLOTH) * (0.42 / luma_of(np.array([[CLOTH]], np.float32))[0, 0])
    picture += np.float32(0.05) * (places()[1][..., None] / SHAPE[0])
    return picture


def test_faces_have_fewer_dots_and_gouges_than_cloth_of_the_same_tone() -> None:
    skin, cloth = np.s_[30:130, 20:80], np.s_[30:130, 125:185]
    for look in ("comic", "linocut", "charcoal"):
        luma = luma_of(SURFACES[look](Canvas(_half_skin())))
        fine = np.square(luma - blur(luma, 4.0))
        assert fine[skin].mean() < 0.6 * fine[cloth].mean(), look


def test_neon_lights_faces_more_than_cloth_of_the_same_tone() -> None:
    luma = luma_of(SURFACES["neon"](Canvas(_half_skin())))
    assert luma[80:130, 20:80].mean() > 1.3 * luma[80:130, 125:185].mean()
