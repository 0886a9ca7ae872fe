"""Wet media: strokes of oil and pastel, washes of watercolour."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .brush import Laid
from .canvas import Canvas
from .forms import Forms
from .ground import Ground, Turns
from .planes import (
    Colour,
    Plane,
    added,
    blur,
    covered,
    cv2,
    drawn_to,
    faded,
    luma_of,
    relief,
    resized,
    smoothstep,
    times,
    vivid,
)

_PIVOT = 0.75  # the brightness that a factor of the contrast leaves
Surface = Callable[[Canvas], Plane]


@dataclass(frozen=True)
class Strokes:
    """Strokes that follow the forms, each of one colour, clipped at edges.

    side: of the grid of strokes, in units. length, width: of a stroke, in sides. bristles: how much
    the hairs of the brush show. variation: of the brightness from stroke to stroke. hue: of the
    colour. thickness: of the paint, as seen in a light from the side. paper: how much of its grain
    shows. rest: the angle of strokes where there is no form, or `None`. swirl: how far that angle
    turns over the picture, in radians. palette: colours from dark to light that the picture is
    drawn to. share: of the palette. vivid: factor of the saturation. contrast: of the brightness.
    """

    side: float = 9.0
    length: float = 1.9
    width: float = 0.62
    bristles: float = 0.2
    variation: float = 0.09
    hue: float = 0.025
    thickness: float = 0.05
    paper: float = 0.0
    rest: float | None = None
    swirl: float = 0.0
    palette: tuple[Colour, ...] = ()
    share: float = 0.5
    vivid: float = 1.0
    contrast: float = 1.0

    def __call__(self, canvas: Canvas) -> Plane:
        """The picture in strokes. They are computed at a reduced size, and added to the picture."""
        below = canvas.ahead(self.below)
        base = self._coloured(canvas.simple(below.forms, 0.5))
        colours = below.strokes.colours(base)
        beyond_edges = smoothstep(cv2.absdiff(luma_of(colours), luma_of(base)), 0.07, 0.18)
        colours = faded(colours, base, beyond_edges)
        light = below.light * (np.float32(0.35) + luma_of(colours))
        lit = cv2.merge((light + below.hue, light, light - below.hue))
        colours = cv2.add(times(colours, below.tone), lit, dst=lit)
        if canvas.step > 1:  # edges keep their sharpness, areas lose their detail
            change = cv2.subtract(colours, times(canvas.small, below.kept))
            picture = cv2.add(
                times(canvas.picture, canvas.ahead(self.kept)), resized(change, *canvas.shape)
            )
        else:
            picture = colours
        return picture if self.paper == 0 else added(picture, self.paper * canvas.paper(0.8))

    def below(self, ground: Ground) -> "StrokesBelow":
        """What does not depend on the picture's colours."""
        turns = Turns(34.0, "swirl", self.swirl) if self.rest is not None and self.swirl else None
        forms = ground.forms(self.rest, turns)
        strokes = ground.strokes(self.rest, turns, self.side, self.length, self.width)
        bristles = ground.bristles(self.rest, turns, 1.2, "strokes", 3)
        keep = forms.calm_around * np.float32(0.62) + np.float32(0.38)
        lighter, warmer = strokes.chances()
        height = cv2.addWeighted(np.maximum(strokes.height, 0), 0.9, bristles, self.bristles, 0.0)
        return StrokesBelow(
            forms,
            strokes,
            tone=1 + lighter * keep * np.float32(self.variation),
            hue=warmer * keep * np.float32(self.hue),
            light=relief(blur(height, 0.6), self.thickness) * keep,
            kept=np.float32(0.7) - forms.calm * np.float32(0.6),
        )

    def kept(self, ground: Ground) -> Plane:
        """How much of the picture's detail stays, at the full size."""
        return resized(ground.of(self.below).kept, *ground.shape)

    def _coloured(self, picture: Plane) -> Plane:
        if self.palette:
            picture = drawn_to(picture, self.palette, self.share)
        if self.contrast != 1:
            picture = cv2.addWeighted(
                picture, self.contrast, picture, 0.0, _PIVOT * (1 - self.contrast)
            )
        return picture if self.vivid == 1 else vivid(picture, self.vivid)


class StrokesBelow(NamedTuple):
    """Strokes without their colours, planes of the size that strokes are computed at.

    tone: factor of the colour. hue: how much warmer. light: of the paint's relief. kept: share of
    the picture's detail.
    """

    forms: Forms
    strokes: Laid
    tone: Plane
    hue: Plane
    light: Plane
    kept: Plane


def watercolour(canvas: Canvas) -> Plane:
    """Washes with dark rims and white gaps, pigment that settles in the paper, edges that run."""
    height, width = canvas.shape
    pixels = canvas.unit / canvas.step
    small = vivid(canvas.simple(canvas.all_forms), 1.7)
    wet = canvas.run(cv2.addWeighted(small, 0.9, small, 0.0, 0.11), 1.0)  # transparent on white
    luma = luma_of(wet)
    sharp = blur(luma, max(0.3, 0.8 * pixels))
    around = blur(luma, 2.3 * pixels) - sharp
    rims = np.clip(around - np.float32(0.006), 0, 0.05) * np.float32(4.2)
    gaps = np.clip(-around - np.float32(0.006), 0, 0.06) * np.float32(7.0)
    pool = cv2.addWeighted(
        canvas.texture(12.0, "pool"), 0.13, canvas.texture(30.0, "flood"), 0.15, 1.0
    )
    paper = canvas.paper()
    density = pool + np.float32(0.08) * paper + resized(rims - gaps, height, width)
    picture = 1 - times(resized(1 - wet, height, width), np.maximum(density, 0))
    lines = canvas.contours(1.0, 0.3, 0.9, 2) * np.float32(0.3)
    picture = covered(picture, (0.20, 0.19, 0.25), lines)
    return added(picture, relief(paper, 0.004))
