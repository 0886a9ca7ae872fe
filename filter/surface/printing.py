"""Prints and tiles: halftone dots, wood grain and mosaic."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .attention import calm_enough, features
from .canvas import Canvas
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
    noise,
    reduced,
    relief,
    resized,
    sample,
    smoothstep,
    times,
    vivid,
)
from .simplify import firmed, from_levels, to_levels

_INK = (0.05, 0.05, 0.06)
_LIGHTER = 0.8  # exponent of the stones of a mosaic
_KEY = (0.10, 0.10, 0.16)


def _screen(canvas: Canvas, distance: float) -> Plane:
    """0…1, highest in the middle of a dot; dots lie on a turned grid."""
    x, y = canvas.places
    turn = np.float32(2 * np.pi / (distance * canvas.unit))
    along = np.cos((x * np.float32(0.92) + y * np.float32(0.39)) * turn)
    across = np.cos((y * np.float32(0.92) - x * np.float32(0.39)) * turn)
    screen: Plane = (along + across) * np.float32(0.25) + np.float32(0.5)
    return screen


def _in_steps(luma: Plane, steps: int, sharp: float = 0.12) -> Plane:
    """The luma in a few even tones, with edges as narrow as `sharp` of a step."""
    levels = np.linspace(0, 1, 256, dtype=np.float32) * np.float32(steps)
    low = np.floor(levels)
    stepped = low + smoothstep(levels - low, 0.5 - sharp, 0.5 + sharp)
    table = (stepped / np.float32(steps)).astype(np.float32)
    return cv2.LUT(to_levels(luma), table[None])  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Halftone:
    """Flat colours in steps, dots in the half shadows, and inked lines.

    dots: their distance, in units. steps: of the brightness. vivid: factor of the saturation.
    """

    dots: float = 5.5
    steps: int = 4
    vivid: float = 1.35
    ink: float = 1.8

    def __call__(self, canvas: Canvas) -> Plane:
        """The picture as a print."""
        flat = canvas.flat
        luma = luma_of(flat)
        stepped = _in_steps(canvas.levelled(luma), self.steps)
        flat = times(flat, (stepped + np.float32(0.06)) / (luma + np.float32(0.06)))
        flat = vivid(flat, self.vivid)
        shadow = smoothstep(1 - luma, 0.35, 0.8) * np.float32(0.8)
        dots = smoothstep(shadow + _screen(canvas, self.dots), 0.9, 1.04)
        dots *= 1 - smoothstep(1 - luma, 0.72, 0.88)  # in the black there are none
        flat = times(flat, np.float32(1.06) - np.float32(0.34) * dots)
        return covered(flat, _INK, canvas.contours(self.ink, 0.22, 0.42))


@dataclass(frozen=True)
class PopArt:
    """A few loud colours by tone, dots where two of them meet, and heavy ink.

    palette: of flat colours from dark to light. dots: their distance, in units. even: size of the
    areas that become even, in units.
    """

    palette: tuple[Colour, ...]
    dots: float = 7.0
    even: float = 6.0

    def __call__(self, canvas: Canvas) -> Plane:
        """The picture as a screen print."""
        tone = self._tone(canvas)
        last = len(self.palette) - 1
        # Between two colours dots of one on the other.
        place = tone * np.float32(last)
        low = np.floor(np.clip(place, 0, last - 1e-3))
        share = smoothstep(place - low, 0.15, 0.85)
        screen = _screen(canvas, self.dots)
        upper = smoothstep(share * np.float32(1.1) - np.float32(0.05) + screen, 0.88, 1.12)
        chosen = low + upper
        picture = drawn_to(cv2.merge([chosen / np.float32(last)] * 3), self.palette, 1.0)
        clear = resized(canvas.ahead(calm_enough), *canvas.shape)
        return covered(picture, _INK, canvas.contours(2.0, 0.22, 0.5) * clear)

    def _tone(self, canvas: Canvas) -> Plane:
        """The tone of what is seen in even areas, but for eyes and mouths."""
        small = reduced(canvas.seen_tone, canvas.step)
        pixels = canvas.unit / canvas.step
        even = cv2.medianBlur(to_levels(small), 2 * round(self.even * pixels) + 1)
        even = blur(from_levels(even), 1.4 * pixels)
        kept = canvas.ahead(features)
        even = even + (blur(small, 0.8 * pixels) - even) * kept
        full = cv2.resize(even, canvas.shape[::-1], interpolation=cv2.INTER_CUBIC)
        return from_levels(firmed(to_levels(full)))


@dataclass(frozen=True)
class Woodblock:
    """Flat colours that fade towards the top, with a trace of the block's grain, and a key line.

    palette: colours from dark to light that the picture is drawn to. share: of the palette. fade:
    the colour that is wiped over the top.
    """

    palette: tuple[Colour, ...]
    share: float = 0.7
    fade: Colour = (0.13, 0.25, 0.45)

    def __call__(self, canvas: Canvas) -> Plane:
        """The picture as a print."""
        flat = canvas.flat
        luma = luma_of(flat)
        stepped = _in_steps(canvas.levelled(luma), 5, 0.14)
        flat = vivid(times(flat, (stepped + np.float32(0.1)) / (luma + np.float32(0.1))), 1.2)
        flat = drawn_to(flat, self.palette, self.share)
        height, width = canvas.shape
        light = smoothstep(stepped, 0.45, 0.8)
        flat = faded(flat, _plain(height, width, self.fade), light * _bokashi(height, width))
        grain = sample(_wood(height, width, canvas.unit), *canvas.places, cv2.BORDER_WRAP)
        flat = times(flat, 1 + np.float32(0.013) * grain)
        flat = added(flat, relief(canvas.paper(1.0), 0.002))
        return covered(flat, _KEY, canvas.contours(1.5, 0.2, 0.4) * np.float32(0.95))


@lru_cache(maxsize=8)
def _plain(height: int, width: int, colour: Colour) -> Plane:
    return np.full((height, width, 3), colour, np.float32)


@lru_cache(maxsize=8)
def _bokashi(height: int, width: int) -> Plane:
    """Colour wiped over the top of a block: most at the rim, none from a third down."""
    down = np.arange(height, dtype=np.float32) / height
    fade = 0.62 * np.square(np.clip(1 - down / 0.36, 0, 1))
    return np.repeat(fade[:, None].astype(np.float32), width, axis=1)


@lru_cache(maxsize=8)
def _wood(height: int, width: int, unit: float) -> Plane:
    white = noise((height, width), 0, "wood")
    grain = cv2.GaussianBlur(white, (0, 0), 40 * unit, sigmaY=0.8 * unit)
    return grain / np.float32(grain.std() + 1e-6)  # type: ignore[no-any-return]
