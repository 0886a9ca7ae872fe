"""`ColourMatch`: draws the colours of a result to those of somebody's own pictures."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from turbolens.filter.surface.canvas import Canvas
from turbolens.filter.surface.planes import Colour, Plane, cv2

LEVELS = 32  # of each channel in the table of colours
_LEAST_GAIN, _MOST_GAIN = 0.6, 3.0  # of the spread of the colours
_BRIGHTNESS = 0.6  # how far the mean follows that of the pictures
_NOISE = 2e-4  # variance that is added, so that a grey picture does not become noise
_NEAR = 0.05  # distance at which a colour of the palette counts as near
_CHROMA = 1.6  # weight of a difference in chroma over one in brightness
_YCC = np.array(
    [[0.299, 0.587, 0.114], [-0.1687, -0.3313, 0.5], [0.5, -0.4187, -0.0813]], np.float32
) * np.array([[1.0], [_CHROMA], [_CHROMA]], np.float32)


class Shares(Protocol):
    """How far colours follow; see `Handling`."""

    @property
    def colours(self) -> float: ...
    @property
    def palette(self) -> float: ...
    @property
    def hue(self) -> float: ...


@dataclass(frozen=True, eq=False)
class ColourMatch:
    """The colours of pictures, RGB in 0…1.

    mean: (3,). covariance: (3, 3), of the colours within a picture. ramp: (n, 3), the mean colour
    at n brightnesses from 0 to 1. palette: (k, 3), the colours that occur most. weights: (k,).
    """

    mean: Plane
    covariance: Plane
    ramp: Plane
    palette: Plane
    weights: Plane

    def __call__(self, canvas: Canvas, picture: Plane, shares: Shares) -> Plane:
        """The picture with these colours. Its own are those of some time, so that it is steady."""
        matched = cv2.transform(picture, self._matrix(canvas, picture, shares.colours))
        np.clip(matched, 0, 1, out=matched)
        table = self._table(round(shares.palette, 2), round(shares.hue, 2))
        levels = cv2.convertScaleAbs(matched, alpha=LEVELS - 1)  # rounded
        red, green, blue = cv2.split(levels.astype(np.int32))
        change = np.take(table, (red * LEVELS + green) * LEVELS + blue, axis=0)
        return cv2.add(matched, cv2.blur(change, (3, 3)))  # type: ignore[no-any-return]

    @property
    def darkest(self) -> Colour:
        """The colour of lines."""
        red, green, blue = (float(each) for each in self.ramp[0] * np.float32(0.6))
        return red, green, blue

    def _matrix(self, canvas: Canvas, picture: Plane, share: float) -> Plane:
        """(3, 4): the linear map that gives the picture these mean and covariance.

        Pitié and Kokaram (2007), with limited gains.
        """
        pixels = picture[::4, ::4].reshape(-1, 3)
        mean = canvas.steady("mean", pixels.mean(0))
        covariance = canvas.steady("covariance", np.cov(pixels.T).astype(np.float32))
        gain = np.float32(share) * _transport(covariance, self.covariance)
        gain += np.float32(1 - share) * np.eye(3, dtype=np.float32)
        wanted = mean + np.float32(_BRIGHTNESS * share) * (self.mean - mean)
        matrix: Plane = np.column_stack([gain, wanted - gain @ mean]).astype(np.float32)
        return matrix

    def _table(self, palette: float, hue: float) -> Plane:
        key = tuple(each.tobytes() for each in (self.ramp, self.palette, self.weights))
        return _change_table(key, palette, hue)


def _transport(given: Plane, wanted: Plane) -> NDArray[np.float64]:
    """The symmetric map from one covariance to another that moves colours least."""
    root = _root(given + np.eye(3) * _NOISE)
    inverse = np.linalg.inv(root)
    gain = inverse @ _root(root @ (wanted + np.eye(3) * 1e-5) @ root) @ inverse
    values, vectors = np.linalg.eigh((gain + gain.T) / 2)
    return vectors @ np.diag(np.clip(values, _LEAST_GAIN, _MOST_GAIN)) @ vectors.T  # type: ignore[no-any-return]


def _root(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(matrix)
    return vectors @ np.diag(np.sqrt(np.maximum(values, 0))) @ vectors.T  # type: ignore[no-any-return]


@lru_cache(maxsize=8)
def _change_table(key: tuple[bytes, ...], palette: float, hue: float) -> Plane:
    """(LEVELS³, 3): what is added to each colour, for shares of the palette and of the ramp."""
    ramp, colours, weights = (np.frombuffer(each, np.float32) for each in key)
    ramp, colours = ramp.reshape(-1, 3), colours.reshape(-1, 3)
    axis = np.linspace(0, 1, LEVELS, dtype=np.float32)
    cube = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    places = np.linspace(0, 1, len(ramp))
    same = np.stack([np.interp(cube @ _YCC[0], places, ramp[:, i]) for i in range(3)], -1)
    hued = cube + np.float32(hue) * (same.astype(np.float32) - cube)
    difference = (hued @ _YCC.T)[:, None] - (colours @ _YCC.T)[None]
    distance = np.square(difference).sum(-1)
    distance -= distance.min(1, keepdims=True)
    nearness = np.exp(distance * np.float32(-0.5 / _NEAR**2)) * weights
    near = (nearness / nearness.sum(1, keepdims=True)) @ colours
    change: Plane = hued + np.float32(palette) * (near - hued) - cube
    return change.astype(np.float32)
