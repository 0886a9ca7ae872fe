"""Wet media: strokes of oil and pastel, washes of watercolour."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .canvas import Canvas
from .forms import Forms
from .planes import (
    Colour,
    Plane,
    added,
    blur,
    cv2,
    drawn_to,
    flattened,
    luma_of,
    reduced,
    relief,
    resized,
    times,
    vivid,
)

Surface = Callable[[Canvas], Plane]

_PALETTE_SHARE = 0.5  # of the palette in the colours


@dataclass(frozen=True)
class Strokes:
    """Strokes that follow the forms.

    width: of a stroke, in units. length, smear: doublings, of the strokes and of the colours along
    them. ragged: units that an edge is moved across. variation: of the brightness from stroke to
    stroke. warmth: of the hue. thickness: of the paint, as seen in a light from the side. paper:
    how much of its grain shows. rest: the angle of strokes where there is no form, or `None`.
    palette: colours from dark to light that the picture is drawn to, and that its areas are
    simplified for. vivid: factor of the saturation.
    """

    width: float = 1.4
    length: int = 4
    smear: int = 3
    ragged: float = 1.8
    variation: float = 0.045
    warmth: float = 0.012
    thickness: float = 0.026
    paper: float = 0.0
    rest: float | None = None
    palette: tuple[Colour, ...] = ()
    vivid: float = 1.0

    def __call__(self, canvas: Canvas) -> Plane:
        """The picture in strokes. They are computed at a reduced size, and added to the picture."""
        forms = canvas.forms(self.rest)
        source = self._source(canvas)
        small = reduced(source, canvas.step)
        bristles = forms.smeared_noise(canvas.reduced_texture(self.width, "strokes"), self.length)
        # Eyes and mouths are busy, and must be readable.
        calm = forms.calm * np.float32(0.88) + np.float32(0.12)
        light, luma = cv2.multiply(bristles, calm), luma_of(small)
        brighter = light * luma * np.float32(self.variation)
        brighter += relief(bristles, self.thickness / canvas.step) * calm * (np.float32(0.3) + luma)
        warmer = light * np.float32(self.warmth)
        change = times(cv2.subtract(self._smeared(canvas, forms, small, bristles), small), calm)
        change += cv2.merge((brighter + warmer, brighter, brighter - warmer))
        picture: Plane = cv2.add(source, resized(change, *canvas.shape))
        return picture if self.paper == 0 else added(picture, self.paper * canvas.paper(0.8))

    def _source(self, canvas: Canvas) -> Plane:
        source = canvas.picture
        if self.palette:  # with fewer tones, too
            source = drawn_to(flattened(source, 0.2), self.palette, _PALETTE_SHARE)
        return source if self.vivid == 1 else vivid(source, self.vivid)

    def _smeared(self, canvas: Canvas, forms: Forms, small: Plane, bristles: Plane) -> Plane:
        """The colours along the strokes, with ragged edges."""
        sideways = bristles * forms.calm * np.float32(self.ragged * canvas.unit / canvas.step)
        # Four channels: OpenCV samples them three times as fast as three.
        four = cv2.cvtColor(small, cv2.COLOR_RGB2RGBA)
        smeared: Plane = cv2.cvtColor(forms.smeared(four, self.smear, sideways), cv2.COLOR_RGBA2RGB)
        return smeared


def watercolour(canvas: Canvas) -> Plane:
    """Washes with dark rims, pigment that settles in the paper, and edges that run."""
    unit = canvas.unit
    wet = canvas.run(flattened(canvas.picture), 0.8)
    luma = luma_of(wet)
    rims = np.clip(blur(luma, 3.2 * unit) - blur(luma, 1.1 * unit) - 0.008, 0, 0.08)
    pool = cv2.addWeighted(
        canvas.texture(12.0, "pool"), 0.09, canvas.texture(30.0, "flood"), 0.1, 1
    )
    density = pool + np.float32(0.07) * canvas.paper() + np.float32(4.5) * rims
    picture = 1 - times(1 - wet, density)
    return added(picture, relief(canvas.paper(1.0), 0.0035))
