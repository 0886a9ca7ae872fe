"""Mosaic: stones along the forms, of one colour each, in mortar."""

from dataclasses import dataclass

import numpy as np

from turbolens.filter.surface.canvas import Canvas
from turbolens.filter.surface.ground import Ground
from turbolens.filter.surface.planes import (
    Colour,
    Plane,
    blur,
    covered,
    cv2,
    relief,
    resized,
    vivid,
    vivid_matrix,
)
from turbolens.filter.surface.seeds import chances
from turbolens.filter.surface.simplify import Levels, from_levels, to_levels

from .accents import accented, accents
from .attention import features, figures, kept_in_faces, matters, people, shown, where_most
from .shapes import Layer, Placed, Shapes, placed

_CORNERS = ((-1, -1), (1, -1), (1, 1), (-1, 1))
_MEAN = (3, 3)  # reduced pixels that give a stone its colour
_UNEVEN = 0.1  # of half a side, by which corners are moved
_LEVEL = 1e-3  # weight of rows that are level where there is hardly a form
_JOINT = cv2.getStructuringElement(cv2.MORPH_RECT, (3, 3))
_LIGHTER = 0.85  # exponent of the stones' colours, since mortar makes the picture darker
_FINEST = 1400  # pixels of a side up to which stones are drawn finer than the picture
_LEAST = 0.5  # size of a fine stone below which there is none
_IN_FIGURES = np.float32(0.6)
_ON_SKIN = 0.55  # how much less of the mortar shows on faces
_SMALL_SHARE = 0.05  # of the picture, that gets the smallest stones
_FEATURES, _SKIN = 0.6, 0.3
"""Shares of the picture at eyes and mouths, which are smaller than stones, and all over faces."""


@dataclass(frozen=True)
class Mosaic:
    """side: of a stone, in units. fine: the same where there is most to see, a `share` of the
    picture. smallest: the same at eyes and mouths. mortar: its colour. variation: of the brightness
    from stone to stone. vivid: factor of the saturation."""

    side: float = 9.5
    fine: float = 5.0
    smallest: float = 3.2
    share: float = 0.24
    mortar: Colour = (0.27, 0.24, 0.21)
    variation: float = 0.11
    vivid: float = 1.55

    def __call__(self, canvas: Canvas) -> Plane:
        """The picture in stones."""
        shapes, joints, light = canvas.ahead(self.below)
        even = vivid(cv2.pow(from_levels(canvas.even), _LIGHTER), self.vivid)
        lighter = chances("stones")[shapes.seed, :1] * np.float32(self.variation)
        levels = shapes.painted(
            shapes.colours_of(cv2.blur(even, _MEAN)) * (1 + lighter), to_levels(even)
        )
        shares = canvas.ahead(kept_in_faces, _FEATURES, _SKIN)
        levels = shown(levels, to_levels(canvas.picture), shares, self._coloured)
        picture = from_levels(accented(levels, canvas.ahead(accents), canvas.unit))
        cv2.add(picture, cv2.merge((light, light, light)), dst=picture)
        return covered(picture, self.mortar, joints)

    def below(self, ground: Ground) -> tuple[Shapes, Plane, Plane]:
        """The stones without their colours, how much mortar there is, 0…1, and the light on their
        edges."""
        fine = where_most(matters(ground) * (1 + ground.of(people)), self.share)
        small = where_most(ground.of(features), _SMALL_SHARE)
        layers = [
            Layer(self.side),
            Layer(self.fine, fine, _LEAST),
            Layer(self.smallest, small, _LEAST),
        ]
        stones = placed(ground, layers, 0.3)
        forms = ground.forms(0.0)
        angle = forms.angle_at(stones.x, stones.y, _LEVEL)
        shapes = Shapes.of(ground, stones, _squares(stones, angle), _FINEST)
        edges = cv2.compare(cv2.morphologyEx(shapes.top, cv2.MORPH_GRADIENT, _JOINT), 0, cv2.CMP_GT)
        edges = cv2.resize(edges, ground.shape[::-1], interpolation=cv2.INTER_AREA)
        seen = np.maximum(ground.of(people), resized(figures(ground), *fine.shape) * _IN_FIGURES)
        thin = (1 - np.float32(0.15) * fine) * (1 - np.float32(_ON_SKIN) * seen)
        joints = from_levels(edges) * resized(thin, *ground.shape)
        light = relief(blur(joints, 0.9), -0.055)
        return shapes, joints * np.float32(0.74), light

    def _coloured(self, picture: Levels) -> Levels:
        return cv2.transform(picture, vivid_matrix(self.vivid))  # type: ignore[no-any-return]


def _squares(stones: Placed, angle: Plane) -> Plane:
    """(n, 4, 2), uneven, of stones turned by angles in radians."""
    cosine, sine = np.cos(angle), np.sin(angle)
    half = stones.size * np.float32(0.52)
    uneven = [chances(f"corner {index}")[stones.seed] * np.float32(_UNEVEN) for index in range(4)]
    corners = []
    for (across, down), move in zip(_CORNERS, uneven, strict=True):
        along, aside = (across + move[:, 0]) * half, (down + move[:, 1]) * half
        corners.append(
            (stones.x + cosine * along - sine * aside, stones.y + sine * along + cosine * aside)
        )
    return np.stack([np.stack(each, -1) for each in corners], 1)
