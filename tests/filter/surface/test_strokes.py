"""Strokes and stones: what they cover, where they end, and how they move."""

import numpy as np
import pytest

from turbolens.filter.surface.canvas import Canvas
from turbolens.filter.surface.ground import Ground
from turbolens.filter.surface.looks import SURFACES
from turbolens.filter.surface.media.attention import (
    calm_enough,
    features,
    matters,
    shown,
    where_most,
)
from turbolens.filter.surface.media.mosaic import Mosaic
from turbolens.filter.surface.media.painting import Strokes
from turbolens.filter.surface.media.shapes import Layer, Shapes, at
from turbolens.filter.surface.media.strokes import laid
from turbolens.filter.surface.planes import Plane, blur, cv2, luma_of
from turbolens.filter.surface.seeds import scattered
from turbolens.filter.surface.seen import Seen
from turbolens.filter.surface.simplify import Levels

HEIGHT, WIDTH = 240, 320
SKIN = (0.80, 0.60, 0.50)
PAINTED = (
    "oil painting", "van gogh", "monet", "munch", "pastel", "watercolour", "mosaic",
    "stained glass",
)  # fmt: skip


def seen(picture: Plane) -> Seen:
    return Seen((np.clip(picture, 0, 1) * 255).astype(np.uint8), luma_of(picture))


def distance(x: float, y: float) -> Plane:
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    return np.hypot(rows - y, columns - x)  # type: ignore[no-any-return]


def plain(colour: tuple[float, float, float] = (0.55, 0.6, 0.65)) -> Plane:
    return np.full((HEIGHT, WIDTH, 3), colour, np.float32)


def face(eyes: float = 5.0) -> Plane:
    """A face of 80 by 80 pixels with eyes of this radius and a mouth, on a wall."""
    picture = plain()
    picture[distance(160, 120) < 40] = SKIN
    for x in (145, 175):
        picture[distance(x, 110) < eyes] = (0.15, 0.1, 0.1)
    picture[138:142, 148:172] = (0.55, 0.2, 0.2)
    return blur(picture, 0.8)


def strokes(picture: Plane, *layers: Layer) -> Shapes:
    ground = Ground(seen(picture))
    return laid(ground, ground.forms(0.0), layers or [Layer(17.0)], (2.6, 0.8))


def covered_by(shapes: Shapes) -> tuple[np.ndarray, np.ndarray]:
    """The number of the shape on top where it is at a whole pixel and all around it, and where."""
    most, least = cv2.dilate(shapes.top, np.ones((5, 5))), cv2.erode(shapes.top, np.ones((5, 5)))
    step = shapes.top.shape[0] // shapes.shape[0]
    inside = ((most == least) & (least > 0))[::step, ::step]
    return shapes.top[::step, ::step], inside


def index_of(shapes: Shapes, numbers: np.ndarray) -> np.ndarray:
    """Where the shapes of these numbers are."""
    order = np.argsort(shapes.number)
    return order[np.searchsorted(shapes.number[order], numbers)]


def test_each_stroke_has_one_colour_and_gaps_show_what_is_below() -> None:
    shapes = strokes(face())
    random = np.random.default_rng(4)
    colours = random.random((len(shapes.x), 3), dtype=np.float32) * np.float32(0.9)
    picture = shapes.painted(colours, np.full((8, 8, 3), 255, np.uint8))
    top, inside = covered_by(shapes)
    assert inside.mean() > 0.4
    expected = np.rint(colours[index_of(shapes, top[inside])] * 255)
    assert np.abs(picture[inside] - expected).max() <= 1
    bare = cv2.erode((shapes.top == 0).astype(np.uint8), np.ones((5, 5)))[::2, ::2] == 1
    assert bare.any()
    assert picture[bare].min() == 255


def test_rims_of_strokes_are_smooth() -> None:
    """Between two strokes there are levels between theirs."""
    shapes = strokes(plain())
    colours = np.repeat(np.arange(len(shapes.x)) % 2 == 0, 3).reshape(-1, 3).astype(np.float32)
    levels = shapes.painted(colours, np.zeros((8, 8, 3), np.uint8))[..., 0]
    edges = np.abs(np.diff(levels.astype(int), axis=1)) > 0
    assert ((levels > 30) & (levels < 225)).sum() > 0.3 * edges.sum()


def test_a_stroke_ends_where_the_colour_changes() -> None:
    """Even if it runs straight towards it."""
    picture = plain()
    dark = np.broadcast_to(np.arange(WIDTH) > 160, (HEIGHT, WIDTH))
    picture[dark] = (0.1, 0.12, 0.2)
    level = Ground(seen(plain())).forms(0.0)
    shapes = laid(Ground(seen(picture)), level, [Layer(17.0)], (2.6, 0.8))
    own = at(dark.astype(np.float32), shapes.x, shapes.y) > 0.5
    numbers = shapes.top[::2, ::2].astype(int)
    drawn = numbers > 0
    beyond = own[index_of(shapes, numbers[drawn])] != dark[drawn]
    assert beyond.mean() < 0.003


def test_fine_strokes_are_laid_where_there_is_something_to_see() -> None:
    ground = Ground(seen(face()))
    sizes = where_most(matters(ground), 0.2)
    shapes = laid(ground, ground.forms(0.0), [Layer(17.0), Layer(8.0, sizes)], (2.6, 0.8))
    fine = shapes.layer == 1
    far = np.hypot(shapes.x - 160, shapes.y - 120)
    assert fine.sum() > 30
    assert (far[fine] < 60).mean() > 0.95
    assert (far[~fine] > 60).mean() > 0.6
    assert fine.argmax() > (~fine).argmax()  # over the large ones


def test_level_strokes_run_from_left_to_right() -> None:
    """Though the forms, of little contrast, stand upright."""
    stripes = np.sin(np.arange(WIDTH, dtype=np.float32) / 5)[:, None]
    picture = plain()
    picture += np.float32(0.02) * stripes
    ground = Ground(seen(picture))

    def ends(level: float) -> tuple[float, float]:
        """Shares of neighbours below and beside each other that are of two strokes."""
        top = laid(ground, ground.forms(), [Layer(17.0)], (2.6, 0.6), level).top
        return float((top[1:] != top[:-1]).mean()), float((top[:, 1:] != top[:, :-1]).mean())

    below, beside = ends(0.0)
    assert below < 0.7 * beside
    below, beside = ends(0.05)
    assert beside < 0.7 * below


def test_no_direction_has_its_strokes_on_top() -> None:
    shapes = strokes(plain(), Layer(9.0))
    order = np.arange(len(shapes.x))
    assert max(abs(np.corrcoef(order, each)[0, 1]) for each in (shapes.x, shapes.y)) < 0.15


def test_fine_strokes_shrink_before_they_vanish() -> None:
    def area(size: float) -> int:
        sizes = np.full((HEIGHT, WIDTH), size, np.float32)
        shapes = strokes(plain(), Layer(17.0), Layer(9.0, sizes))
        drawn = shapes.top[shapes.top > 0]
        return int((shapes.layer[index_of(shapes, drawn)] == 1).sum())

    areas = [area(each) for each in (0.19, 0.21, 0.5, 1.0)]
    assert areas[0] == 0
    assert 0 < areas[1] < 0.2 * areas[3]
    assert areas == sorted(areas)


def test_seeds_move_with_the_texture() -> None:
    x, y = np.meshgrid(np.arange(200, dtype=np.float32), np.arange(120, dtype=np.float32))
    bend = 4 * np.sin(y / 30).astype(np.float32)
    still, moved = (
        {number: (column, row) for column, row, number in zip(*each, strict=True)}
        for each in (
            scattered((x, y), 12.0, 1.0, "test"),
            scattered((x + 7 + bend, y - 3), 12.0, 1.0, "test"),
        )
    )
    both = [
        n for n in still.keys() & moved.keys() if 12 < moved[n][0] < 188 and 12 < moved[n][1] < 108
    ]
    assert len(both) > 80
    for number in both:
        column, row = moved[number]
        assert still[number][0] == pytest.approx(column + 7 + 4 * np.sin(row / 30), abs=0.1)
        assert still[number][1] == pytest.approx(row - 3, abs=0.1)


def test_seeds_that_are_not_wanted_are_left_out_and_the_others_stay() -> None:
    x, y = np.meshgrid(np.arange(200, dtype=np.float32), np.arange(120, dtype=np.float32))
    wanted = np.zeros((120, 200), np.uint8)
    wanted[30:90, 50:150] = 1
    every, some = (
        {number: place for *place, number in zip(*each, strict=True)}
        for each in (
            scattered((x + 5, y), 12.0, 1.0, "test"),
            scattered((x + 5, y), 12.0, 1.0, "test", wanted),
        )
    )
    assert len(some) < 0.5 * len(every)
    assert all(every[number] == place for number, place in some.items())
    inside = [n for n, (x, y) in every.items() if 52 < x < 148 and 32 < y < 88]
    assert set(inside) <= some.keys()


def test_what_stands_alone_matters_more_than_what_repeats_itself() -> None:
    picture = plain()
    picture[distance(60, 120) < 12] = 0.25
    x, y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    bricks = (x > 140) & (((x // 6) + (y // 6)) % 2 == 0)
    picture[bricks] = 0.25
    found = matters(Ground(seen(picture)))
    assert found[distance(60, 120) < 12].mean() > 1.2 * found[:, 190:300].mean()
    assert found[:40, :30].max() < 0.1
    calm = calm_enough(Ground(seen(picture)))
    assert calm[:, 200:300].mean() < 0.5
    assert calm[:60, :60].mean() > 0.9


def test_eyes_are_features_and_walls_are_not() -> None:
    found = features(Ground(seen(face())))
    assert found[distance(145, 110) < 6].mean() > 0.6
    assert found[:60].max() < 0.05


def test_dark_faces_have_features_too() -> None:
    dim = face() * np.float32(0.1)
    assert features(Ground(seen(dim)))[distance(145, 110) < 6].mean() > 0.4


def halved(levels: Levels) -> Levels:
    return levels // 2


def test_a_picture_is_shown_by_its_shares_alone() -> None:
    laid_over = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
    shares = np.zeros((HEIGHT // 2, WIDTH // 2), np.float32)
    shares[40:60, 70:90] = 0.5
    picture = shown(laid_over.copy(), np.full_like(laid_over, 255), shares, halved)
    changed = (picture != laid_over).any(2)
    assert not changed[: 2 * 39].any()
    assert not changed[:, 2 * 91 :].any()
    middle = picture[90:110, 150:170]
    assert np.abs(middle - (40 + 128) / 2).max() <= 1.5


@pytest.mark.parametrize("look", PAINTED)
def test_small_eyes_stay_darker_than_the_face(look: str) -> None:
    picture = face(eyes=3.0)
    luma = luma_of(np.clip(SURFACES[look](Canvas(picture, seen=seen(picture))), 0, 1))
    cheeks = luma[(distance(160, 125) < 12)].mean()
    for x in (145, 175):
        assert luma[distance(x, 110) < 2.5].mean() < cheeks - 0.2


def test_stones_are_finer_where_there_is_more_to_see() -> None:
    shapes, joints, _ = Mosaic().below(Ground(seen(face())))
    fine = shapes.layer == 1
    far = np.hypot(shapes.x - 160, shapes.y - 120)
    assert (far[fine] < 70).mean() > 0.9
    assert 0.05 < joints.mean() < 0.5
    assert joints.max() <= 1


def test_faces_are_painted_with_finer_strokes_and_little_else_is() -> None:
    picture = np.full((HEIGHT, WIDTH, 3), (0.48, 0.52, 0.58), np.float32)
    picture[80:170, 110:200] = SKIN
    canvas = Canvas(picture)
    shapes, *_ = Strokes(shares=()).below(canvas.ground)
    fine = shapes.layer == shapes.layer.max()
    x, y = shapes.x[fine] * canvas.step, shapes.y[fine] * canvas.step
    assert len(x) > 200
    assert ((x > 95) & (x < 215) & (y > 65) & (y < 185)).mean() > 0.95
