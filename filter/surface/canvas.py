"""`Canvas`: one picture, with everything that a surface is made from."""

from functools import cached_property

import numpy as np

from .forms import Forms
from .planes import Plane, blur, coordinates, cv2, luma_of, noise, resized, sample, smoothstep

_SMALL = 384  # side of a picture up to which strokes are computed at its full size
_REFERENCE = 512  # side of the pictures that lengths are meant for
_SHARES = (0.02, 0.5, 0.98)  # of the pixels that are darker than black, middle and white
_FOLLOWS = 0.08  # share of a new picture in the figures
_MIDDLE = 0.6  # the tone that the median gets, as far as this changes the picture little enough
_LINE_EDGE = 0.05  # contrast that makes a full line; a soft picture is drawn as if it had it


class Canvas:
    """picture: RGB (H, W, 3) in 0…1. moved: how far textures have moved, x and y (H, W) in pixels,
    or `None`. figures: of the pictures before, smoothed over time. unit: pixels of the picture per
    pixel of a picture of 512 pixels. step: by which strokes are reduced when they are computed.
    """

    def __init__(
        self,
        picture: Plane,
        moved: tuple[Plane, Plane] | None = None,
        figures: dict[str, float] | None = None,
    ) -> None:
        self.picture, self._moved = picture, moved
        self._figures = {} if figures is None else figures
        self.shape = height, width = picture.shape[0], picture.shape[1]
        self.unit = max(0.7, max(height, width) / _REFERENCE)
        self.step = 1 if max(height, width) <= _SMALL else 2

    @cached_property
    def luma(self) -> Plane:
        """(H, W)."""
        return luma_of(self.picture)

    @cached_property
    def tone(self) -> Plane:
        """The luma, stretched so that the picture has a black, a white, and middle tones."""
        low, middle, high = (
            self._smoothed(f"tone {share}", float(value))
            for share, value in zip(_SHARES, np.quantile(self.luma[::8, ::8], _SHARES), strict=True)
        )
        span = max(high - low, 0.25)
        stretched = np.clip((self.luma - np.float32(low)) * np.float32(1 / span), 0, 1)
        gamma = np.log(_MIDDLE) / np.log(np.clip((middle - low) / span, 0.05, 0.95))
        tone: Plane = cv2.pow(stretched, float(np.clip(gamma, 0.45, 2.5)))
        return tone

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
    def places(self) -> tuple[Plane, Plane]:
        """x and y of the texture at each pixel."""
        x, y = coordinates(*self.shape)
        if self._moved is None:
            return x, y
        return x + self._moved[0], y + self._moved[1]

    def forms(self, rest: float | Plane | None = None) -> Forms:
        """The direction of the forms; `rest`: the angle where there are none."""
        return Forms(self.luma, self.step, rest)

    def texture(self, scale: float, label: str) -> Plane:
        """Noise that moves with the picture, smooth over `scale` units."""
        plane = noise(self.shape, scale * self.unit, label)
        return plane if self._moved is None else sample(plane, *self.places, cv2.BORDER_WRAP)

    def reduced_texture(self, scale: float, label: str) -> Plane:
        """The same at the size that strokes are computed at."""
        if self.step == 1:
            return self.texture(scale, label)
        height, width = self.shape[0] // self.step, self.shape[1] // self.step
        plane = noise((height, width), scale * self.unit / self.step, label)
        if self._moved is None:
            return plane
        x, y = coordinates(height, width)
        across, down = (
            resized(each, height, width) * np.float32(1 / self.step) for each in self._moved
        )
        return sample(plane, x + across, y + down, cv2.BORDER_WRAP)

    def run(self, plane: Plane, distance: float) -> Plane:
        """A plane or picture with edges that run, as wet paint does, by about `distance` units."""
        x, y = coordinates(*self.shape)
        across, down = self.texture(5.0, "run x"), self.texture(5.0, "run y")
        pixels = distance * self.unit
        return sample(plane, cv2.scaleAdd(across, pixels, x), cv2.scaleAdd(down, pixels, y))

    def paper(self, grain: float = 1.0) -> Plane:
        """The unevenness of paper, mean 0 and deviation about 0.8."""
        fine, coarse = self.texture(grain, "paper"), self.texture(3 * grain, "pulp")
        paper: Plane = cv2.addWeighted(fine, 0.75, coarse, 0.35, 0.0)
        return paper

    def lines(self, width: float, softness: float = 0.35) -> Plane:
        """Dark lines on edges, 0…1, by a difference of Gaussians.

        Winnemöller, Kyprianidis and Olsen (XDoG, 2012). width: of a line, in units.
        """
        sigma = 0.7 * width * self.unit
        difference = blur(self.luma, 1.6 * sigma) - blur(self.luma, sigma)
        strongest = float(np.quantile(difference[::4, ::4], 0.985))
        strongest = self._smoothed(f"lines {width}", strongest)
        gain = 1 / max(strongest, _LINE_EDGE / 2.5)
        return smoothstep(difference * np.float32(gain), softness, 1.0)
