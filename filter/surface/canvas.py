"""`Canvas`: one picture, with everything that a surface is made from."""

from functools import cached_property, lru_cache

import numpy as np

from .forms import Forms
from .planes import (
    Plane,
    blur,
    coordinates,
    cv2,
    faded,
    luma_of,
    noise,
    reduced,
    resized,
    sample,
    smoothstep,
)
from .seen import Seen
from .simplify import Levels, evened, firmed, from_levels, to_levels

_SMALL = 384  # side of a picture up to which strokes are computed at its full size
_REFERENCE = 512  # side of the pictures that lengths are meant for
_SHARES = (0.02, 0.5, 0.98)  # of the pixels that are darker than black, middle and white
_FOLLOWS = 0.08  # share of a new picture in the figures
_MIDDLE = 0.6  # the tone that the median gets, as far as this changes the picture little enough
_EVENED = 4.0  # units, of the areas that become even
_GAMMAS = 0.55, 1.3
_GLARE = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (13, 13))
_LINE_EDGE = 0.05  # contrast that makes a full line; a soft picture is drawn as if it had it
_QUARTER, _COARSE = 4, 1.0
"""Noise that is smooth over `_COARSE` pixels at a quarter of the size is made there."""


@lru_cache(maxsize=16)
def _paper(shape: tuple[int, int], grain: float) -> Plane:
    fine, coarse = noise(shape, grain, "paper"), noise(shape, 3 * grain, "pulp")
    return cv2.addWeighted(fine, 0.75, coarse, 0.35, 0.0)  # type: ignore[no-any-return]


class Canvas:
    """picture: RGB (H, W, 3) in 0…1. moved: how far textures have moved, x and y (H, W) in pixels,
    or `None`. figures: of the pictures before, smoothed over time. unit: pixels of the picture per
    pixel of a picture of 512 pixels. step: by which strokes are reduced when they are computed.
    seen: the frame that the picture was made from; by default the picture itself.
    """

    def __init__(
        self,
        picture: Plane,
        moved: tuple[Plane, Plane] | None = None,
        figures: dict[str, float] | None = None,
        seen: Seen | None = None,
    ) -> None:
        self.picture, self._moved = picture, moved
        self._seen = seen
        self._papers: dict[float, Plane] = {}
        self._figures = {} if figures is None else figures
        self.shape = height, width = picture.shape[0], picture.shape[1]
        self.unit = max(0.7, max(height, width) / _REFERENCE)
        self.step = 1 if max(height, width) <= _SMALL else 2

    @cached_property
    def luma(self) -> Plane:
        """Of what the camera sees, (H, W): forms and lines are found in it."""
        return luma_of(self.picture) if self._seen is None else self._seen.luma

    @cached_property
    def small_luma(self) -> Plane:
        """`luma` at the size that strokes are computed at."""
        return reduced(self.luma, self.step)

    @cached_property
    def tone(self) -> Plane:
        """The picture's luma, stretched to a black, a white, and middle tones."""
        return self._stretched("tone", luma_of(self.picture))

    @cached_property
    def seen_tone(self) -> Plane:
        """The same of `luma`."""
        return self._stretched("seen", self.luma)

    def levelled(self, luma: Plane) -> Plane:
        """A luma of this picture, stretched as `tone` is."""
        return self._stretched("levelled", luma)

    def _stretched(self, name: str, luma: Plane) -> Plane:
        left = luma.shape[1] // 5  # what matters is in the middle
        low, middle, high = (
            self._smoothed(f"{name} {share}", float(value))
            for share, value in zip(
                _SHARES, np.quantile(luma[::8, left:-left:8], _SHARES), strict=True
            )
        )
        span = max(high - low, 0.25)
        stretched = np.clip((luma - np.float32(low)) * np.float32(1 / span), 0, 1)
        gamma = np.log(_MIDDLE) / np.log(np.clip((middle - low) / span, 0.05, 0.95))
        return cv2.pow(stretched, float(np.clip(gamma, *_GAMMAS)))  # type: ignore[no-any-return]

    def _smoothed(self, name: str, value: float) -> float:
        """A figure of the picture that changes slowly, because every pixel depends on it."""
        last = self._figures.get(name, value)
        self._figures[name] = last + _FOLLOWS * (value - last)
        return self._figures[name]

    def steady(self, name: str, values: Plane) -> Plane:
        """Figures of the picture, of any shape, smoothed over time."""
        smooth = [self._smoothed(f"{name} {i}", float(each)) for i, each in enumerate(values.flat)]
        return np.array(smooth, np.float32).reshape(values.shape)

    @cached_property
    def skin(self) -> Plane:
        """How much the frame has the hue of skin, of whatever lightness, 0…1, of about a third of
        the size."""
        cell = max(2, round(3 * self.unit))
        size = self.shape[1] // cell, self.shape[0] // cell
        frame = to_levels(self.picture) if self._seen is None else self._seen.rgb
        small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
        _, red, blue = cv2.split(cv2.cvtColor(small, cv2.COLOR_RGB2YCrCb).astype(np.float32))
        warm = (red - 128) - np.abs((128 - blue) - np.float32(0.75) * (red - 128))
        warm = smoothstep(blur(warm, 1.5), 4.0, 15.0)
        return cv2.morphologyEx(warm, cv2.MORPH_CLOSE, _GLARE)  # type: ignore[no-any-return]

    @cached_property
    def heat(self) -> Plane:
        """How warm something may be, 0…1, (H, W) of about a third of the size: the tone, and more
        for skin."""
        skin = self.skin
        size = skin.shape[1], skin.shape[0]
        tone = cv2.resize(self.seen_tone, size, interpolation=cv2.INTER_AREA)
        heat = blur(tone * np.float32(0.5) + skin * np.float32(0.5), 1.0)
        low, high = (
            self._smoothed(f"heat {share}", float(np.quantile(heat[::2, ::2], share)))
            for share in (0.02, 0.99)
        )
        return (heat - np.float32(low)) * np.float32(0.95 / max(high - low, 0.3))

    @cached_property
    def places(self) -> tuple[Plane, Plane]:
        """x and y of the texture at each pixel."""
        x, y = coordinates(*self.shape)
        if self._moved is None:
            return x, y
        return x + self._moved[0], y + self._moved[1]

    @cached_property
    def reduced_places(self) -> tuple[Plane, Plane]:
        """`places` at the size that strokes are computed at, in its pixels."""
        height, width = self.shape[0] // self.step, self.shape[1] // self.step
        x, y = coordinates(height, width)
        if self._moved is None:
            return x, y
        scale = np.float32(1 / self.step)
        across, down = (resized(each, height, width) * scale for each in self._moved)
        return x + across, y + down

    @cached_property
    def _even(self) -> Levels:
        """The picture in even areas with firm edges, at the size that strokes are computed at."""
        radius = max(1.5, _EVENED * max(self.shape) / _REFERENCE / self.step)
        return evened(to_levels(self.small), radius)

    @cached_property
    def small(self) -> Plane:
        """The picture at the size that strokes are computed at."""
        return reduced(self.picture, self.step)

    def simple(self, forms: Forms, least: float = 0.0) -> Plane:
        """The picture in even areas, at the size that strokes are computed at.

        Where it is busy, as at eyes and mouths, it stays as it is but for a share of `least`.
        """
        return self._where_calm(self._even, forms, least)

    def _where_calm(self, even: Levels, forms: Forms, least: float = 0.0) -> Plane:
        share = np.clip(forms.calm * np.float32(2.4) + np.float32(least), 0, 1)
        return faded(self.small, from_levels(even), share)

    @cached_property
    def flat(self) -> Plane:
        """The same with smoother rims, at the full size."""
        height, width = self.shape
        small = self._where_calm(cv2.medianBlur(self._even, 5), self.all_forms)
        full = cv2.resize(to_levels(small), (width, height), interpolation=cv2.INTER_CUBIC)
        return from_levels(firmed(full))

    @cached_property
    def all_forms(self) -> Forms:
        """`forms` without an angle of rest."""
        return self.forms()

    def forms(self, rest: float | Plane | None = None) -> Forms:
        """The direction of the forms; `rest`: the angle where there are none."""
        return Forms(self.small_luma, rest)

    def moved_plane(self, plane: Plane) -> Plane:
        """A plane of the picture's size that tiles, moved with the picture."""
        return plane if self._moved is None else sample(plane, *self.places, cv2.BORDER_WRAP)

    def texture(self, scale: float, label: str) -> Plane:
        """Noise that moves with the picture, smooth over `scale` units."""
        if scale * self.unit < _COARSE * _QUARTER:
            return self.moved_plane(noise(self.shape, scale * self.unit, label))
        height, width = self.shape[0] // _QUARTER, self.shape[1] // _QUARTER
        plane = noise((height, width), scale * self.unit / _QUARTER, label)
        if self._moved is not None:
            plane = sample(plane, *self._quarter_places, cv2.BORDER_WRAP)
        return resized(plane, *self.shape)

    @cached_property
    def _quarter_places(self) -> tuple[Plane, Plane]:
        """`places` at a quarter of the size, in its pixels."""
        height, width = self.shape[0] // _QUARTER, self.shape[1] // _QUARTER
        x, y = coordinates(height, width)
        if self._moved is None:
            return x, y
        across, down = (
            resized(each, height, width) * np.float32(1 / _QUARTER) for each in self._moved
        )
        return x + across, y + down

    def reduced_texture(self, scale: float, label: str) -> Plane:
        """The same at the size that strokes are computed at."""
        if self.step == 1:
            return self.texture(scale, label)
        height, width = self.shape[0] // self.step, self.shape[1] // self.step
        plane = noise((height, width), scale * self.unit / self.step, label)
        if self._moved is None:
            return plane
        return sample(plane, *self.reduced_places, cv2.BORDER_WRAP)

    def run(self, plane: Plane, distance: float) -> Plane:
        """A plane or picture with edges that run, as wet paint does, by about `distance` units.

        plane: of the picture's size, or of the reduced size.
        """
        height, width = plane.shape[:2]
        pixels = distance * self.unit * height / self.shape[0]
        x, y = coordinates(height, width)
        across, down = (
            resized(self.texture(5.0, label), height, width) for label in ("run x", "run y")
        )
        return sample(plane, cv2.scaleAdd(across, pixels, x), cv2.scaleAdd(down, pixels, y))

    def paper(self, grain: float = 1.0) -> Plane:
        """The unevenness of paper, mean 0 and deviation about 0.8."""
        if grain not in self._papers:
            self._papers[grain] = self.moved_plane(_paper(self.shape, grain * self.unit))
        return self._papers[grain]

    def contours(self, width: float, low: float = 0.3, high: float = 0.7, along: int = 3) -> Plane:
        """Dark lines along the forms, 0…1, that do not break.

        A difference of Gaussians, smeared along the forms: Kang, Lee and Chui (FDoG, 2007). width:
        of a line, in units. low, high: shares of the strongest lines' contrast, from which a line
        begins and is full. along: doublings of a line's length.
        """
        forms = self.line_forms
        sigma = max(0.5, 0.7 * width * self.unit / self.step)
        small = self.small_luma
        difference = blur(small, 1.6 * sigma) - blur(small, sigma)
        difference = forms.smeared(difference, along)
        strongest = float(np.quantile(difference[::2, ::2], 0.985))
        strongest = self._smoothed(f"contours {width}", strongest)
        gain = np.float32(1 / max(strongest, _LINE_EDGE / 2.5))
        height, size = self.shape
        full = cv2.resize(difference * gain, (size, height), interpolation=cv2.INTER_CUBIC)
        return smoothstep(full, low, high)

    @cached_property
    def line_forms(self) -> Forms:
        """The directions of small forms, for lines."""
        return Forms(self.small_luma, smoothing=2.0)
