"""Ukiyo-e: a woodblock print of key-block lines and flat pigments, with the grain of the wood."""

import numpy as np

from .canvas import (
    Array,
    blur,
    colour,
    curve,
    flat,
    from_lab,
    material,
    median,
    mix,
    noise,
    paper,
    relief,
    to_lab,
)
from .flow import lines

_PIGMENTS = (
    "#1c2a44", "#2b4a73", "#4f7f9f", "#8fb4bd", "#c3d3c8",  # Prussian blue and its dilutions
    "#2d3b33", "#55705a", "#94a67f", "#c9c794",  # greens
    "#5a2a25", "#a8432f", "#cf7a4f", "#e2ab7b", "#e9bd94", "#efcfa8", "#f3dfc2",  # reds, skin
    "#7a5a35", "#c2964a", "#e3c679",  # ochres
    "#3a3438", "#77706c", "#b5aca0", "#efe6d0",  # ink and paper
)  # fmt: skip


@material
def ukiyo_e(picture: Array) -> Array:
    """Flat areas of the pigments nearest to the photograph's colours, inside dark outlines."""
    areas = flat(picture, 5, 0.13)
    inks = median(_nearest_pigments(areas), 7)
    inks = blur(median(inks, 5), 0.5)
    key = lines(blur(picture, 0.5), 1.15, length=8.0, threshold=-0.0045, steepness=95)
    key = curve(key, 0.2, 0.6)
    grain = _woodgrain(picture.shape)
    washi = paper(picture.shape, 0.8)
    printed = inks * (1 + 0.055 * grain + 0.05 * (washi - 0.5))[..., None]
    printed = mix(printed, colour("#efe6d0"), np.clip(0.05 + 0.05 * grain, 0, 1))
    printed = printed + relief(washi, 0.05)[..., None]
    return mix(printed, colour("#1b1d26"), 0.93 * key)


def _nearest_pigments(picture: Array) -> Array:
    """The pigment nearest in CIE Lab for every pixel; lightness counts less than hue."""
    lab = to_lab(picture)
    warm = curve(lab[..., 1] + 0.7 * lab[..., 2], 6.0, 16.0) * curve(lab[..., 0], 30.0, 50.0)
    lab[..., 0] = (lab[..., 0] - 50) * 1.1 + 55 + 13 * warm
    lab[..., 1:] *= 1.5
    weights = np.array([0.8, 1.3, 1.3], np.float32)
    pigments = to_lab(np.stack([colour(name) for name in _PIGMENTS])[None])[0]
    best = np.full(lab.shape[:2], np.inf, np.float32)
    owner = np.zeros(lab.shape[:2], int)
    for index, pigment in enumerate(pigments):
        distance = (((lab - pigment) * weights) ** 2).sum(-1)
        nearer = distance < best
        owner[nearer], best[nearer] = index, distance[nearer]
    inks: Array = from_lab(pigments[None])[0][owner]
    return inks


def _woodgrain(shape: tuple[int, ...]) -> Array:
    """Long horizontal fibres around a few slow waves, mean 0."""
    height, width = shape[:2]
    rows = np.arange(height, dtype=np.float32)[:, None]
    wave = 5.0 * noise(shape, "growth", 30.0)
    rings = np.sin(2 * np.pi * (rows + wave) / 4.7)
    fibre = noise((height, max(2, width // 24)), "fibre", 0.0)
    columns = np.linspace(0, fibre.shape[1] - 1.001, width)
    left = columns.astype(int)
    share = (columns - left)[None]
    fibres = (
        fibre[:, left] * (1 - share) + fibre[:, np.minimum(left + 1, fibre.shape[1] - 1)] * share
    )
    return (0.55 * rings + 0.6 * blur(fibres.astype(np.float32), 0.6)).astype(np.float32)
