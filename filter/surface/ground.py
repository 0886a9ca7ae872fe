"""`Ground`: what a surface needs of a frame and its motion, without the result.

It can be computed beside the networks, on another thread, while there is no result yet.
"""

from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import NamedTuple, TypeAlias, TypeVar

import numpy as np

from turbolens.filter.beside import Beside

from .bars import Inside, inside_of, strongest_of, without_bars
from .drift import Drifted, Moved
from .forms import Forms
from .hold import CELL
from .memo import Memo, once
from .planes import (
    Plane,
    blur,
    coordinates,
    cv2,
    enlarged,
    noise,
    reduced,
    resized,
    sample,
    smoothstep,
)
from .seen import Seen
from .simplify import from_levels, to_levels

T = TypeVar("T")
Asked: TypeAlias = tuple[Callable[..., object], tuple[Hashable, ...]]
"""A function of a `Ground`, and its further arguments."""

_SMALL = 384  # side of a picture up to which strokes are computed at its full size
REFERENCE = 512  # side of the pictures that lengths are meant for
SHARES = (0.02, 0.5, 0.98)  # of the pixels that are darker than black, middle and white
_WHOLE_ROW, _NO_FACE = (0.72, 0.9), 0.95
"""Share of a row that has the hue of skin: a face below; nearly none above."""
_GLARE = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (13, 13))
_BESIDE = 6.0  # sigmas of a line around black bars in which their edge is seen
_QUARTER, _COARSE = 4, 1.0
"""Noise that is smooth over `_COARSE` pixels at a quarter of the size is made there."""


class Turns(NamedTuple):
    """How far the angle of rest turns over a picture: noise of `scale` units and this label, times
    `radians`."""

    scale: float
    label: str
    radians: float


class Same:
    """A plane as an argument of something that is kept: equal to itself alone."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.plane is self.plane

    def __hash__(self) -> int:
        return id(self.plane)


@lru_cache(maxsize=16)
def _paper(shape: tuple[int, int], grain: float) -> Plane:
    fine, coarse = noise(shape, grain, "paper"), noise(shape, 3 * grain, "pulp")
    return cv2.addWeighted(fine, 0.75, coarse, 0.35, 0.0)  # type: ignore[no-any-return]


def _begun() -> Drifted:
    return Drifted(None, True)


class Ground:
    """One frame. Every method depends on it and its drift alone; its result is kept. Thread-safe.

    seen: the frame. drifted: gives how far textures have moved; called once, when that is needed.
    shape: height and width of the frame, if that is still being computed. unit: pixels of the
    picture per pixel of a picture of 512 pixels. step: by which strokes are reduced when they are
    computed.
    """

    def __init__(
        self,
        seen: Seen | Beside[Seen],
        drifted: Callable[[], Drifted] = _begun,
        shape: tuple[int, int] | None = None,
    ) -> None:
        self._seen, self._drifted, self.memo = seen, drifted, Memo()
        self.finished = False
        """True if nothing more is needed of it."""
        self.shape = height, width = shape or (self.seen.luma.shape[0], self.seen.luma.shape[1])
        self.unit = max(0.7, max(height, width) / REFERENCE)
        self.step = 1 if max(height, width) <= _SMALL else 2

    @property
    def seen(self) -> Seen:
        """The frame."""
        return self._seen if isinstance(self._seen, Seen) else self._seen.result()

    def of(self, function: Callable[..., T], *args: Hashable) -> T:
        """`function(ground, *args)`, a method of this class or any other function; kept."""
        if hasattr(function, "__wrapped__"):
            return function(self, *args)  # `once` keeps it
        return self.memo(function, self, *args)

    def begin(self, asked: Sequence[Asked]) -> Beside[None]:
        """Compute these beside the networks, in this order, until the ground is `finished`.

        An exception is raised for the surface that asks for its result.
        """
        return Beside(self._compute, asked)

    def _compute(self, asked: Sequence[Asked]) -> None:
        for function, args in asked:
            if self.finished:
                return
            with suppress(Exception):  # kept in the memo
                self.of(function, *args)

    @once
    def small_luma(self) -> Plane:
        """The frame's luma at the size that strokes are computed at."""
        return reduced(self.seen.luma, self.step)

    @once
    def tones(self) -> tuple[float, ...]:
        """Black, middle and white of the luma, black bars left out."""
        return tones_of(self.seen.luma[self.inside()])

    @once
    def inside(self) -> Inside:
        """The rows and columns that are in no black bar."""
        return inside_of(self.seen.luma)

    @once
    def skin(self) -> Plane:
        """How much the frame has the hue of skin, of whatever lightness, 0…1, of about a third of
        the size."""
        cell = max(2, round(3 * self.unit))
        size = self.shape[1] // cell, self.shape[0] // cell
        half = reduced(self.seen.rgb, 2)  # by whole numbers, which is faster
        small = cv2.resize(half, size, interpolation=cv2.INTER_LINEAR)
        _, red, blue = cv2.split(cv2.cvtColor(small, cv2.COLOR_RGB2YCrCb).astype(np.float32))
        warm = (red - 128) - np.abs((128 - blue) - np.float32(0.75) * (red - 128))
        levels = to_levels(smoothstep(blur(warm, 1.5), 4.0, 15.0))
        skin = from_levels(cv2.morphologyEx(levels, cv2.MORPH_CLOSE, _GLARE))
        # A floor or a desk of wood has rows of that hue from edge to edge.
        rows = blur(cv2.reduce(skin, 1, cv2.REDUCE_AVG), 2.0)
        return skin * (1 - np.float32(_NO_FACE) * smoothstep(rows, *_WHOLE_ROW))

    @once
    def full_skin(self) -> Plane:
        """`skin` at the full size."""
        return resized(self.skin(), *self.shape)

    @once
    def faces(self) -> Plane:
        """`skin` with soft rims."""
        return blur(self.skin(), 1.5)

    @once
    def drifted(self) -> Drifted:
        """How far textures have moved."""
        return self._drifted()

    @property
    def moved(self) -> Moved | None:
        """The same; `None` if nothing has moved."""
        return self.drifted().moved

    @once
    def moved_cells(self) -> tuple[Plane, Plane] | None:
        """How far textures have moved, in pixels, for each cell of `CELL` pixels."""
        if self.moved is None:
            return None
        height, width = (-(-side // CELL) for side in self.shape)
        x, y = self.moved.at(height, width)
        scale = np.float32(self.shape[1] / width)
        return x * scale, y * scale

    @once
    def places(self) -> tuple[Plane, Plane]:
        """x and y of the texture at each pixel."""
        return self._places_by(1)

    @once
    def reduced_places(self) -> tuple[Plane, Plane]:
        """`places` at the size that strokes are computed at, in its pixels."""
        return self.places() if self.step == 1 else self._places_by(self.step)

    @once
    def _quarter_places(self) -> tuple[Plane, Plane]:
        return self._places_by(_QUARTER)

    def _places_by(self, step: int) -> tuple[Plane, Plane]:
        """`places` at a size divided by `step`, in its pixels."""
        height, width = self.shape[0] // step, self.shape[1] // step
        x, y = coordinates(height, width)
        if self.moved is None:
            return x, y
        across, down = self.moved.at(height, width)
        return cv2.add(across, x, dst=across), cv2.add(down, y, dst=down)

    @once
    def forms(self, rest: float | None = None, turns: Turns | None = None) -> Forms:
        """The direction of the forms; `rest`: the angle where there are none, which turns."""
        if turns is None:
            return Forms(self.small_luma(), rest)
        plane = self.reduced_texture(turns.scale, turns.label)
        angles = cv2.addWeighted(plane, turns.radians, plane, 0.0, rest or 0.0)
        return Forms(self.small_luma(), angles)

    @once
    def line_forms(self) -> Forms:
        """The directions of small forms, for lines."""
        return Forms(self.small_luma(), smoothing=2.0)

    @once
    def bristles(
        self, rest: float | None, turns: Turns | None, scale: float, label: str, doublings: int
    ) -> Plane:
        """A `reduced_texture` smeared along `forms(rest, turns)`, with a deviation of 1."""
        texture = self.reduced_texture(scale, label)
        return self.forms(rest, turns).smeared_noise(texture, doublings)

    @once
    def moved_plane(self, same: Same) -> Plane:
        """A plane of the picture's size that tiles, moved with the picture."""
        if self.moved is None:
            return same.plane
        return sample(same.plane, *self.places(), cv2.BORDER_WRAP)

    @once
    def texture(self, scale: float, label: str) -> Plane:
        """Noise that moves with the picture, smooth over `scale` units."""
        if scale * self.unit < _COARSE * _QUARTER:
            return self.moved_plane(Same(noise(self.shape, scale * self.unit, label)))
        height, width = self.shape[0] // _QUARTER, self.shape[1] // _QUARTER
        plane = noise((height, width), scale * self.unit / _QUARTER, label)
        if self.moved is not None:
            plane = sample(plane, *self._quarter_places(), cv2.BORDER_WRAP)
        return resized(plane, *self.shape)

    @once
    def reduced_texture(self, scale: float, label: str) -> Plane:
        """The same at the size that strokes are computed at."""
        if self.step == 1:
            return self.texture(scale, label)
        height, width = self.shape[0] // self.step, self.shape[1] // self.step
        plane = noise((height, width), scale * self.unit / self.step, label)
        if self.moved is None:
            return plane
        return sample(plane, *self.reduced_places(), cv2.BORDER_WRAP)

    @once
    def running(self, height: int, width: int, distance: float) -> tuple[Plane, Plane]:
        """Where paint has run from, x and y of a plane of this size; distance: in units."""
        pixels = distance * self.unit * height / self.shape[0]
        x, y = coordinates(height, width)
        across, down = (
            resized(self.texture(5.0, label), height, width) for label in ("run x", "run y")
        )
        return cv2.scaleAdd(across, pixels, x), cv2.scaleAdd(down, pixels, y)

    @once
    def paper(self, grain: float) -> Plane:
        """The unevenness of paper, mean 0 and deviation about 0.8."""
        return self.moved_plane(Same(_paper(self.shape, grain * self.unit)))

    @once
    def ridges(self, width: float, along: int) -> tuple[Plane, float]:
        """Differences of Gaussians, smeared along the forms, (H, W): dark lines are positive.

        Kang, Lee and Chui (FDoG, 2007). width: of a line, in units. along: doublings of a line's
        length. Also the contrast of the strongest lines.
        """
        sigma = max(0.5, 0.7 * width * self.unit / self.step)
        small = self.small_luma()
        difference = blur(small, 1.6 * sigma) - blur(small, sigma)
        difference = self.line_forms().smeared(difference, along)
        without_bars(difference, small, round(_BESIDE * sigma))
        strongest = strongest_of(difference[::2, ::2])
        return enlarged(difference, *self.shape), strongest


def tones_of(luma: Plane) -> tuple[float, ...]:
    """Black, middle and white of a luma, by the shares `SHARES` of what is in the middle."""
    left = luma.shape[1] // 5
    return tuple(float(each) for each in np.quantile(luma[::8, left:-left:8], SHARES))
