"""Where a frame has something to see: what somebody who paints would spend time on."""

from collections.abc import Callable

import numpy as np

from turbolens.filter.surface.ground import Ground
from turbolens.filter.surface.planes import Plane, blur, cv2, reduced, resized, smoothstep
from turbolens.filter.surface.simplify import Levels, to_levels

_NEAR, _AROUND = 4.0, 24.0  # units: over which contrast is taken, and what it is compared with
_NOISE = 0.02  # contrast that hardly counts
_FEATURE = 2.5  # units, of what counts as an eye or a mouth
_FAINT, _CLEAR = 0.007, 0.024  # contrast of eyes and mouths: not seen below, fully above
_PALE = 2.5  # how much the share of a hue of skin counts
_TOO_MUCH, _DOUBT = (0.55, 0.8), 0.85  # shares of a picture; how much less of it counts then
_LARGE, _PAINTED = (0.25, 0.45), 0.7
"""Shares of a picture that are large faces, or wood and sand: strokes are small beside those, so
that less of the picture need be kept."""
_STANDS_OUT = 0.2, 0.46  # limits of `matters`: no accents below, all of them above
_IN_FIGURES = 0.8  # how much of what stands out may be an eye or a mouth
_ALONE = 2.0  # contrast, over that around, of what stands out alone
_FEW = 0.3  # lines that are left where there is much clutter
_TWIG, _CROWN = 4.0, 14.0  # units: of what clutter is made of, and over which it is found
_CALM, _CLUTTER = 0.035, 0.085  # contrast of a calm place, and of leaves, shelves and crowds
_LEAST = 0.15  # of `matters`: below there is nothing to see
_BAND = 32  # rows that are treated at once
_SEEN = 1 / 64  # share from which a picture can be seen


def people(ground: Ground) -> Plane:
    """How much of faces and hands there is, pale ones too, 0…1, (H, W) of the reduced size.

    Where most of a picture has the hue of skin, as wood and sand do, it tells little.
    """
    found = np.minimum(ground.faces() * np.float32(_PALE), 1)
    doubt = smoothstep(found.mean(dtype=np.float32), *_TOO_MUCH) * np.float32(_DOUBT)
    return resized(found * (1 - doubt), *ground.small_luma().shape)


def matters(ground: Ground) -> Plane:
    """0…1, (H, W) of the reduced size: much at figures, edges and faces, little on walls and in
    what repeats itself, as bricks and leaves do."""
    return resized(ground.of(half_matters), *ground.small_luma().shape)


def half_matters(ground: Ground) -> Plane:
    """`matters` of half the reduced size."""
    pixels = ground.unit / ground.step / 2
    small = ground.of(half_seen)
    across = cv2.Sobel(small, cv2.CV_32F, 1, 0, ksize=3, scale=0.25)
    down = cv2.Sobel(small, cv2.CV_32F, 0, 1, ksize=3, scale=0.25)
    contrast = np.sqrt(blur(across * across + down * down, _NEAR * pixels))
    around = blur(reduced(contrast, 4), _AROUND * pixels / 4)
    around = resized(around, *contrast.shape)
    share = contrast * (1 + ground.of(half_people)) / (contrast + around + np.float32(_NOISE))
    return np.minimum(share, 1)


def half_people(ground: Ground) -> Plane:
    """`people` of half the reduced size."""
    return reduced(ground.of(people), 2)


def half_seen(ground: Ground) -> Plane:
    """`_evenly_seen` of half the reduced size."""
    return reduced(ground.of(_evenly_seen), 2)


def _evenly_seen(ground: Ground) -> Plane:
    """The luma, so that a contrast in the dark counts as much as one in the light."""
    luma: Plane = np.sqrt(np.maximum(ground.small_luma(), 0))
    return luma


def figures(ground: Ground) -> Plane:
    """Where accents belong, 0…1, (H, W) of half the reduced size: in faces, and, since hue does not
    tell all of them, on what stands out."""
    calm = ground.of(half_calm)
    stands_out = smoothstep(ground.of(half_matters), *_STANDS_OUT) * calm * calm
    weights: Plane = np.maximum(ground.of(half_people), stands_out)
    return weights


def where_most(plane: Plane, share: float) -> Plane:
    """1 in about that share of a plane where it is highest, and 0 in most of the rest."""
    some = np.sort(plane[::6, ::6], axis=None)
    limit = max(_LEAST, float(some[round((len(some) - 1) * (1 - share))]))
    return smoothstep(plane, limit - 0.1, limit + 0.25)


def features(ground: Ground) -> Plane:
    """Eyes, mouths and other small things that stand out, 0…1, (H, W) of the reduced size."""
    pixels = ground.unit / ground.step
    likely = resized(ground.of(_where_features_are), *ground.small_luma().shape)
    return _features(ground.of(_evenly_seen), likely, pixels)


def half_features(ground: Ground) -> Plane:
    """`features` of half the reduced size, without the smallest ones."""
    pixels = ground.unit / ground.step / 2
    return _features(ground.of(half_seen), ground.of(_where_features_are), pixels)


def _where_features_are(ground: Ground) -> Plane:
    """How likely there are eyes and mouths, 0…1, (H, W) of half the reduced size."""
    likely: Plane = np.maximum(ground.of(half_people), ground.of(figures) * np.float32(_IN_FIGURES))
    return likely


def _features(seen: Plane, likely: Plane, pixels: float) -> Plane:
    fine = seen - blur(seen, _FEATURE * pixels)
    contrast = np.sqrt(blur(fine * fine, 0.8 * _FEATURE * pixels))
    around = blur(reduced(contrast, 4), _AROUND * pixels / 4)
    alone = contrast / (resized(around, *seen.shape) * np.float32(_ALONE) + np.float32(_FAINT))
    alone = np.minimum(alone * np.float32(0.7), np.float32(0.7))
    found: Plane = smoothstep(contrast, _FAINT, _CLEAR) * np.maximum(likely, alone)
    return found


def kept_in_faces(
    ground: Ground, at_features: float, on_skin: float, on_figures: float = 0.0
) -> Plane:
    """Shares of a picture that show through its material, (H, W) of half the reduced size: at eyes
    and mouths, all over faces and hands, and on what stands out."""
    found = ground.of(half_people)
    large = smoothstep(found.mean(dtype=np.float32), *_LARGE) * np.float32(_PAINTED)
    skin = found * np.float32(on_skin) * (1 - large)
    shares: Plane = np.maximum(ground.of(half_features) * np.float32(at_features), skin)
    if on_figures:
        shares = np.maximum(shares, ground.of(figures) * np.float32(on_figures))
    return shares


def calm_enough(ground: Ground) -> Plane:
    """How little clutter there is, up to 1, (H, W) of the reduced size: lines of a drawing belong
    where there are few."""
    return resized(ground.of(half_calm), *ground.small_luma().shape)


def half_calm(ground: Ground) -> Plane:
    """`calm_enough` of half the reduced size."""
    pixels = ground.unit / ground.step / 2
    small = ground.of(half_seen)
    fine = small - blur(small, _TWIG * pixels)
    contrast = np.sqrt(blur(fine * fine, _CROWN * pixels))
    calm = 1 - np.float32(1 - _FEW) * smoothstep(contrast, _CALM, _CLUTTER)
    return np.maximum(calm, ground.of(half_people))  # type: ignore[no-any-return]


def shown(
    laid: Levels, picture: Levels, shares: Plane, coloured: Callable[[Levels], Levels]
) -> Levels:
    """What is laid over a picture, with a share of the picture itself, `coloured`.

    Changes `laid`, within rectangles around the shares that can be seen; `shares`: of any size.
    """
    scale = laid.shape[0] / shares.shape[0]
    seen = cv2.compare(shares, _SEEN, cv2.CMP_GT)
    for begin in range(0, len(shares), _BAND):
        left, top, width, height = cv2.boundingRect(seen[begin : begin + _BAND])
        if width == 0:
            continue
        part = np.s_[begin + top : begin + top + height, left : left + width]
        rows, columns = (
            slice(round(each.start * scale), round(each.stop * scale)) for each in part
        )
        own = coloured(picture[rows, columns])
        share = resized(to_levels(shares[part]), *own.shape[:2])
        rest = cv2.bitwise_not(share)
        cv2.multiply(own, cv2.merge((share, share, share)), dst=own, scale=1 / 255)
        under = cv2.multiply(laid[rows, columns], cv2.merge((rest, rest, rest)), scale=1 / 255)
        laid[rows, columns] = cv2.add(own, under, dst=own)
    return laid
