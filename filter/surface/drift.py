"""`Drift`: where the texture of each place of a picture comes from, so that it moves with it."""

import numpy as np

from .planes import Plane, blur, coordinates, cv2, resized, sample

SIDE = 160  # of the pictures that the flow is found on, at most about so many pixels
_TRAVELS, _BENDS = 400.0, 20.0
"""Frames after which 1 / e is left of the displacement: of the whole picture, and of its parts. The
latter would tear the texture in the end."""
_BENT = 0.025  # share of the width; a part may be moved so far against the whole
_CUT = 0.6  # share of the change of a picture that motion does not explain: a scene cut
_NOISE = 3.0  # levels; a smaller change is never a scene cut
_STILL = 0.08  # pixels of the flow: less is noise


class Drift:
    """Follows the motion of pictures. is_new: True if the last one had no past. Not thread-safe."""

    def __init__(self) -> None:
        self._search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._search.setFinestScale(1)
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        self.is_new = True
        self._last: Plane | None = None
        self._moved: tuple[Plane, Plane] | None = None

    def __call__(self, luma: Plane) -> tuple[Plane, Plane] | None:
        """Take the luma of the next picture, (H, W) in 0…1.

        Returns how far the texture of each place has moved since it began, x and y (H, W) in
        pixels; `None` if nothing has moved.
        """
        height, width = luma.shape
        cell = max(1, round(max(width, height) / SIDE))
        size = max(width // cell, 16), max(height // cell, 16)
        small = cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
        levels = cv2.convertScaleAbs(small, alpha=255.0)
        last, self._last = self._last, levels
        self.is_new = True
        if last is not None and last.shape == levels.shape:
            x, y = cv2.split(self._search.calc(levels, last, None))
            self.is_new = _is_cut(levels, last, (x, y))
            self._moved = None if self.is_new else self._followed(x, y)
        if self.is_new or self._moved is None:
            self._moved = None
            return None
        scale = np.float32(width / size[0])
        x, y = (resized(each, height, width) * scale for each in self._moved)
        return x, y

    def _followed(self, x: Plane, y: Plane) -> tuple[Plane, Plane] | None:
        """The displacement after a flow from this picture to the last one, in its pixels."""
        squared = x * x + y * y
        share = squared / (squared + np.float32(_STILL**2))
        x, y = cv2.multiply(x, share), cv2.multiply(y, share)
        if self._moved is None:
            if float(squared.max()) < _STILL**2:
                return None
            zero = np.zeros_like(x)
            self._moved = zero, zero
        columns, rows = coordinates(*x.shape)
        places = columns + x, rows + y
        edge = cv2.BORDER_REPLICATE
        return (
            _relaxed(sample(self._moved[0], *places, edge) + x),
            _relaxed(sample(self._moved[1], *places, edge) + y),
        )


def _relaxed(moved: Plane) -> Plane:
    mean = np.float32(np.median(moved[::4, ::4]))
    limit = np.float32(_BENT * moved.shape[1])
    bends = np.clip(blur(moved - mean, 2.0) * np.float32(np.exp(-1 / _BENDS)), -limit, limit)
    travelled: Plane = bends + mean * np.float32(np.exp(-1 / _TRAVELS))
    return travelled


def _is_cut(levels: Plane, last: Plane, flow: tuple[Plane, Plane]) -> bool:
    """True if motion does not explain the change of the picture."""
    columns, rows = coordinates(*levels.shape)
    moved = sample(last, columns + flow[0], rows + flow[1], cv2.BORDER_REPLICATE)
    change = float(cv2.norm(levels, last, cv2.NORM_L1)) / levels.size
    rest = float(cv2.norm(levels, moved, cv2.NORM_L1)) / levels.size
    return change > _NOISE and rest > _CUT * change and rest > 2 * _NOISE
