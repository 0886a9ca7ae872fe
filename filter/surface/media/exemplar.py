"""`Exemplar`: the material of somebody's own pictures, laid over a result.

The colours of the result are drawn to those of the pictures, its areas are evened or smeared along
the forms as the pictures' are, and pieces of the pictures' fine texture are laid along the forms:
another texture in the dark than in the light.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from turbolens.filter.surface.canvas import Canvas
from turbolens.filter.surface.forms import Forms
from turbolens.filter.surface.planes import (
    Plane,
    blur,
    covered,
    cv2,
    faded,
    luma_of,
    reduced,
    resized,
)

from .colour_match import ColourMatch

ANGLES = 16  # directions of a tile; between two of them, texture would change its scale
_MARGIN = 2  # pixels around a tile, so that sampling does not reach its neighbour
_RAGGED = 1.6  # units that an edge is moved across the forms
_WANDER = 28.0  # units over which the direction turns where there is no form
_RADIANS = np.arange(256) % ANGLES * (np.pi / ANGLES)
_TABLES = [
    table.astype(np.float32) for table in (
        np.cos(_RADIANS), np.sin(_RADIANS), 37.3 * (np.arange(256) % ANGLES),
    )
]  # fmt: skip
"""Cosine and sine of each direction, and an offset, so that no two directions are alike."""
_FACES = 0.22  # of the texture that stays where the picture is busy, as at eyes and mouths


@dataclass(frozen=True)
class Handling:
    """How a material is applied; each but `rest` is a number that training chooses.

    texture: factor of the pictures' texture. size: pixels of a picture of 512 pixels for a pixel of
    the tiles. smear: doublings of the length of strokes, 0 for none. even: how much areas become
    even. ink: dark lines on edges. colours: how far mean and spread of the colours follow the
    pictures. palette: share of the nearest colours of the pictures. hue: share of the pictures'
    colour of the same brightness. wander: radians that strokes turn where there is no form. rest:
    the angle of strokes there.
    """

    texture: float = 0.8
    size: float = 1.5
    smear: float = 3.0
    even: float = 0.0
    ink: float = 0.3
    colours: float = 0.9
    palette: float = 0.5
    hue: float = 0.1
    wander: float = 1.0
    rest: float = 0.0


LIMITS: Mapping[str, tuple[float, float]] = {
    "texture": (0.0, 1.5), "size": (1.0, 2.2), "smear": (0.0, 5.0), "even": (0.0, 1.0),
    "ink": (0.0, 1.0), "colours": (0.0, 1.0), "palette": (0.0, 0.9), "hue": (0.0, 1.0),
    "wander": (0.0, 1.6), "rest": (-3.2, 3.2),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Exemplar:
    """The material of pictures.

    tiles: (tones, side, side, 3) uint8, the texture from dark to light about 128, with strokes from
    left to right; each tile continues at its opposite edge. tones: (tones − 1,) brightness between
    two tiles, 0…1. match: the colours.
    """

    tiles: NDArray[np.uint8]
    tones: Plane
    match: ColourMatch
    handling: Handling = field(default_factory=Handling)

    def __call__(self, canvas: Canvas) -> Plane:
        """The picture in this material. All but texture and lines is computed at a reduced size."""
        how = self.handling
        small = source = reduced(canvas.picture, canvas.step)
        if how.even >= 0.2:
            source = _flattened(source, 0.04 + 0.16 * how.even)
        source = self.match(canvas, source, how)
        forms = canvas.forms(self._rest(canvas))
        calm = forms.calm
        texture = self._texture(canvas, forms, luma_of(source))
        if round(how.smear) > 0:
            source = self._smeared(canvas, forms, source, texture)
        change = resized(cv2.subtract(source, small), *canvas.shape)
        picture: Plane = cv2.add(canvas.picture, change, dst=change)
        kept = resized(calm * np.float32(1 - _FACES) + np.float32(_FACES), *canvas.shape)
        kept = cv2.merge((kept, kept, kept))
        laid = cv2.multiply(texture, kept, scale=how.texture / 255, dtype=cv2.CV_32F)
        cv2.scaleAdd(kept, -how.texture * 128 / 255, laid, dst=laid)
        cv2.add(picture, laid, dst=picture)
        if how.ink >= 0.05:
            lines = canvas.contours(1.5, 0.45, 1.0) * np.float32(how.ink)
            picture = covered(picture, self.match.darkest, lines)
        return picture

    def _rest(self, canvas: Canvas) -> float | Plane:
        """The angle of strokes where there is no form: it wanders, as a hand does."""
        if self.handling.wander < 0.05:
            return self.handling.rest
        turns = canvas.reduced_texture(_WANDER, "wander") * np.float32(self.handling.wander)
        return turns + np.float32(self.handling.rest)

    def _smeared(
        self, canvas: Canvas, forms: Forms, source: Plane, texture: NDArray[np.uint8]
    ) -> Plane:
        """The colours, smeared along the strokes with ragged edges where the picture is calm."""
        bristles = reduced(cv2.extractChannel(texture, 1), canvas.step).astype(np.float32)
        bristles -= np.float32(bristles.mean())
        ragged = _RAGGED * canvas.unit / canvas.step / (float(bristles.std()) + 0.03)
        four = cv2.cvtColor(source, cv2.COLOR_RGB2RGBA)  # sampled three times as fast as three
        sideways = bristles * forms.calm * np.float32(ragged)
        smeared = forms.smeared(four, round(self.handling.smear), sideways)
        share = forms.calm * np.float32(0.85) + np.float32(0.15)
        return faded(source, cv2.cvtColor(smeared, cv2.COLOR_RGBA2RGB), share)

    def _texture(self, canvas: Canvas, forms: Forms, luma: Plane) -> NDArray[np.uint8]:
        """The texture (H, W, 3) about 128, along the forms and by the brightness.

        Its direction is one of `ANGLES` at each place, and its tile that of the brightness there;
        the borders between them are ragged, so that they look like ends of strokes.
        """
        side = self.tiles.shape[1]
        uneven = canvas.reduced_texture(3.0, "borders")
        turn = cv2.phase(*forms.direction) * np.float32(ANGLES / np.pi)
        turn = turn + uneven * np.float32(0.2) + np.float32(2 * ANGLES)
        angle = np.rint(turn).astype(np.uint8) & np.uint8(ANGLES - 1)
        tone = blur(luma, 4.0 / canvas.step) + uneven * np.float32(0.03)
        tile = sum((tone > limit).astype(np.float32) for limit in self.tones)
        pixel = np.float32(1 / (self.handling.size * canvas.unit))
        cosine, sine, offset = (self._full(cv2.LUT(angle, each), canvas) for each in _TABLES)
        top = self._full(tile * np.float32(side + 2 * _MARGIN), canvas)
        across, down = (each * pixel for each in canvas.places)
        along = cv2.multiply(cosine, across) + cv2.multiply(sine, down) + offset
        beside = cv2.multiply(cosine, down) - cv2.multiply(sine, across) + offset
        along, beside = (_wrapped(each, side) + np.float32(_MARGIN) for each in (along, beside))
        sampled = cv2.remap(self._atlas, along, beside + top, cv2.INTER_LINEAR)
        return cv2.cvtColor(sampled, cv2.COLOR_RGBA2RGB)  # type: ignore[no-any-return]

    @staticmethod
    def _full(plane: Plane, canvas: Canvas) -> Plane:
        """A plane of the reduced size at the full one, without values between its own."""
        if canvas.step == 1:
            return plane
        size = canvas.shape[1], canvas.shape[0]
        return cv2.resize(plane, size, interpolation=cv2.INTER_NEAREST)  # type: ignore[no-any-return]

    @cached_property
    def _atlas(self) -> NDArray[np.uint8]:
        """The tiles one below the other, each with a margin, RGBA."""
        edge = ((_MARGIN, _MARGIN), (_MARGIN, _MARGIN), (0, 0))
        rows = np.concatenate([np.pad(tile, edge, "wrap") for tile in self.tiles])
        return cv2.cvtColor(rows, cv2.COLOR_RGB2RGBA)  # type: ignore[no-any-return]


def _wrapped(plane: Plane, side: int) -> Plane:
    """The plane modulo `side`."""
    wrapped: Plane = plane - np.floor(plane * np.float32(1 / side)) * np.float32(side)
    return wrapped


def _flattened(picture: Plane, tolerance: float) -> Plane:
    """Areas of similar colour made even, by a bilateral filter at half the size."""
    height, width = picture.shape[:2]
    return resized(cv2.bilateralFilter(reduced(picture, 2), 5, tolerance, 3.0), height, width)
