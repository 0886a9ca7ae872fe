"""Prints: pop art, comics and Japanese woodblocks."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from turbolens.filter.surface.canvas import Canvas
from turbolens.filter.surface.ground import Ground
from turbolens.filter.surface.planes import (
    Colour,
    Plane,
    added,
    blur,
    covered,
    cv2,
    enlarged,
    faded,
    noise,
    reduced,
    relief,
    resized,
    smoothstep,
    times,
    toned,
)
from turbolens.filter.surface.simplify import firmed, from_levels, to_levels

from .accents import accents
from .attention import calm_enough, features, figures
from .contour import Pen, inked
from .tones import between, cleared, face_lines, flat_colours

_INK = (0.05, 0.05, 0.06)
_LIGHT = 1.14  # of the paper, against the tone of what is seen
_KEPT = 0.6  # of the tones of what stands out
_LIT_SKIN = 0.6  # how much of a face's shadows is lifted
_DARKER, _LIGHTER = 2.2, 0.6  # how much the darks and lights of small forms count
_BRUSH = Pen(thin=0.4, bold=1.0, skin=0.4)
_KNIFE = Pen(thin=0.4, bold=0.75, skin=0.6)
_BOKASHI = 0.36  # share of the height that colour is wiped over


def screen(canvas: Canvas, distance: float) -> Plane:
    """0…1, highest in the middle of a dot; dots lie on a turned grid. distance: in units."""
    return canvas.ahead(dots, distance)


def dots(ground: Ground, distance: float) -> Plane:
    """As `screen`."""
    x, y = ground.places()
    turn = np.float32(2 * np.pi / (distance * ground.unit))
    along = np.cos((x * np.float32(0.92) + y * np.float32(0.39)) * turn)
    across = np.cos((y * np.float32(0.92) - x * np.float32(0.39)) * turn)
    result: Plane = (along + across) * np.float32(0.25) + np.float32(0.5)
    return result


@dataclass(frozen=True)
class PopArt:
    """A few loud colours by tone, dots where two of them meet, and heavy ink.

    palette: of flat colours from dark to light. dots: their distance, in units. even: size of the
    areas that become even, in units.
    """

    palette: tuple[Colour, ...]
    dots: float = 7.0
    even: float = 10.0

    def __call__(self, canvas: Canvas) -> Plane:
        """The picture as a screen print."""
        tone = self._tone(canvas)
        last = len(self.palette) - 1
        # Between two colours dots of one on the other.
        place = tone * np.float32(last)
        low = np.floor(np.clip(place, 0, last - 1e-3))
        share = smoothstep(place - low, 0.3, 0.8)
        dot = screen(canvas, self.dots)
        upper = smoothstep(share * np.float32(1.1) - np.float32(0.05) + dot, 0.88, 1.12)
        chosen = low + upper
        picture = toned(chosen / np.float32(last), self.palette)
        clear = resized(canvas.ahead(calm_enough), *canvas.shape)
        return covered(picture, _INK, canvas.contours(2.2, 0.4, 0.7) * clear * clear)

    def _tone(self, canvas: Canvas) -> Plane:
        """The tone of what is seen in even areas, but for eyes and mouths."""
        small = reduced(cleared(canvas, 0.6), canvas.step)
        pixels = canvas.unit / canvas.step
        even = cv2.medianBlur(to_levels(small), 2 * round(self.even * pixels) + 1)
        even = blur(from_levels(even), 1.4 * pixels)
        kept = np.maximum(
            canvas.ahead(features),
            resized(canvas.ahead(figures), *even.shape) * np.float32(_KEPT),
        )
        even = even + (blur(small, 0.8 * pixels) - even) * kept
        full = firmed(to_levels(enlarged(even, *canvas.shape)))
        dark, light = canvas.ahead(accents)
        cv2.subtract(full, cv2.multiply(dark, _DARKER), dst=full)
        return from_levels(cv2.add(full, cv2.multiply(light, _LIGHTER), dst=full))


@dataclass(frozen=True)
class Comic:
    """Flat colours in steps, dots in the shadows, black areas and inked lines.

    dots: their distance, in units. steps: of the brightness. vivid: factor of the saturation.
    """

    dots: float = 5.0
    steps: int = 4
    vivid: float = 1.6

    def __call__(self, canvas: Canvas) -> Plane:
        """The picture as a print."""
        skin = canvas.full_skin
        flat, tone = flat_colours(canvas, self.steps, vivid=self.vivid)
        lit = cv2.sqrt(cv2.max(flat, 0))
        flat = faded(flat, lit, np.float32(_LIT_SKIN) * skin)
        dot = screen(canvas, self.dots)
        shadow = between(tone, low=0.56, high=0.2, top=0.7) * (1 - np.float32(0.95) * skin)
        dots = smoothstep(shadow + dot, 0.85, 1.05) * between(tone, low=0.56, high=0.4, top=0.26)
        flat = times(flat, np.float32(_LIGHT) - dots)
        black = between(canvas.seen_tone, low=0.16, high=0.06) * (1 - np.float32(0.6) * skin)
        fine = face_lines(canvas, 0.65)
        ink = cv2.max(cv2.max(black, inked(canvas, 2.6, _BRUSH)), fine)
        return covered(flat, _INK, ink, dst=flat)


@dataclass(frozen=True)
class Woodblock:
    """Flat colours that fade towards the top, with a trace of the block's grain, and a key line.

    palette: colours from dark to light that the picture is drawn to. share: of the palette. fade:
    the colour that is wiped over the top. skin: share of the palette on skin. key: colour of the
    lines.
    """

    palette: tuple[Colour, ...]
    share: float = 0.7
    fade: Colour = (0.13, 0.25, 0.45)
    skin: float = 0.3
    key: Colour = (0.12, 0.12, 0.18)

    def __call__(self, canvas: Canvas) -> Plane:
        """The picture as a print."""
        skin = canvas.full_skin
        flat, tone = flat_colours(canvas, 5, vivid=1.6)
        flat = faded(
            flat,
            toned(tone, self.palette),
            np.float32(self.share) + np.float32(self.skin - self.share) * skin,
        )
        top = math.ceil(_BOKASHI * canvas.shape[0])
        wiped = between(tone[:top], low=0.45, high=0.8) * (1 - skin[:top]) * _wipe(top)
        covered(flat[:top], self.fade, wiped, dst=flat[:top])
        grain = canvas.moved_plane(_wood(*canvas.shape, canvas.unit)) * np.float32(0.003)
        flat = added(flat, grain + relief(canvas.paper(1.0), 0.001))
        key = cv2.max(inked(canvas, 2.0, _KNIFE), face_lines(canvas, 0.7))
        return covered(flat, self.key, key, dst=flat)


@lru_cache(maxsize=8)
def _wipe(height: int) -> Plane:
    """How much colour is wiped over each row of the top of a block: most at the rim."""
    down = np.arange(height, dtype=np.float32) / height
    return (0.62 * np.square(1 - down))[:, None].astype(np.float32)


@lru_cache(maxsize=8)
def _wood(height: int, width: int, unit: float) -> Plane:
    white = noise((height, width), 0, "wood")
    grain = cv2.GaussianBlur(white, (0, 0), 40 * unit, sigmaY=0.8 * unit)
    return grain / np.float32(grain.std() + 1e-6)  # type: ignore[no-any-return]
