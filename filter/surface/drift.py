"""`Drift`: where the texture of each place of a picture comes from, so that it moves with it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .planes import Plane, blur, coordinates, cv2, resized, sample, smoothstep
from .seen import Seen
from .shift import TextureShift

SIDE = 160  # of the pictures that the flow is found on, at most about so many pixels
_BENDS = 20.0
"""Frames after which 1 / e is left of how far a part has moved against the whole. Without end it
would tear the texture."""
_BENT = 0.025  # share of the width; a part may be moved so far against the whole
_CUT = 0.6  # share of the change of a picture that motion does not explain: a scene cut
_NOISE = 3.0  # levels; a smaller change is never a scene cut
_GAINED = 0.3, 1.2  # levels that a flow explains more than the whole's motion: unseen, and seen
_SIDES = 0.02, 0.1  # shares of each side that are seen to move: nobody's camera, and a pan
_MOVES = 0.5  # of `_is_seen`
_WINDOW = 2.5  # pixels over which that is compared
_STILL = 0.08  # pixels of the flow: less is noise
_BENDING = 0.3  # pixels that a part must move against the whole: less is noise


class Moved(NamedTuple):
    """How far the texture of each place has moved since it began: x and y, (h, w) of any size, in
    pixels of that size."""

    x: Plane
    y: Plane

    def at(self, height: int, width: int) -> tuple[Plane, Plane]:
        """x and y at a size, in its pixels."""
        scale = width / self.x.shape[1]
        x, y = (cv2.multiply(resized(each, height, width), scale) for each in self)
        return x, y

    @property
    def whole(self) -> TextureShift:
        """How far the textures as a whole have moved."""
        width = self.x.shape[1]
        return TextureShift(*(float(_middle(each)) / width for each in self))


class Drifted(NamedTuple):
    """moved: `None` if nothing has. is_new: True if the picture has no past."""

    moved: Moved | None
    is_new: bool


class Drift:
    """Follows the motion of frames, from one to the next. Not thread-safe."""

    def __init__(self) -> None:
        self._search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._search.setFinestScale(1)
        self._last: Plane | None = None
        self._size: tuple[int, int] | None = None
        self._moved: tuple[Plane, Plane] | None = None

    def __call__(self, seen: Seen) -> Drifted:
        """Take the next frame. If it has no flow, motion is searched for."""
        height, width = seen.luma.shape
        cell = max(1, round(max(width, height) / SIDE))
        size = max(width // cell, 16), max(height // cell, 16)
        follows, self._size = self._size == size, size
        small = cv2.resize(seen.luma, size, interpolation=cv2.INTER_AREA)
        levels = cv2.convertScaleAbs(small, alpha=255.0)
        last, self._last = self._last, levels
        is_new = True
        if last is None or not follows:
            pass
        elif seen.flow is not None:
            is_new = seen.is_cut
            flow = _reduced(seen.flow, size, width)
        else:
            flow = cv2.split(self._search.calc(levels, last, None))
            is_new = _is_cut(levels, last, flow)
        self._moved = None if is_new or last is None else self._followed(*flow, levels, last)
        return Drifted(None if self._moved is None else Moved(*self._moved), is_new)

    def place(self, shift: TextureShift) -> None:
        """Continue as if textures had moved so far as a whole.

        It does nothing before the first frame, which has no past.
        """
        if self._size is None:
            return
        width, height = self._size
        moved = self._moved or (np.zeros((height, width), np.float32),) * 2
        x, y = (
            each + (np.float32(to * width) - _middle(each))
            for each, to in zip(moved, shift, strict=True)
        )
        self._moved = x, y

    def _followed(
        self, x: Plane, y: Plane, levels: Plane, last: Plane
    ) -> tuple[Plane, Plane] | None:
        """The displacement after a flow from this picture to the last one, in its pixels.

        What moves hardly otherwise than the whole picture moves with it: that is noise. So does
        what the motion of the whole explains as well: on a wall the flow is that of whoever moves
        before it.
        """
        whole = _of_whole((x, y), levels, last)
        whole = [each * each**2 / (each**2 + np.float32(_STILL**2)) for each in whole]
        seen = _is_seen((x, y), whole, levels, last)
        x, y = x - whole[0], y - whole[1]
        squared = blur(x * x + y * y, 1.0)
        share = seen * squared / (squared + np.float32(_BENDING**2))
        x, y = cv2.multiply(x, share) + whole[0], cv2.multiply(y, share) + whole[1]
        if self._moved is None:
            if float(cv2.norm(cv2.merge((x, y)), cv2.NORM_INF)) < _STILL:
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


def _of_whole(flow: tuple[Plane, Plane], levels: Plane, last: Plane) -> list[np.float32]:
    """The motion of the camera: that of most of what moves, if both sides of the picture move.

    Else somebody moves before a camera that stands still.
    """
    seen = _is_seen(flow, [np.float32(0)] * 2, levels, last)
    height, width = seen.shape
    above = seen[: 3 * height // 4]  # a body is cut off below
    sides = above[:, : width // 4], above[:, -(width // 4) :]
    least = min(float(each.mean()) for each in sides)
    share = smoothstep(np.array(least, np.float32), *_SIDES)
    moving = seen > _MOVES
    if share == 0 or not moving.any():
        return [np.float32(0)] * 2
    return [np.float32(np.median(each[moving]) * share) for each in flow]


def _is_seen(
    flow: tuple[Plane, Plane], whole: list[np.float32], levels: Plane, last: Plane
) -> Plane:
    """0…1: how much better the flow explains the change of a picture than the whole's motion."""
    columns, rows = coordinates(*levels.shape)
    edge = cv2.BORDER_REPLICATE
    errors = []
    for x, y in (flow, whole):
        moved = sample(last, columns + x, rows + y, edge)
        errors.append(cv2.absdiff(levels, moved).astype(np.float32))
    gained = blur(errors[1] - errors[0], _WINDOW)
    return smoothstep(gained, *_GAINED)


def _middle(moved: Plane) -> np.float32:
    """The motion of the whole: that of most places."""
    return np.float32(np.median(moved[::4, ::4]))


def _relaxed(moved: Plane) -> Plane:
    mean = _middle(moved)
    limit = np.float32(_BENT * moved.shape[1])
    bends = np.clip(blur(moved - mean, 3.0) * np.float32(np.exp(-1 / _BENDS)), -limit, limit)
    return bends + mean  # type: ignore[no-any-return]


def _reduced(flow: NDArray[np.float32], size: tuple[int, int], width: int) -> tuple[Plane, Plane]:
    """A flow (2, h, w) in pixels of a picture of this width, at a size, in pixels of it."""
    scale = size[0] / width
    x, y = (
        cv2.multiply(cv2.resize(each, size, interpolation=cv2.INTER_AREA), scale) for each in flow
    )
    return x, y


def _is_cut(levels: Plane, last: Plane, flow: tuple[Plane, Plane]) -> bool:
    """True if motion does not explain the change of the picture."""
    columns, rows = coordinates(*levels.shape)
    moved = sample(last, columns + flow[0], rows + flow[1], cv2.BORDER_REPLICATE)
    change = float(cv2.norm(levels, last, cv2.NORM_L1)) / levels.size
    rest = float(cv2.norm(levels, moved, cv2.NORM_L1)) / levels.size
    return change > _NOISE and rest > _CUT * change and rest > 2 * _NOISE
