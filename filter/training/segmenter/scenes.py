"""Composes training pictures: persons in their own and in other surroundings, or nobody."""

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from turbolens.filter.region.network import SIDE

from .bodies import with_body
from .labels import Labelled
from .light import relit
from .rooms import room, with_furniture

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
NOBODY, OWN_BACKGROUND, EXACT_OWN_BACKGROUND = 0.08, 0.3, 0.6
"""Shares of pictures: without a person, and with the background that a person was photographed in
front of, which is more of those whose masks are exact."""
ROW, MORE_PERSONS, BODY = 0.25, 0.4, 0.35
"""Of the pictures with other backgrounds: two or three persons side by side; of the others, those
with one more person, and with yet one more; and of the persons in them, those with a painted
body, which is twice as many in a row."""
_SQUEEZES = 1.0, 3 / 4, 9 / 16, 9 / 16
"""Widths of persons, since the network sees frames of 4:3 and 16:9 as squares."""
ROOM, FURNITURE = 0.2, 0.45
"""Shares of backgrounds: painted rooms, and photographs with painted furniture."""


def scene(rng: np.random.Generator, data: Labelled) -> tuple[Pixels, Floats]:
    """RGB (256, 256, 3), and its mask (256, 256) in 0…1."""
    rgb: Pixels
    mask: Floats
    index = int(rng.integers(len(data.people)))
    own = EXACT_OWN_BACKGROUND if data.is_exact[index] else OWN_BACKGROUND
    if rng.random() < NOBODY:
        rgb, mask = background(rng, data), np.zeros((SIDE, SIDE), np.float32)
    elif rng.random() < own:
        squeeze, scale = rng.uniform(0.75, 1), rng.uniform(0.9, 1.4)
        person = _warped(rng, data.people[index], scale, cv2.BORDER_REFLECT, squeeze=squeeze)
        rgb, mask = person[..., :3], np.asarray(person[..., 3] / 255, np.float32)
    elif rng.random() < ROW:
        rgb, mask = _row(rng, data)
    else:
        rgb, mask = _on_new_background(rng, data)
    if rng.random() < 0.5:
        rgb, mask = rgb[:, ::-1], mask[:, ::-1]
    return relit(rng, np.ascontiguousarray(rgb)), np.ascontiguousarray(mask)


def background(rng: np.random.Generator, data: Labelled) -> Pixels:
    """RGB (256, 256, 3) without a person: a part of a picture, blurred or plain."""
    kind = rng.random()
    if kind < 0.12:
        corners = rng.uniform(0, 255, (2, 2, 3)).astype(np.float32)
        corners = corners.mean((0, 1)) + 0.35 * (corners - corners.mean((0, 1)))
        plain: Any = cv2.resize(corners, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
        return np.asarray(plain.clip(0, 255), np.uint8)
    if kind < 0.12 + ROOM:
        picture = room(rng)
    else:
        drawn = _drawn(rng, data.backgrounds)
        picture = _warped(rng, drawn, rng.uniform(1, 2.2), cv2.BORDER_REFLECT)
        if rng.random() < FURNITURE:
            picture = with_furniture(rng, picture)
    if rng.random() < 0.35:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(1, 7)), np.uint8)
    return picture


def _on_new_background(rng: np.random.Generator, data: Labelled) -> tuple[Pixels, Floats]:
    picture = _Picture(background(rng, data).astype(np.float32))
    for _ in range(1 + int((rng.random(2) < MORE_PERSONS).sum())):
        index = _index(rng, data)
        person: Pixels = data.people[index]
        if rng.random() < BODY and not data.is_exact[index]:
            person = with_body(rng, person, _drawn(rng, data.backgrounds))
            scale = rng.uniform(0.8, 1.3)
        else:
            scale = rng.uniform(0.3, 1.3)
        squeeze = _SQUEEZES[int(rng.integers(len(_SQUEEZES)))]
        person = _warped(rng, person, scale, cv2.BORDER_CONSTANT, squeeze=squeeze)
        picture.cover(person, _light(rng))
    return picture.finished()


def _row(rng: np.random.Generator, data: Labelled) -> tuple[Pixels, Floats]:
    """Two or three persons of one size side by side, who cover each other, in one light."""
    picture = _Picture(background(rng, data).astype(np.float32))
    count = int(rng.integers(2, 4))
    scale, light = rng.uniform(0.6, 1.25), _light(rng)
    middle, step = rng.uniform(0.35, 0.65), scale * rng.uniform(0.24, 0.4)
    squeeze = _SQUEEZES[int(rng.integers(1, len(_SQUEEZES)))]
    for place in rng.permutation(count):
        index = _index(rng, data)
        person: Pixels = data.people[index]
        if rng.random() < 2 * BODY and not data.is_exact[index]:
            person = with_body(rng, person, _drawn(rng, data.backgrounds))
        x = middle + (int(place) - (count - 1) / 2) * step
        size = scale * rng.uniform(0.85, 1.15)
        person = _warped(rng, person, size, cv2.BORDER_CONSTANT, squeeze=squeeze, x=x)
        picture.cover(person, light * rng.uniform(0.85, 1.15))
    return picture.finished()


def _index(rng: np.random.Generator, data: Labelled) -> int:
    """A person, drawn with half the probability if the mask is exact, as of drawn figures."""
    index = int(rng.integers(len(data.people)))
    if data.is_exact[index] and rng.random() < 0.5:
        index = int(rng.integers(len(data.people)))
    return index


@dataclass
class _Picture:
    """A background that persons are put before."""

    rgb: Floats
    mask: Floats = field(default_factory=lambda: np.zeros((SIDE, SIDE), np.float32))

    def cover(self, person: Pixels, light: NDArray[np.float64]) -> None:
        """Put a person (256, 256, 4) before it, in a light of three factors."""
        alpha = person[..., 3:].astype(np.float32) / 255
        alpha = alpha * alpha * (3 - 2 * alpha)  # so that less of the old background is seen
        self.rgb += (person[..., :3] * light.astype(np.float32) - self.rgb) * alpha
        np.maximum(self.mask, alpha[..., 0], out=self.mask)

    def finished(self) -> tuple[Pixels, Floats]:
        """RGB and the mask."""
        return self.rgb.clip(0, 255).astype(np.uint8), self.mask


def _light(rng: np.random.Generator) -> NDArray[np.float64]:
    strength, colour = np.exp(rng.uniform(np.log(0.35), np.log(1.25))), rng.normal(0, 0.07, 3)
    return np.asarray(strength * np.exp(colour), np.float64)


def _drawn(rng: np.random.Generator, pictures: Pixels) -> Pixels:
    return np.asarray(pictures[int(rng.integers(len(pictures)))])


def _warped(
    rng: np.random.Generator,
    pixels: Pixels,
    scale: float,
    border: int,
    *,
    squeeze: float = 1.0,
    x: float | None = None,
) -> Pixels:
    """Scaled, stretched, turned and moved at random; the bottom stays at the picture's bottom.

    x: the middle, as a share of the picture's width; `None`: at random.
    """
    wide, tall = scale * np.exp(rng.normal(0, 0.12, 2)) * (squeeze, 1)
    angle = rng.normal(0, 0.08)
    cos, sin = np.cos(angle), np.sin(angle)
    linear = np.array([[cos * wide, -sin * tall], [sin * wide, cos * tall]])
    anchor = np.array([SIDE / 2, SIDE])
    if x is None:
        x = rng.uniform(0.2, 0.8) if scale < 0.95 else rng.uniform(0.35, 0.65)
    target = np.array([x, 1.0]) * SIDE + [0, abs(rng.normal(0, 0.08)) * SIDE]
    matrix = np.column_stack([linear, target - linear @ anchor])
    warped = cv2.warpAffine(pixels, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(warped, np.uint8)
