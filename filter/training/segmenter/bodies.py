"""Paints torsos and arms below the heads of portraits, which end at the shoulders."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from turbolens.filter.region.network import SIDE

Pixels = NDArray[np.uint8]
_FRACTION = 4  # bits of coordinates below one pixel
_PERSON = 127  # of a mask of 0…255


@dataclass
class _Picture:
    """A picture that is painted on: RGB in float32, and the mask of what was painted, 0…1."""

    rgb: NDArray[np.float32]
    mask: NDArray[np.float32]

    def cover(self, shape: Pixels, texture: NDArray[np.float32]) -> None:
        share = shape.astype(np.float32)[..., None] / 255
        self.rgb += (texture - self.rgb) * share
        np.maximum(self.mask, share[..., 0], out=self.mask)


def with_body(rng: np.random.Generator, person: Pixels, cloth: Pixels) -> Pixels:
    """The portrait (256, 256, 4) with a body in the texture of `cloth` (256, 256, 3) below it.

    Portraits whose mask does not reach the bottom are returned as they are.
    """
    head = _reduced_portrait(rng, person)
    row = np.flatnonzero(head.bottom > _PERSON)
    if len(row) < 20:
        return person
    middle, half = float(row.mean()), float(len(row)) / 2
    picture = _Picture(
        head.pixels[..., :3].astype(np.float32), np.asarray(head.pixels[..., 3] / 255, np.float32)
    )
    skin = _skin(head.pixels, head.top)
    texture = _texture(rng, cloth)
    top = head.top - half * rng.uniform(0.15, 0.45)
    _torso(rng, picture, texture, (middle, top, half))
    for side in (-1, 1):
        if rng.random() < 0.85:
            _arm(
                rng,
                picture,
                texture,
                skin,
                (middle + side * half * 0.85, top + half * 0.25),
                side * half,
            )
    rgb = picture.rgb.clip(0, 255).astype(np.uint8)
    return np.dstack([rgb, (picture.mask * 255).astype(np.uint8)])


@dataclass(frozen=True)
class _Portrait:
    pixels: Pixels
    bottom: Pixels  # the mask's last row
    top: int  # its y in pixels


def _reduced_portrait(rng: np.random.Generator, person: Pixels) -> _Portrait:
    """The portrait made smaller, at a random place."""
    scale = rng.uniform(0.3, 0.65)
    stretch = scale * rng.uniform(0.9, 1.3)
    x = rng.uniform(0, SIDE * (1 - scale))
    y = rng.uniform(0, SIDE * (0.8 - stretch)) if stretch < 0.8 else 0.0
    matrix = np.array([[scale, 0, x], [0, stretch, y]])
    pixels: Any = cv2.warpAffine(
        person, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
    )
    bottom = min(SIDE - 1, int(y + stretch * (SIDE - 1)) - 1)
    row = pixels[bottom, :, 3].copy()
    pixels[bottom:, :, 3] = 0
    return _Portrait(pixels, row, bottom)


def _skin(pixels: Pixels, bottom: int) -> NDArray[np.float32]:
    """The mean colour of the face, taken from the upper half of the person."""
    mask = pixels[..., 3] > 200
    rows, columns = np.nonzero(mask[:bottom])
    if not len(rows):
        return np.array([200, 150, 120], np.float32)
    middle = int(np.quantile(rows, 0.45))
    near = slice(max(0, middle - 6), middle + 6)
    centre = int(np.median(columns))
    return np.asarray(pixels[near, max(0, centre - 6) : centre + 6, :3].mean((0, 1)), np.float32)


def _texture(rng: np.random.Generator, cloth: Pixels) -> NDArray[np.float32]:
    """A part of a picture, plain colour or stripes, with some shading."""
    kind = rng.random()
    if kind < 0.4:
        side = int(rng.integers(24, SIDE))
        x, y = rng.integers(0, SIDE - side + 1, 2)
        part: Any = cv2.resize(cloth[y : y + side, x : x + side], (SIDE, SIDE)).astype(np.float32)
        if rng.random() < 0.5:
            part = part[..., ::-1]
    else:
        part = np.broadcast_to(rng.uniform(10, 245, 3).astype(np.float32), (SIDE, SIDE, 3)).copy()
        if kind < 0.6:
            lines = np.sin(np.arange(SIDE) * rng.uniform(0.15, 1.2)) > rng.uniform(-0.5, 0.8)
            share = lines[:, None, None] if rng.random() < 0.5 else lines[None, :, None]
            part = np.where(share, part, rng.uniform(10, 245, 3).astype(np.float32))
    folds = cv2.resize(
        rng.normal(0, 1, (9, 9)).astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC
    )
    shaded: NDArray[np.float32] = part * (1 + 0.13 * np.asarray(folds)[..., None])
    return np.asarray(shaded, np.float32)


def _torso(
    rng: np.random.Generator,
    picture: _Picture,
    texture: NDArray[np.float32],
    place: tuple[float, float, float],
) -> None:
    middle, top, half = place
    waist, neck = half * rng.uniform(0.7, 1.1), half * rng.uniform(0.25, 0.4)
    drop = half * rng.uniform(0.15, 0.35)
    points = [
        (middle - neck, top), (middle, top + half * rng.uniform(0.0, 0.4)), (middle + neck, top),
        (middle + half * 0.9, top + drop), (middle + half, top + 2 * drop),
        (middle + waist, top + 2.6 * half), (middle + waist * 1.1, SIDE + 20),
        (middle - waist * 1.1, SIDE + 20), (middle - waist, top + 2.6 * half),
        (middle - half, top + 2 * drop), (middle - half * 0.9, top + drop),
    ]  # fmt: skip
    shape = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillPoly(shape, [_fixed(points)], 255, cv2.LINE_AA, _FRACTION)
    hips = top + half * rng.uniform(2.6, 3.4)
    if hips < SIDE:
        other = texture[::-1, :, ::-1] * np.float32(rng.uniform(0.3, 1.0))
        texture = np.where(np.arange(SIDE)[:, None, None] < hips, texture, other)
    picture.cover(shape, texture)


def _arm(
    rng: np.random.Generator,
    picture: _Picture,
    texture: NDArray[np.float32],
    skin: NDArray[np.float32],
    shoulder: tuple[float, float],
    reach: float,
) -> None:
    """An arm whose hand is before the chest, at the face, raised, or down."""
    size, side = abs(reach), np.sign(reach)
    out, below = side * rng.uniform(0.0, 0.6), rng.uniform(0.6, 1.4)
    elbow = shoulder[0] + size * out, shoulder[1] + size * below
    across, down = -side * rng.uniform(-0.9, 1.3), rng.uniform(-1.1, 2.2)
    hand = shoulder[0] + size * across, shoulder[1] + size * down
    thick = size * rng.uniform(0.3, 0.46)
    bare = rng.random() < 0.25
    upper, lower = np.zeros((SIDE, SIDE), np.uint8), np.zeros((SIDE, SIDE), np.uint8)
    _line(upper, shoulder, elbow, thick)
    _line(lower, elbow, hand, thick * 0.75)
    shade = np.float32(rng.uniform(0.75, 1.15))
    picture.cover(upper, texture * shade)
    picture.cover(lower, np.broadcast_to(skin, texture.shape) if bare else texture * shade)
    palm = np.zeros((SIDE, SIDE), np.uint8)
    angle = np.arctan2(hand[1] - elbow[1], hand[0] - elbow[0])
    _line(palm, hand, _along(hand, angle, size * 0.2), size * 0.22)
    for spread in rng.uniform(-0.7, 0.7, 4):
        start = _along(hand, angle + spread * 0.5, size * 0.2)
        _line(palm, start, _along(start, angle + spread, size * rng.uniform(0.1, 0.3)), size * 0.07)
    picture.cover(palm, np.broadcast_to(skin * np.float32(rng.uniform(0.85, 1.1)), texture.shape))


def _along(point: tuple[float, float], angle: float, length: float) -> tuple[float, float]:
    return point[0] + float(np.cos(angle)) * length, point[1] + float(np.sin(angle)) * length


def _line(
    shape: Pixels, start: tuple[float, float], end: tuple[float, float], thick: float
) -> None:
    first, second = (tuple(round(each) for each in point) for point in (start, end))
    cv2.line(shape, first, second, 255, max(1, round(thick)), cv2.LINE_AA)


def _fixed(points: list[tuple[float, float]]) -> NDArray[np.int32]:
    return np.asarray(np.rint(np.array(points) * 2**_FRACTION), np.int32)
