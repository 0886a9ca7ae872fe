"""Composes training pictures: persons in their own and in other surroundings, or nobody."""

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
NOBODY, OWN_BACKGROUND, MORE_PERSONS, BODY = 0.08, 0.3, 0.4, 0.35
"""Shares of pictures: without a person, and with the background that a person was photographed in
front of; of the pictures with other backgrounds, those with one more person, and with yet one more;
and of the persons in them, those with a painted body."""
_SQUEEZES = 1.0, 3 / 4, 9 / 16, 9 / 16
"""Widths of persons, since the network sees frames of 4:3 and 16:9 as squares."""
ROOM, FURNITURE = 0.15, 0.3
"""Shares of backgrounds: painted rooms, and photographs with painted furniture."""


def scene(rng: np.random.Generator, data: Labelled) -> tuple[Pixels, Floats]:
    """RGB (256, 256, 3), and its mask (256, 256) in 0…1."""
    kind = rng.random()
    rgb: Pixels
    mask: Floats
    if kind < NOBODY:
        rgb, mask = background(rng, data), np.zeros((SIDE, SIDE), np.float32)
    elif kind < NOBODY + OWN_BACKGROUND:
        drawn = _drawn(rng, data.people)
        squeeze = rng.uniform(0.7, 1)
        person = _warped(rng, drawn, rng.uniform(0.95, 1.5), cv2.BORDER_REFLECT, squeeze=squeeze)
        rgb, mask = person[..., :3], np.asarray(person[..., 3] / 255, np.float32)
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
    rgb = background(rng, data).astype(np.float32)
    mask = np.zeros((SIDE, SIDE), np.float32)
    for _ in range(1 + int((rng.random(2) < MORE_PERSONS).sum())):
        index = int(rng.integers(len(data.people)))
        person: Pixels = data.people[index]
        if rng.random() < BODY and not data.is_exact[index]:
            person = with_body(rng, person, _drawn(rng, data.backgrounds))
            scale = rng.uniform(0.8, 1.3)
        else:
            scale = rng.uniform(0.3, 1.3)
        squeeze = _SQUEEZES[int(rng.integers(len(_SQUEEZES)))]
        person = _warped(rng, person, scale, cv2.BORDER_CONSTANT, squeeze=squeeze)
        own_light = np.exp(rng.uniform(np.log(0.35), np.log(1.25))) * np.exp(rng.normal(0, 0.07, 3))
        alpha = person[..., 3:].astype(np.float32) / 255
        alpha = alpha * alpha * (3 - 2 * alpha)  # so that less of the old background is seen
        rgb += (person[..., :3] * own_light.astype(np.float32) - rgb) * alpha
        np.maximum(mask, alpha[..., 0], out=mask)
    return rgb.clip(0, 255).astype(np.uint8), mask


def _drawn(rng: np.random.Generator, pictures: Pixels) -> Pixels:
    return np.asarray(pictures[int(rng.integers(len(pictures)))])


def _warped(
    rng: np.random.Generator, pixels: Pixels, scale: float, border: int, *, squeeze: float = 1.0
) -> Pixels:
    """Scaled, stretched, turned and moved at random; the bottom stays at the picture's bottom."""
    wide, tall = scale * np.exp(rng.normal(0, 0.12, 2)) * (squeeze, 1)
    angle = rng.normal(0, 0.08)
    cos, sin = np.cos(angle), np.sin(angle)
    linear = np.array([[cos * wide, -sin * tall], [sin * wide, cos * tall]])
    anchor = np.array([SIDE / 2, SIDE])
    target = np.array([rng.uniform(0.2, 0.8) if scale < 0.95 else rng.uniform(0.35, 0.65), 1.0])
    target = target * SIDE + [0, abs(rng.normal(0, 0.08)) * SIDE]
    matrix = np.column_stack([linear, target - linear @ anchor])
    warped = cv2.warpAffine(pixels, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(warped, np.uint8)
