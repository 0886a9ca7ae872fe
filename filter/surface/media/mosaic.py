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
)
from turbolens.filter.surface.seeds import chances
from turbolens.filter.surface.simplify import from_levels, to_levels

from .attention import features, kept_in_faces, matters, people, shown, where_most
from .shapes import Layer, Placed, Shapes, placed, topmost

_CORNERS = ((-1, -1), (1, -1), (1, 1), (-1, 1))
_UNEVEN = 0.1  # of half a side, by which corners are moved
_LEVEL = 1e-3  # weight of rows that are level where there is hardly a form
_JOINT = cv2.getStructuringElement(cv2.MORPH_RECT, (3, 3))
_LIGHTER = 0.85  # exponent of the stones' colours, since mortar makes the picture darker
_LEAST = 0.5  # size of a fine stone below which there is none
_FEATURES, _SKIN = 0.75, 0.4
"""Shares of the picture at eyes and mouths, which are smaller than stones, and all over faces."""


@dataclass(frozen=True)
class Mosaic:
    """side: of a stone, in units. fine: the same where there is most to see, a `share` of the
    picture. mortar: its colour. variation: of the brightness from stone to stone. vivid: factor of
    the saturation."""

    side: float = 9.5
    fine: float = 5.5
    share: float = 0.13
    mortar: Colour = (0.27, 0.24, 0.21)
    variation: float = 0.11
    vivid: float = 1.55

    def __call__(self, canvas: Canvas) -> Plane:
        """The picture in stones."""
        shapes, joints, light = canvas.ahead(self.below)
        even = vivid(cv2.pow(from_levels(canvas.even), _LIGHTER), self.vivid)
        lighter = chances("stones")[shapes.seed, :1] * np.float32(self.variation)
        levels = shapes.painted(shapes.colours_of(even) * (1 + lighter), to_levels(even))
        shares = canvas.ahead(kept_in_faces, _FEATURES, _SKIN)
        picture = from_levels(shown(levels, canvas.picture, shares, self._coloured))
        cv2.add(picture, cv2.merge((light, light, light)), dst=picture)
        return covered(picture, self.mortar, joints)

    def below(self, ground: Ground) -> tuple[Shapes, Plane, Plane]:
        """The stones without their colours, how much mortar there is, 0…1, and the light on their
        edges."""
        fine = where_most(matters(ground) * (1 + ground.of(people)), self.share)
        layers = [Layer(self.side), Layer(self.fine, fine, _LEAST)]
        stones = placed(ground, layers, 0.3)
        forms = ground.forms(0.0)
        angle = forms.angle_at(stones.x, stones.y, _LEVEL)
        shapes = Shapes.of(stones, topmost(ground, _squares(stones, angle)), ground.shape)
        edges = cv2.compare(cv2.morphologyEx(shapes.top, cv2.MORPH_GRADIENT, _JOINT), 0, cv2.CMP_GT)
        edges = cv2.resize(edges, ground.shape[::-1], interpolation=cv2.INTER_AREA)
        thin = 1 - np.float32(0.3) * fine
        thin *= 1 - np.float32(0.75) * ground.of(features)
        joints = from_levels(edges) * resized(thin, *ground.shape)
        light = relief(blur(joints, 0.9), -0.055)
        return shapes, joints * np.float32(0.82), light

    def _coloured(self, picture: Plane) -> Plane:
        return vivid(picture, self.vivid)


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
