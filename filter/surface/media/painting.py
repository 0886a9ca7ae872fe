"""Wet media: strokes of oil and pastel, washes of watercolour."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from turbolens.filter.surface.canvas import Canvas
from turbolens.filter.surface.forms import Forms
from turbolens.filter.surface.ground import Ground, Turns
from turbolens.filter.surface.planes import (
    Colour,
    Plane,
    added,
    blur,
    covered,
    cv2,
    faded,
    luma_of,
    noise,
    reduced,
    relief,
    resized,
    sample,
    toned,
    vivid,
    vivid_matrix,
)
from turbolens.filter.surface.seeds import chances
from turbolens.filter.surface.simplify import Levels, from_levels, to_levels

from .accents import accented, accents
from .attention import calm_enough, features, kept_in_faces, matters, people, shown, where_most
from .shapes import Layer, Shapes, at
from .strokes import laid

_PIVOT = 0.75  # the brightness that a factor of the contrast leaves
_HEIGHTS = 66, 170, 99  # levels: of the lowest and the highest stroke, and between strokes
_EVEN_HEIGHT = 118.0  # level around which heights become even
_FACE_SIDE, _FACE_PIXELS = 4.0, 3.5  # units between the strokes of faces, at least so many pixels
_FEATURES, _SKIN = 0.75, 0.2  # shares of the picture at eyes and mouths, and all over faces
_FLAT_FACES = 0.75  # how much less the paint of a face stands out in the light
_EVEN_FACES = 0.6  # how much less the strokes of a face vary
_MEDIAN = 3  # reduced pixels: spots up to half as large have no colour of their own
_HAIR, _HAIRS = 1.1, 2  # units across, doublings of the length
_SHOWN = 255.0  # levels of bristles of an amount of 1, before they are smeared
_NO_LIGHT = 128  # level
_FROM_THE_LEFT = np.array([[-2, -2, 0], [-2, 0, 2], [0, 2, 2]], np.float32)
"""Slopes against a light from the top left: the sum of both of Sobel's."""
_WARM = np.array([1, 0, -1], np.float32)


@dataclass(frozen=True)
class Strokes:
    """Strokes that follow the forms, each of one colour, clipped at edges.

    side: units between the largest strokes. finer: what it is multiplied by for the strokes over
    them. shares: of the picture that each layer of those covers, where there is most to see.
    length, width: of a stroke, in sides. bristles: how much the hairs of the brush show. variation:
    of the brightness from stroke to stroke. hue: of the colour. thickness: of the paint, as seen in
    a light from the side. paper: how much of its grain shows. rest: the angle of strokes where
    there is no form, or `None`. swirl: how far that angle turns over the picture, in radians.
    level: weight of level strokes against those along the forms, as squared contrast of a form.
    palette: colours from dark to light that the picture is drawn to. share: of the palette. vivid:
    factor of the saturation. contrast: of the brightness. clear: share of the picture on what
    stands out.
    """

    side: float = 17.0
    finer: float = 0.58
    shares: tuple[float, ...] = (0.45, 0.14)
    length: float = 2.6
    width: float = 0.8
    bristles: float = 0.2
    variation: float = 0.09
    hue: float = 0.025
    thickness: float = 0.03
    paper: float = 0.0
    rest: float | None = None
    swirl: float = 0.0
    level: float = 0.0
    palette: tuple[Colour, ...] = ()
    share: float = 0.5
    vivid: float = 1.0
    contrast: float = 1.0
    clear: float = 0.2

    def __call__(self, canvas: Canvas) -> Plane:
        """The picture in strokes."""
        shapes, light, variety = canvas.ahead(self.below)
        levels = canvas.lively
        even = self._coloured(cv2.medianBlur(reduced(levels, canvas.step), _MEDIAN))
        picture = shapes.painted(self._colours(shapes, variety, even), even)
        cv2.addWeighted(picture, 1, cv2.merge((light, light, light)), 1, -_NO_LIGHT, dst=picture)
        shares = canvas.ahead(kept_in_faces, _FEATURES, _SKIN, self.clear)
        picture = shown(picture, levels, shares, self._coloured)
        return from_levels(accented(picture, canvas.ahead(accents), canvas.unit))

    def below(self, ground: Ground) -> tuple[Shapes, Levels, Plane]:
        """The strokes without their colours, what light adds, in levels over `_NO_LIGHT`, and how
        much the colour of each stroke may vary, (n,)."""
        turns = Turns(34.0, "swirl", self.swirl) if self.rest is not None and self.swirl else None
        forms = ground.forms(self.rest, turns)
        attention = ground.of(matters)
        layers = [Layer(self.side)]
        for share in self.shares:
            side = self.side * self.finer ** len(layers)
            layers.append(Layer(side, where_most(attention, share)))
        least = _FACE_PIXELS / ground.unit
        layers.append(Layer(max(_FACE_SIDE, least), ground.of(people)))
        shapes = laid(ground, forms, layers, (self.length, self.width), self.level)
        height = shapes.heights(*_HEIGHTS)
        hairs = resized(_hairs(ground, forms, self.bristles), *ground.shape)
        height = cv2.addWeighted(height, 1, hairs, 0.6, -0.6 * _NO_LIGHT)
        height = cv2.GaussianBlur(height, (3, 3), 0.6)
        lit = (1 - attention * np.float32(0.75)) * (
            ground.small_luma() * np.float32(0.8) + np.float32(0.3)
        )
        lit *= 1 - np.float32(_FLAT_FACES) * ground.of(people)
        light = _slopes(height, resized(to_levels(lit), *ground.shape), self.thickness * 1.6 / 0.6)
        if self.paper:
            light = cv2.scaleAdd(ground.paper(0.8), self.paper * 255, light.astype(np.float32))
            light = cv2.max(light, 0).astype(np.uint8)
        face = at(ground.of(people), shapes.x, shapes.y)
        variety = np.where(shapes.layer == 0, np.float32(1), np.float32(0.6))
        return shapes, light, variety * (1 - np.float32(_EVEN_FACES) * face)

    def _colours(self, shapes: Shapes, variety: Plane, picture: Levels) -> Plane:
        """Of each stroke, (n, 3)."""
        colours = at(cv2.blur(picture, (3, 3)), shapes.x, shapes.y) * np.float32(1 / 255)
        lighter, warmer = chances("strokes")[shapes.seed].T * variety
        colours = colours * (1 + np.float32(self.variation) * lighter)[:, None]
        return colours + (np.float32(self.hue) * warmer)[:, None] * _WARM  # type: ignore[no-any-return]

    def _coloured(self, picture: Levels) -> Levels:
        matrix = np.float32(self.contrast) * vivid_matrix(self.vivid)
        shift = np.full((3, 1), 255 * _PIVOT * (1 - self.contrast), np.float32)
        if self.palette:
            drawn = to_levels(
                toned(from_levels(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)), self.palette)
            )
            picture = cv2.addWeighted(picture, 1 - self.share, drawn, self.share, 0.0)
        return cv2.transform(picture, np.hstack([matrix, shift]))  # type: ignore[no-any-return]


def _slopes(height: Levels, shares: Levels, amount: float) -> Levels:
    """Light from the top left on a height, in levels over `_NO_LIGHT`; shares: of it, (H, W)."""
    even = cv2.convertScaleAbs(shares, alpha=-_EVEN_HEIGHT / 255, beta=_EVEN_HEIGHT)
    height = cv2.add(cv2.multiply(height, shares, scale=1 / 255), even)
    kernel = _FROM_THE_LEFT * np.float32(amount)
    return cv2.filter2D(height, cv2.CV_8U, kernel, delta=_NO_LIGHT)  # type: ignore[no-any-return]


def _hairs(ground: Ground, forms: Forms, amount: float) -> Levels:
    """What the hairs of a brush leave along the forms, in levels over `_NO_LIGHT`, (H, W) of the
    reduced size. amount: its deviation, as a share of the paint."""
    shape = ground.shape[0] // ground.step, ground.shape[1] // ground.step
    plane = _bristles(shape, _HAIR * ground.unit / ground.step, amount)
    if ground.moved is not None:
        plane = sample(plane, *ground.reduced_places(), cv2.BORDER_WRAP)
    return forms.smeared(plane, _HAIRS)


@lru_cache(maxsize=16)
def _bristles(shape: tuple[int, int], scale: float, amount: float) -> Levels:
    plane = noise(shape, scale, "strokes") * np.float32(amount * _SHOWN) + np.float32(_NO_LIGHT)
    levels: Levels = np.clip(np.rint(plane), 0, 255).astype(np.uint8)
    return levels


def watercolour(canvas: Canvas) -> Plane:
    """Washes with dark rims and white gaps, pigment that settles in the paper, edges that run."""
    height, width = canvas.shape
    pixels = canvas.unit / canvas.step
    kept = canvas.ahead(features)
    even = faded(from_levels(canvas.even), canvas.small, kept)
    small = vivid(cv2.pow(np.maximum(even, 0), 0.8), 1.5)
    wet = canvas.run(cv2.addWeighted(small, 0.92, small, 0.0, 0.08), 1.3)  # transparent on white
    spread = resized(blur(reduced(wet, 2), 2.5 * pixels), *wet.shape[:2])
    wet = cv2.addWeighted(wet, 0.65, spread, 0.35, 0.0, dst=spread)  # colours bleed
    wet = faded(wet, cv2.addWeighted(small, 0.95, small, 0.0, 0.06), kept * np.float32(0.8))
    luma = luma_of(wet)
    sharp = blur(luma, max(0.3, 0.8 * pixels))
    around = blur(luma, 2.3 * pixels) - sharp
    rims = np.clip(around - np.float32(0.006), 0, 0.05) * np.float32(4.0)
    gaps = np.clip(-around - np.float32(0.006), 0, 0.06) * np.float32(7.0)
    flood = canvas.texture(34.0, "flood")
    pool = cv2.addWeighted(canvas.texture(10.0, "pool"), 0.07, flood, 0.08, 1.0)
    paper = canvas.paper()
    density = pool + np.float32(0.07) * paper + resized(rims - gaps, height, width)
    cool = flood * np.float32(0.06) + np.float32(0.05)  # no grey is quite grey
    densities = cv2.merge((density + cool, density, density - cool))
    cv2.multiply(resized(1 - wet, height, width), densities, dst=densities)
    picture = 1 - np.maximum(densities, 0)
    clear = resized(canvas.ahead(calm_enough), height, width) * np.float32(0.35)
    lines = canvas.contours(0.9, 0.3, 0.9, 2) * clear
    picture = covered(picture, (0.22, 0.19, 0.26), lines)
    picture = to_levels(added(picture, relief(paper, 0.004)))
    return from_levels(accented(picture, canvas.ahead(accents), canvas.unit))
