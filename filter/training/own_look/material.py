"""Learns a material from pictures: their colours, their texture, and how it lies.

A piece of texture is taken where the picture shows little else: no contour, no change of the
colours below it. It is turned so that its strokes run from left to right.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from turbolens.filter.surface.media.colour_match import ColourMatch
from turbolens.filter.surface.media.exemplar import Exemplar, Handling
from turbolens.filter.surface.planes import Plane, blur, cv2, luma_of

from .quilting import PATCH, quilted

PICTURE = 384  # shorter side of the pictures that texture is taken from
TONES = 4  # tiles, from dark to light
COLOURS = 14  # of the palette
_BASE = 7.0  # pixels; coarser than this is content
_PLACES, _SHORTLIST, _TAKEN = 1500, 300, 100  # of a picture; for each tone
_FRAME = 0.03  # of the shorter side, which often shows a frame


@dataclass(frozen=True, eq=False)
class Analysed:
    """One picture, RGB (H, W, 3) in 0…1: its luma, texture and direction.

    cosine, sine: of the doubled angle along the forms, times how clear it is. contrast: of the
    content below the texture.
    """

    picture: Plane
    luma: Plane
    texture: Plane
    cosine: Plane
    sine: Plane
    contrast: Plane

    @classmethod
    def of(cls, picture: Plane) -> "Analysed":
        luma, base = luma_of(picture), blur(picture, _BASE)
        cosine, sine, energy = _directions(luma)
        below = _directions(luma_of(base))[2]
        energy = energy + np.float32(1e-7)
        return cls(picture, luma, picture - base, cosine / energy, sine / energy, np.sqrt(below))


def _directions(luma: Plane) -> tuple[Plane, Plane, Plane]:
    """The structure tensor: cosine and sine of twice the angle along the forms, and the energy."""
    across = cv2.Sobel(luma, cv2.CV_32F, 1, 0, ksize=3, scale=0.25)
    down = cv2.Sobel(luma, cv2.CV_32F, 0, 1, ksize=3, scale=0.25)
    xx, yy, xy = (blur(each, 5.0) for each in (across * across, down * down, across * down))
    return yy - xx, -2 * xy, xx + yy


def learnt(pictures: Sequence[Plane], seed: int = 0) -> Exemplar:
    """The material of pictures, RGB (H, W, 3) in 0…1, about `PICTURE` pixels high or wide.

    Its `Handling` is a first guess from the pictures' statistics, where training begins.
    """
    random = np.random.default_rng(seed)
    analysed = [Analysed.of(np.ascontiguousarray(each)) for each in map(_unframed, pictures)]
    pixels = np.concatenate([each.picture.reshape(-1, 3)[::7] for each in analysed])
    luma = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
    tones = np.quantile(luma, np.linspace(0, 1, TONES + 1)[1:-1]).astype(np.float32)
    match = _colours(analysed, pixels, luma)
    flat = _flatness(analysed)
    tiles = np.stack([
        quilted(patches, random) for patches in _patches(analysed, tones, flat, random)
    ])  # fmt: skip
    levels = np.clip(np.rint(tiles * 255 + 128), 0, 255).astype(np.uint8)
    return Exemplar(levels, tones, match, _first_guess(analysed, match, pixels, luma, flat))


def _unframed(picture: Plane) -> Plane:
    margin = int(_FRAME * min(picture.shape[:2]))
    return picture[margin : picture.shape[0] - margin, margin : picture.shape[1] - margin]


def _colours(analysed: Sequence[Analysed], pixels: Plane, luma: Plane) -> ColourMatch:
    within = [np.cov(each.picture.reshape(-1, 3)[::7].T) for each in analysed]
    ramp = []
    for brightness in np.linspace(0, 1, 9):
        near = np.exp(-0.5 * np.square((luma - brightness) / 0.07)) + 1e-6
        ramp.append((pixels * near[:, None]).sum(0) / near.sum())
    small = [cv2.resize(each.picture, (72, 72), interpolation=cv2.INTER_AREA).reshape(-1, 3)
             for each in analysed]  # fmt: skip
    palette, weights = _palette(np.concatenate(small))
    return ColourMatch(
        pixels.mean(0), np.mean(within, 0).astype(np.float32), np.array(ramp, np.float32),
        palette, weights,
    )  # fmt: skip


def _palette(pixels: Plane) -> tuple[Plane, Plane]:
    """The colours that occur most, and their weights, by k-means in Lab."""
    lab = cv2.cvtColor(pixels[None], cv2.COLOR_RGB2Lab)[0]
    cv2.setRNGSeed(1)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 60, 1e-3)
    _, labels, centres = cv2.kmeans(lab, COLOURS, None, stop, 3, cv2.KMEANS_PP_CENTERS)
    palette = cv2.cvtColor(centres[None], cv2.COLOR_Lab2RGB)[0].clip(0, 1)
    counts = np.bincount(labels.ravel(), minlength=COLOURS) / len(lab)
    return np.ascontiguousarray(palette), (counts**0.25).astype(np.float32)


def _flatness(analysed: Sequence[Analysed]) -> float:
    """0 if fine contrast is everywhere, as in oil, 1 if it is on lines only, as in prints."""
    fine = np.concatenate([
        (blur(each.luma, 1.0) - blur(each.luma, 2.2)).ravel()[::5] for each in analysed
    ])  # fmt: skip
    share = float(np.median(np.abs(fine)) / (fine.std() + 1e-6))
    return float(np.interp(share, [0.25, 0.42], [1, 0]))


def _first_guess(
    analysed: Sequence[Analysed], match: ColourMatch, pixels: Plane, luma: Plane, flat: float
) -> Handling:
    places = np.linspace(0, 1, len(match.ramp))
    same = np.stack([np.interp(luma, places, match.ramp[:, i]) for i in range(3)], -1)
    chroma, hued = pixels - luma[:, None], same - luma[:, None]
    # About grey, so that a folder of one hue is explained by its brightness.
    explained = 1 - float(np.square(chroma - hued).sum() / (np.square(chroma).sum() + 1e-6))
    cosine, sine = (np.mean([float(getattr(each, part).mean()) for each in analysed])
                    for part in ("cosine", "sine"))  # fmt: skip
    return Handling(
        even=0.8 * flat, smear=3.0 * (1 - flat), ink=0.2 + 0.6 * flat,
        texture=0.8, palette=0.5 + 0.3 * flat,
        hue=float(np.interp(explained, [0.5, 0.95], [0.05, 0.95])),
        wander=0.0 if np.hypot(cosine, sine) > 0.12 else 1.0,
        rest=float(0.5 * np.arctan2(sine, cosine)),
    )  # fmt: skip


def _patches(
    analysed: Sequence[Analysed], tones: Plane, flat: float, random: np.random.Generator
) -> list[list[Plane]]:
    """Patches of texture for each tone; a tone that hardly occurs has those of its neighbour."""
    found = [np.concatenate(rows) for rows in zip(*(_found(index, each, tones, random)
             for index, each in enumerate(analysed)), strict=True)]  # fmt: skip
    enough = [tone for tone, rows in enumerate(found) if len(rows) >= 20]
    enough = enough or [int(np.argmax([len(rows) for rows in found]))]
    nearest = [min(enough, key=lambda other: abs(other - tone)) for tone in range(TONES)]
    taken = {tone: _best(analysed, found[tone], flat) for tone in set(nearest)}
    return [taken[tone] for tone in nearest]


def _found(index: int, each: Analysed, tones: Plane, random: np.random.Generator) -> list[Plane]:
    """For each tone (n, 5): picture, row and column of random places, energy, and a penalty."""
    reach = int(PATCH * 0.75) + 2
    height, width = each.luma.shape
    rows = random.integers(reach, height - reach, _PLACES)
    columns = random.integers(reach, width - reach, _PLACES)
    box = (PATCH, PATCH)
    fine = luma_of(each.texture)
    energy = np.sqrt(cv2.blur(fine * fine, box))
    content = np.sqrt(cv2.blur(each.contrast * each.contrast, box))
    straight = np.hypot(cv2.blur(each.cosine, box), cv2.blur(each.sine, box))
    peak = cv2.dilate(cv2.blur(np.abs(fine), (5, 5)), np.ones(box, np.uint8))
    scale = energy + np.float32(1e-3)
    penalty = content / scale + 0.25 * peak / scale - 1.5 * straight
    tone = np.searchsorted(tones, cv2.blur(each.luma, box)[rows, columns])
    table = np.stack([
        np.full(_PLACES, index), rows, columns, energy[rows, columns], penalty[rows, columns],
    ], 1).astype(np.float32)  # fmt: skip
    return [table[tone == which] for which in range(TONES)]


def _best(analysed: Sequence[Analysed], rows: Plane, flat: float) -> list[Plane]:
    """The patches of these places that show most texture and least else."""
    low, high = np.quantile(rows[:, 3], [0.3 - 0.3 * flat, 0.85 - 0.65 * flat])
    usual = rows[(rows[:, 3] >= low) & (rows[:, 3] <= high)]
    listed = usual[np.argsort(usual[:, 4], kind="stable")][:_SHORTLIST]
    patches = [_straightened(analysed[int(row[0])], int(row[1]), int(row[2])) for row in listed]
    patches.sort(key=_profile)
    return patches[: max(12, min(_TAKEN, len(patches) // 3))]


def _straightened(each: Analysed, row: int, column: int) -> Plane:
    """(PATCH, PATCH, 3): the texture around a place, turned to run from left to right; mean 0."""
    around = np.s_[row - 8 : row + 9, column - 8 : column + 9]
    angle = 0.5 * np.arctan2(each.sine[around].sum(), each.cosine[around].sum())
    cosine, sine, half = float(np.cos(angle)), float(np.sin(angle)), PATCH / 2
    place = np.array([
        [cosine, -sine, column - half * (cosine - sine)],
        [sine, cosine, row - half * (sine + cosine)],
    ], np.float32)  # fmt: skip
    how = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    patch = cv2.warpAffine(each.texture, place, (PATCH, PATCH), flags=how,
                           borderMode=cv2.BORDER_REFLECT_101)  # fmt: skip
    return patch - patch.mean((0, 1))  # type: ignore[no-any-return]


def _profile(patch: Plane) -> float:
    """How much of a patch is one straight line across it, as a contour is: 0…1."""
    grey = patch.mean(2)
    lines = max(float(grey.mean(1).var()), float(grey.mean(0).var()))
    return lines / (float(grey.var()) + 1e-6)
