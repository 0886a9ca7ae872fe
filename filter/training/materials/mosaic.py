"""Mosaic: small tiles in rows along the contours, with grout between them."""

import numpy as np

from .canvas import (
    Array,
    blur,
    colour,
    curve,
    flat,
    generator,
    luma,
    material,
    mix,
    relief,
    saturate,
)
from .flow import form_angles, sample, tensor_angles

_TILE = 5.0
_ROUNDS = 5


@material
def mosaic(picture: Array) -> Array:
    """Nearly square tiles of one colour each, turned along the forms."""
    random = generator(picture.shape, "mosaic")
    grey = luma(picture)
    angle, sure = tensor_angles(blur(grey, 1.0), 4.0)
    angle = np.where(sure > 0.4, angle, form_angles(grey, 9.0, rest=0.0))
    seeds = _settled(_grid(picture.shape, random), angle)
    owner, gap = _nearest(seeds, angle)
    colours = _tile_colours(picture, seeds, random)
    tiles = colours[owner]
    stone = curve(gap, 0.25, 1.15)
    tilt = random.normal(0, 0.06, len(colours)).astype(np.float32)[owner]
    light = relief(blur(stone, 0.6), 0.35) + tilt * 0.5
    grout = colour("#6b6459")
    return mix(np.broadcast_to(grout, tiles.shape), tiles * (1 + light[..., None]), stone)


def _tile_colours(picture: Array, seeds: Array, random: np.random.Generator) -> Array:
    """(tiles, 3): the sharpened picture at each seed, no two tiles quite alike."""
    sharp = np.clip(saturate(flat(picture, 1) * 1.5 - 0.5 * blur(picture, 3.0), 1.35), 0, 1)
    x = np.clip(seeds[..., 0], 0, picture.shape[1] - 1)
    y = np.clip(seeds[..., 1], 0, picture.shape[0] - 1)
    colours = sample(sharp, x, y).reshape(-1, 3)
    colours = colours * random.normal(1, 0.07, (len(colours), 1))
    varied: Array = np.clip(colours + random.normal(0, 0.015, colours.shape), 0.02, 1)
    return varied.astype(np.float32)


def _grid(shape: tuple[int, ...], random: np.random.Generator) -> Array:
    """Seeds (rows, columns, 2) as x, y."""
    rows, columns = round(shape[0] / _TILE), round(shape[1] / _TILE)
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    seeds = np.stack([(x + 0.5) * shape[1] / columns, (y + 0.5) * shape[0] / rows], -1)
    return (seeds + random.uniform(-0.25, 0.25, seeds.shape) * _TILE).astype(np.float32)


def _settled(seeds: Array, angle: Array) -> Array:
    """Seeds moved to the middle of their tiles, a few times (Hausner 2001)."""
    height, width = angle.shape
    y, x = np.mgrid[0:height, 0:width]
    for _ in range(_ROUNDS):
        owner, _ = _nearest(seeds, angle)
        count = np.bincount(owner.ravel(), minlength=seeds.shape[0] * seeds.shape[1]) + 1e-6
        middle = [np.bincount(owner.ravel(), each.ravel(), len(count)) / count for each in (x, y)]
        moved = np.stack(middle, -1).reshape(seeds.shape).astype(np.float32)
        seeds = np.where((count > 0.5).reshape(*seeds.shape[:2], 1), moved, seeds)
    return seeds


def _nearest(seeds: Array, angle: Array) -> tuple[np.ndarray, Array]:
    """The index of each pixel's tile, and the distance to the next tile's border in pixels.

    Distances are 4-norms of the coordinates turned by the angle at the pixel: nearly square tiles.
    """
    height, width = angle.shape
    rows, columns = seeds.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    row = np.minimum((y * rows / height).astype(int), rows - 1)
    column = np.minimum((x * columns / width).astype(int), columns - 1)
    cosine, sine = np.cos(angle), np.sin(angle)
    best = np.full(angle.shape, 1e9, np.float32)
    second, owner = best.copy(), np.zeros(angle.shape, int)
    for down in range(-2, 3):
        for right in range(-2, 3):
            r, c = np.clip(row + down, 0, rows - 1), np.clip(column + right, 0, columns - 1)
            dx, dy = seeds[r, c, 0] - x, seeds[r, c, 1] - y
            distance = np.sqrt(
                np.hypot((cosine * dx + sine * dy) ** 2, (cosine * dy - sine * dx) ** 2)
            )
            index = r * columns + c
            nearer, same = distance < best, index == owner
            second = np.where(
                nearer & ~same, best, np.where(same, second, np.minimum(second, distance))
            )
            owner = np.where(nearer, index, owner)
            best = np.minimum(best, distance)
    return owner, second - best
