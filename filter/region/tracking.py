"""`RegionTracker`: the region of one stream that is filtered, held over time along the motion."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from turbolens.filter.coherence.change import Change
from turbolens.filter.coherence.opencv.warping import Warp
from turbolens.filter.errors import TurbolensError
from turbolens.filter.frames.conversion import FrameConverter, Geometry, frame_size
from turbolens.filter.settings import FilterSettings

from .coverage import Coverage, coverage_of, everything, is_empty
from .finder import PersonFinder
from .masks import Floats, MaskFunction, is_sure, mask_from
from .network import SIDE

Array = NDArray[np.uint8]
log = logging.getLogger(__name__)

_HELD = 0.75  # weight of the last mask where nothing has changed, at full blending of results


@dataclass(frozen=True, eq=False)
class FoundMask:
    """The mask of one frame, (h, w) in 0…1, `None` if it is not known well enough.

    size: width and height of the frame in pixels. exact: True if it comes from the user, so that it
    is taken as it is.
    """

    mask: Floats | None
    size: tuple[int, int]
    exact: bool = False


class RegionTracker:
    """The region of one stream. `find` is thread-safe; the rest is called under the stream's lock.

    finder: returns the network that finds persons; called when it is first needed. function: a mask
    of the user's own in its place.
    """

    def __init__(
        self, finder: Callable[[], PersonFinder], function: MaskFunction | None = None
    ) -> None:
        self._finder, self._function = finder, function
        self._converter, self._lock = FrameConverter(), Lock()
        self._held: Floats | None = None
        self._has_logged = False
        self.last: Coverage | None = None

    def reset(self) -> None:
        """Forget the past."""
        self._held = self.last = None

    def find(
        self, frame: av.VideoFrame | Array, geometry: Geometry, rgb: Array | None = None
    ) -> FoundMask:
        """The mask of the persons in a frame. rgb: the frame's working image, if it is at hand."""
        size = frame_size(frame)
        if self._function is not None:
            return FoundMask(self._own_mask(self._function, frame), size, exact=True)
        if rgb is None or not _shows_all(geometry):
            with self._lock:
                rgb = self._converter.to_rgb(frame, _stretched(size)).numpy()
        mask = self._finder()(rgb)
        return FoundMask(mask if is_sure(mask) else None, size)

    @property
    def has_own_masks(self) -> bool:
        """True if masks come from the user, so that they may change while frames do not."""
        return self._function is not None

    def held(self, found: FoundMask, change: Change | None, settings: FilterSettings) -> Coverage:
        """The coverage of a frame, of its own mask and the last one, moved to this frame.

        Everything is covered if the frame's mask is not known.
        """
        if found.mask is None:
            self._held = None
            return everything()
        if found.exact:
            return coverage_of(found.mask, found.mask, settings, found.size)
        mask = found.mask
        if self._held is not None and change is not None:
            mask = _blended(mask, self._held, change, _HELD * settings.weight_after)
        self._held = mask
        return coverage_of(mask, found.mask, settings, found.size)

    def is_needless(self, found: FoundMask, settings: FilterSettings) -> bool:
        """True if no pixel of this frame and of the last one shows the result."""
        if self.last is not None and not is_empty(self.last):
            return False
        return is_empty(coverage_now(found, settings))

    def _own_mask(self, function: MaskFunction, frame: Any) -> Floats | None:
        """The user's mask of a frame; `None`, so that all is filtered, if there is none."""
        try:
            value = function(frame)
            return None if value is None else mask_from(value)
        except TurbolensError:
            raise
        except Exception:  # the user's own code: what must not be seen is not shown
            if not self._has_logged:
                log.exception("the mask function failed; such frames are filtered as a whole")
            self._has_logged = True
            return None


def coverage_now(found: FoundMask, settings: FilterSettings) -> Coverage:
    """The coverage by the frame's own mask alone."""
    if found.mask is None:
        return everything()
    return coverage_of(found.mask, found.mask, settings, found.size)


def _blended(mask: Floats, last: Floats, change: Change, weight: float) -> Floats:
    """The mask, blended with the last one, moved along the motion, where the past is valid."""
    flow = change.motion.flow[0].float().cpu().numpy()
    moved = Warp(flow, SIDE, SIDE)(last)
    valid: Any = change.past_weight[0, 0].float().cpu().numpy()
    share = cv2.resize(valid, (SIDE, SIDE), interpolation=cv2.INTER_AREA) * np.float32(weight)
    return np.asarray(mask + (moved - mask) * share, np.float32)


def _shows_all(geometry: Geometry) -> bool:
    """True if the working image is the whole frame and nothing else."""
    window = geometry.width, geometry.height, geometry.left, geometry.top
    return window == (geometry.scaled_width, geometry.scaled_height, 0, 0)


def _stretched(size: tuple[int, int]) -> Geometry:
    return Geometry(*size, SIDE, SIDE, SIDE, SIDE, 0, 0)
