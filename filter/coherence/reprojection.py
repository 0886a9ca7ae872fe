"""The last result shown at the place of a newer frame, for models slower than the camera."""

from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import TypeVar

import av
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from turbolens.filter.frames.conversion import FrameConverter, Geometry, image_from_pictures
from turbolens.filter.frames.luma import luma_of, resized
from turbolens.filter.networks import Run
from turbolens.filter.settings import FilterSettings

from .change import (
    InputView,
    kept_share,
    motion_between,
    moved_along,
    number,
    residual_tolerance,
)
from .motion import Motion

FrameT = TypeVar("FrameT", av.VideoFrame, NDArray[np.uint8])

_CELL = 8  # pixels; colours are matched on cells of that size
_WINDOW = 5  # cells a side that one match is made from
_SMOOTHNESS = 0.02  # variance (of images in −1…1) below which contrast is not carried over


@dataclass(frozen=True)
class _Result:
    """A filtered frame: its input, uint8 (H, W, 3), what came of it, and the input's view.

    What several newer frames need of it is made once, when the first one does.
    """

    geometry: Geometry
    picture: torch.Tensor
    styled: torch.Tensor
    view: InputView

    def image_of(self, picture: torch.Tensor) -> torch.Tensor:
        """(1, 3, H, W), on the device of the view."""
        return image_from_pictures([picture], self.view.luma.device, torch.float32).contiguous()

    @cached_property
    def image(self) -> torch.Tensor:
        """What came of it."""
        return self.image_of(self.styled)

    @cached_property
    def colours(self) -> tuple[torch.Tensor, torch.Tensor]:
        """How its input got its colours."""
        return _colours(self.image_of(self.picture), self.image)


class Reprojection:
    """Remembers the last result of one stream. `follow` and calls may come from two threads.

    moving: a faster way to run `Moving`, which gives none where it is not.
    """

    def __init__(self, moving: Run | None = None) -> None:
        self._moving = moving
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
            moved = self._moved(last, picture, settings.motion_sensitivity)
            return self._converter.to_frame(moved, frame, geometry, settings.mix)

    def _moved(
        self, last: _Result, picture: torch.Tensor, motion_sensitivity: float
    ) -> torch.Tensor:
        """The styled picture, moved to where `picture` is, filled in where that is new."""
        device, tau = last.view.luma.device, residual_tolerance(motion_sensitivity)
        whole, levels = picture[None].to(device), None
        if self._moving is not None and tau > 0.0:
            levels = self._moving(
                whole, last.view.luma, last.image, *last.colours, number(tau, device)
            )
        if levels is None:
            view = InputView(luma_of(picture), device)
            motion = view.features.motion_from(last.view.features)
            levels = _levels(
                whole, view.luma, last.view.luma, last.image, last.colours, motion, tau
            )
        return levels[0].nan_to_num().to(torch.uint8).cpu()


class Moving(nn.Module):
    """What is shown in place of a newer frame, as a function of tensors alone.

    picture: (1, H, W, 3) uint8, the newer frame. Of the last result: past (1, 1, H, W), the luma of
    its input; image (1, 3, H, W); slope and offset, its `_Result.colours`. tau: a number, above 0.
    Gives levels (1, H, W, 3), whole numbers 0…255.
    """

    is_of_one_shape = True
    least_ranges = (255.0,)
    threads = 1  # the networks are at work beside it

    def forward(
        self,
        picture: torch.Tensor,
        past: torch.Tensor,
        image: torch.Tensor,
        slope: torch.Tensor,
        offset: torch.Tensor,
        tau: torch.Tensor,
    ) -> torch.Tensor:
        luma = luma_of(picture[0])
        motion = motion_between(luma, past)
        return _levels(picture, luma, past, image, (slope, offset), motion, tau)


def _levels(
    picture: torch.Tensor,
    luma: torch.Tensor,
    past: torch.Tensor,
    image: torch.Tensor,
    colours: tuple[torch.Tensor, ...],
    motion: Motion,
    tau: float | torch.Tensor,
) -> torch.Tensor:
    """The last result where `picture` is, and that in the result's colours where it is new."""
    slope, offset = colours
    now = picture.permute(0, 3, 1, 2).float().contiguous().div(127.5).sub(1.0)
    moved, there = torch.split(moved_along(torch.cat([image, past], dim=1), motion), [3, 1], dim=1)
    kept = kept_share(motion, luma, there, tau)
    shown = torch.lerp(slope * now + offset, moved, kept)
    return shown.permute(0, 2, 3, 1).add(1.0).mul(127.5).round().clamp(0, 255)


def _colours(before: torch.Tensor, styled: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """a and b, of the images' shape, with which styled ≈ a·before + b.

    a = cov(before, styled) / (var(before) + ε), b the rest: a guided filter (He et al. 2010) on
    small pictures.
    """
    guide, target = F.avg_pool2d(before, _CELL), F.avg_pool2d(styled, _CELL)
    mean, styled_mean = _smooth(guide), _smooth(target)
    variance = _smooth(guide.square()) - mean.square()
    slope = (_smooth(guide * target) - mean * styled_mean) / (variance + _SMOOTHNESS)
    offset = _smooth(styled_mean - slope * mean)
    size = before.shape[-2:]
    return resized(_smooth(slope), *size), resized(offset, *size)


def _smooth(image: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(image, _WINDOW, stride=1, padding=_WINDOW // 2, count_include_pad=False)
