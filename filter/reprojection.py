"""The last result shown at the place of a newer frame, for models slower than the camera."""

from dataclasses import dataclass
from threading import Lock
from typing import TypeVar

import av
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from .coherence import InputView, moved_along
from .frames import FrameConverter, Geometry, image_from_pictures, pictures_from_image
from .luma import luma_of, resized
from .settings import FilterSettings

FrameT = TypeVar("FrameT", av.VideoFrame, NDArray[np.uint8])

_CELL = 8  # pixels; colours are matched on cells of that size
_WINDOW = 5  # cells a side that one match is made from
_SMOOTHNESS = 0.02  # variance (of images in −1…1) below which contrast is not carried over


@dataclass(frozen=True)
class _Result:
    """A filtered frame: its input, uint8 (H, W, 3), what came of it, and the input's view."""

    geometry: Geometry
    picture: torch.Tensor
    styled: torch.Tensor
    view: InputView


class Reprojection:
    """Remembers the last result of one stream. `follow` and calls may come from two threads."""

    def __init__(self) -> None:
        self._last: _Result | None = None
        self._converter, self._lock = FrameConverter(), Lock()

    def reset(self) -> None:
        """There is no result yet."""
        self._last = None

    def follow(
        self,
        geometry: Geometry,
        picture: torch.Tensor,
        styled: torch.Tensor | None,
        view: InputView | None,
    ) -> None:
        """Remember this result."""
        if styled is not None and view is not None:
            self._last = _Result(geometry, picture, styled, view)

    def __call__(
        self, frame: FrameT, geometry: Geometry, settings: FilterSettings
    ) -> FrameT | None:
        """The last result where this frame is; none where there is none of its geometry."""
        last = self._last
        if last is None or last.geometry != geometry:
            return None
        with self._lock:
            picture = self._converter.to_image(frame, geometry)
            moved = _moved(last, picture, settings.motion_sensitivity)
            return self._converter.to_frame(moved, frame, geometry, settings.mix)


def _moved(last: _Result, picture: torch.Tensor, motion_sensitivity: float) -> torch.Tensor:
    """The styled picture, moved to where `picture` is, filled in where that is new."""
    device = last.view.luma.device
    view = InputView(luma_of(picture), device)
    change = view.change_from(last.view, motion_sensitivity)
    now, before, styled = torch.split(
        image_from_pictures([picture, last.picture, last.styled], device, torch.float32), 1
    )
    shown = torch.lerp(
        _recoloured(now, before, styled), moved_along(styled, change.motion), change.kept
    )
    return pictures_from_image(shown)[0]


def _recoloured(now: torch.Tensor, before: torch.Tensor, styled: torch.Tensor) -> torch.Tensor:
    """`now` in the colours that `before` got in `styled`: a·now + b, with a and b of each place.

    a = cov(before, styled) / (var(before) + ε), b the rest: a guided filter (He et al. 2010) on
    small pictures.
    """
    guide, target = F.avg_pool2d(before, _CELL), F.avg_pool2d(styled, _CELL)
    mean, styled_mean = _smooth(guide), _smooth(target)
    variance = _smooth(guide.square()) - mean.square()
    slope = (_smooth(guide * target) - mean * styled_mean) / (variance + _SMOOTHNESS)
    slope, offset = _smooth(slope), _smooth(styled_mean - slope * mean)
    size = now.shape[-2:]
    return resized(slope, *size) * now + resized(offset, *size)


def _smooth(image: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(image, _WINDOW, stride=1, padding=_WINDOW // 2, count_include_pad=False)
