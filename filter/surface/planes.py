"""Planes: arrays (H, W), or pictures (H, W, 3), float32 with values around 0…1, and noise."""

import zlib
from collections.abc import Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

cv2: Any = import_module("cv2")  # its stubs know no dtypes

Plane: TypeAlias = NDArray[np.float32]
ArrayT = TypeVar("ArrayT", bound=NDArray[Any])
Colour: TypeAlias = tuple[float, float, float]
"""Red, green and blue in 0…1."""

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # BT.601


def blur(plane: Plane, sigma: float) -> Plane:
    """Gaussian blur with a standard deviation in pixels, edges reflected."""
    blurred: Plane = cv2.GaussianBlur(plane, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)
    return blurred


def smoothstep(plane: Plane, low: float, high: float) -> Plane:
    """0 below `low`, 1 above `high`, and a smooth cubic between."""
    x = np.clip((plane - np.float32(low)) * np.float32(1 / (high - low)), 0, 1)
    smooth: Plane = x * x * (np.float32(3) - np.float32(2) * x)
    return smooth


def sample(plane: ArrayT, x: Plane, y: Plane, border: int = cv2.BORDER_REFLECT_101) -> ArrayT:
    """The plane, or levels, at fractional places, bilinear."""
    sampled: ArrayT = cv2.remap(plane, x, y, cv2.INTER_LINEAR, borderMode=border)
    return sampled


def resized(plane: ArrayT, height: int, width: int) -> ArrayT:
    """The plane, or levels, with another size, bilinear."""
    result: ArrayT = cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR)
    return result


def enlarged(plane: ArrayT, height: int, width: int) -> ArrayT:
    """The plane with a larger size, bicubic, which keeps lines and edges firm."""
    result: ArrayT = cv2.resize(plane, (width, height), interpolation=cv2.INTER_CUBIC)
    return result


def luma_of(picture: Plane) -> Plane:
    """Luma by BT.601 of RGB (H, W, 3)."""
    luma: Plane = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return luma


def relief(height: Plane, amount: float) -> Plane:
    """How a light from the top left changes the brightness over a height map, mean 0."""
    across = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3)
    down = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3)
    light: Plane = cv2.addWeighted(across, amount, down, amount, 0.0)
    return light


def painted(ground: Colour, pigment: Colour, cover: Plane) -> Plane:
    """A picture of one pigment on a ground. cover: 0…1, how much of the ground it hides."""
    shares = [
        cv2.addWeighted(cover, over - under, cover, 0.0, under)
        for under, over in zip(ground, pigment, strict=True)
    ]
    picture: Plane = cv2.merge(shares)
    return picture


def added(picture: Plane, plane: Plane) -> Plane:
    """A plane added to all three channels."""
    result: Plane = cv2.merge((plane, plane, plane))
    return cv2.add(picture, result, dst=result)  # type: ignore[no-any-return]


def times(picture: Plane, plane: Plane) -> Plane:
    """All three channels multiplied by a plane."""
    result: Plane = cv2.merge((plane, plane, plane))
    return cv2.multiply(picture, result, dst=result)  # type: ignore[no-any-return]


def covered(picture: Plane, colour: Colour, cover: Plane, dst: Plane | None = None) -> Plane:
    """The picture under one colour. cover: 0…1, how much of the picture it hides. dst: where the
    result is written, by default a new picture."""
    rest = 1 - cover
    above = cv2.subtract(picture, (*colour, 0), dst=dst)
    cv2.multiply(above, cv2.merge((rest, rest, rest)), dst=above)
    result: Plane = cv2.add(above, (*colour, 0), dst=above)
    return result


def faded(picture: Plane, other: Plane, share: Plane) -> Plane:
    """From `picture` to `other`. share: 0…1, of `other`."""
    shares = cv2.merge((share, share, share))
    difference = cv2.subtract(other, picture)
    cv2.multiply(difference, shares, dst=difference)
    result: Plane = cv2.add(picture, difference, dst=difference)
    return result


def reduced(picture: ArrayT, step: int) -> ArrayT:
    """The picture with its sides divided by `step`."""
    if step == 1:
        return picture
    height, width = picture.shape[:2]
    small: ArrayT = cv2.resize(
        picture, (width // step, height // step), interpolation=cv2.INTER_AREA
    )
    return small


def vivid(picture: Plane, amount: float) -> Plane:
    """The picture with its saturation multiplied."""
    result: Plane = cv2.transform(picture, vivid_matrix(amount))
    return result


def vivid_matrix(amount: float) -> Plane:
    """(3, 3): what `vivid` does to a colour."""
    return np.float32(amount) * np.eye(3, dtype=np.float32) + np.float32(1 - amount) * _LUMA


def toned(tone: Plane, palette: tuple[Colour, ...]) -> Plane:
    """RGB (H, W, 3) of a tone (H, W) in 0…1: the palette's colour of that brightness."""
    levels = cv2.convertScaleAbs(cv2.max(tone, 0), alpha=255)
    colours: Plane = cv2.LUT(cv2.merge((levels, levels, levels)), _ramp(palette))
    return colours


def drawn_to(picture: Plane, palette: tuple[Colour, ...], share: float) -> Plane:
    """The picture, drawn to the palette's colour of the same brightness. share: of that colour."""
    ramp = toned(luma_of(picture), palette)
    drawn: Plane = cv2.addWeighted(picture, 1 - share, ramp, share, 0.0)
    return drawn


@lru_cache(maxsize=16)
def _ramp(stops: tuple[Colour, ...]) -> Plane:
    """A table (256, 1, 3) from dark to light through these colours at equal distances."""
    places = np.linspace(0, 1, len(stops))
    levels = np.linspace(0, 1, 256)
    channels = [np.interp(levels, places, [stop[index] for stop in stops]) for index in range(3)]
    return np.stack(channels, -1).astype(np.float32)[:, None]


@lru_cache(maxsize=64)
def noise(shape: Sequence[int], scale: float, label: str) -> Plane:
    """Noise (height, width) with mean 0 and deviation 1, smooth over `scale` pixels (0: white).

    Depends on the arguments alone. It tiles: the right edge continues at the left one.
    """
    height, width = shape
    random = np.random.default_rng([height, width, zlib.crc32(label.encode())])
    white = random.standard_normal((height, width), dtype=np.float32)
    if scale > 0:
        margin = int(4 * scale) + 1
        wrapped = np.pad(white, ((min(margin, height),) * 2, (min(margin, width),) * 2), "wrap")
        white = blur(wrapped, scale)[min(margin, height) :, min(margin, width) :][:height, :width]
    scaled: Plane = np.ascontiguousarray((white - white.mean()) / (white.std() + 1e-6))
    scaled.setflags(write=False)
    return scaled


@lru_cache(maxsize=16)
def coordinates(height: int, width: int) -> tuple[Plane, Plane]:
    """x and y of each pixel, (height, width) each. Not to be written to."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return np.ascontiguousarray(x), np.ascontiguousarray(y)
