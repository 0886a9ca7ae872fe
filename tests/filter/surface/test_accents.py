"""Accents: eyes and mouths that a material, or a network, has lost come back from the frame."""

import numpy as np
import pytest

from turbolens.filter.surface.canvas import Canvas
from turbolens.filter.surface.ground import Ground
from turbolens.filter.surface.looks import SURFACES
from turbolens.filter.surface.media.accents import accented, accents
from turbolens.filter.surface.media.attention import people
from turbolens.filter.surface.planes import Plane, blur, luma_of
from turbolens.filter.surface.seen import Seen
from turbolens.filter.surface.simplify import Levels, to_levels

HEIGHT, WIDTH = 384, 512
FACE, EYES, MOUTH = (256, 150), ((249, 146), (263, 146)), (256, 159)
"""Of a figure whose face is 40 pixels high; x and y."""
LIGHTS = {
    "daylight": ((0.82, 0.62, 0.52), 1.0),
    "pale": ((0.80, 0.76, 0.74), 1.0),
    "bluish": ((0.60, 0.64, 0.80), 1.0),
    "dim": ((0.80, 0.60, 0.50), 0.3),
}
PAINTED = (
    "oil painting", "van gogh", "monet", "munch", "pastel", "watercolour", "stained glass",
    "mosaic", "pop art",
)  # fmt: skip


def distance(place: tuple[int, int], squeezed: float = 1.0) -> Plane:
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    return np.hypot(columns - place[0], (rows - place[1]) * squeezed)  # type: ignore[no-any-return]


def figure(light: str, eyes: bool = True) -> Plane:
    """A small figure in front of a wall; the eyes are three pixels high."""
    skin, brightness = LIGHTS[light]
    picture = np.full((HEIGHT, WIDTH, 3), (0.55, 0.57, 0.56), np.float32)
    picture[168:384, 222:290] = (0.25, 0.3, 0.4)
    picture[distance(FACE, 0.8) < 16] = skin
    if eyes:
        for eye in EYES:
            picture[distance(eye, 1.4) < 2.4] = np.float32(0.45) * np.array(skin, np.float32)
        picture[distance(MOUTH, 3.0) < 5] = np.float32(0.6) * np.array(skin, np.float32)
    return blur(picture, 0.7) * np.float32(brightness)


def seen(picture: Plane) -> Seen:
    return Seen(to_levels(picture), luma_of(picture))


def eye_contrast(luma: Plane) -> float:
    """How much darker the eyes are than the cheeks and the forehead, as a share of these."""
    around = [luma[distance(each) < 3].mean() for each in ((249, 154), (263, 154), (256, 139))]
    eyes = [luma[distance(eye) < 1.6].mean() for eye in EYES]
    return float(1 - max(eyes) / np.mean(around))


@pytest.mark.parametrize("light", LIGHTS)
@pytest.mark.parametrize("look", PAINTED)
def test_a_small_face_has_eyes_though_the_result_has_lost_them(look: str, light: str) -> None:
    result, frame = figure(light, eyes=False), figure(light)
    luma = luma_of(np.clip(SURFACES[look](Canvas(result, seen=seen(frame))), 0, 1))
    assert eye_contrast(luma) > 0.15


def painting(light: str, eyes: bool) -> tuple[Levels, Ground]:
    ground = Ground(seen(figure(light)))
    return to_levels(figure(light, eyes)), ground


def test_what_a_painting_has_is_not_painted_twice() -> None:
    """Twice as much as the frame's contrast is enough."""
    levels, ground = painting("daylight", eyes=True)
    strong = np.clip(levels.astype(np.float32) - 110 * (levels < 140), 0, 255).astype(np.uint8)
    at_eyes = distance(EYES[0]) < 1.6
    changed = accented(strong.copy(), ground.of(accents), ground.unit)
    assert np.abs(changed[at_eyes].astype(int) - strong[at_eyes]).mean() < 3
    levels, ground = painting("daylight", eyes=False)
    changed = accented(levels.copy(), ground.of(accents), ground.unit)
    assert (levels[at_eyes].astype(int) - changed[at_eyes]).mean() > 30


def test_noise_on_a_wall_gets_no_accents() -> None:
    noise = np.random.default_rng(3).normal(0, 2 / 255, (HEIGHT, WIDTH, 3)).astype(np.float32)
    ground = Ground(seen(figure("daylight") + noise))
    dark, light = ground.of(accents)
    assert max(float(each[:, :180].mean()) for each in (dark, light)) < 1.0
    assert dark[distance(EYES[0]) < 1.6].mean() > 20


def test_a_room_of_wood_is_not_taken_for_faces() -> None:
    wood = np.full((HEIGHT, WIDTH, 3), (0.62, 0.42, 0.28), np.float32)
    assert people(Ground(seen(wood))).mean() < 0.2
    assert people(Ground(seen(figure("daylight"))))[75, 128] > 0.9


def test_a_wooden_floor_is_not_taken_for_faces_and_a_face_above_it_is() -> None:
    picture = figure("daylight")
    picture[-70:] = 0.62, 0.42, 0.28
    found = people(Ground(seen(picture)))
    assert found[75, 128] > 0.9
    assert found[-20:].max() < 0.2
