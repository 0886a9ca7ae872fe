"""`Hold`: a surface stays as it was where the picture below it does.

Lines, dots and strokes begin at limits of brightness and direction, so that a camera's noise would
make them come and go.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from .planes import Plane, cv2, faded, resized, smoothstep

_HELD = 0.95  # share of the last surface, at most
_SAME, _OTHER = 0.75 / 255, 3.0 / 255  # change of the picture: held below, not at all above
_STILL, _MOVED = 0.05, 0.3  # the same for the motion of the texture, in pixels
CELL = 8  # pixels; motion is compared so far apart


_SIMILARITY = 1 - smoothstep(np.linspace(0, _OTHER, 256, dtype=np.float32)[None], _SAME, _OTHER)
"""By the change of the picture, from none to `_OTHER`."""


class _Past(NamedTuple):
    laid: Plane
    luma: Plane
    places: Plane
    shares: Mapping[str, float]


class Hold:
    """Mixes each surface with the last one. Not thread-safe."""

    def __init__(self) -> None:
        self._last: _Past | None = None

    def reset(self) -> None:
        """Forget the last surface."""
        self._last = None

    def __call__(
        self,
        laid: Plane,
        luma: Plane,
        moved: tuple[Plane, Plane] | None,
        shares: Mapping[str, float],
    ) -> Plane:
        """The surface of this picture, as the last one where nothing has changed.

        laid: RGB (H, W, 3). luma: (H, W) of the picture below. moved: how far the texture has moved
        since it began, x and y of any size in pixels of the picture. shares: of the surfaces;
        others begin anew.
        """
        height, width = luma.shape
        places = np.zeros((2, -(-height // CELL), -(-width // CELL)), np.float32)
        if moved is not None:
            size = places.shape[2], places.shape[1]
            for target, plane in zip(places, moved, strict=True):
                cv2.resize(plane, size, dst=target, interpolation=cv2.INTER_NEAREST)
        last = self._last
        if last is not None and last.laid.shape == laid.shape and last.shares == shares:
            motion = np.abs(places - last.places).max(0)
            still = 1 - smoothstep(motion, _STILL, _MOVED)
            change = cv2.convertScaleAbs(cv2.absdiff(luma, last.luma), alpha=255 / _OTHER)
            held = cv2.LUT(change, _SIMILARITY)
            cv2.multiply(held, resized(still * np.float32(_HELD), height, width), dst=held)
            laid = faded(laid, last.laid, held)
        self._last = _Past(laid, luma, places, dict(shares))
        return laid
