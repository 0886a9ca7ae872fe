"""Reprojection: the last result, warped to a newer frame, for models slower than the camera."""

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

from turbolens.filter.frames.conversion import FrameConverter, Geometry, image_from_rgb
from turbolens.filter.frames.luma import luma_of, resized
from turbolens.filter.networks import Run
from turbolens.filter.settings import FilterSettings

from .change import (
    InputView,
    device_scalar,
    motion_between,
    past_weight,
    residual_tolerance,
    warped_along,
)
from .motion import Motion

FrameT = TypeVar("FrameT", av.VideoFrame, NDArray[np.uint8])

_CELL_PX = 8  # colours are matched on cells of this size
_WINDOW = 5  # cells a side for one match
_SMOOTHNESS = 0.02  # variance (of images in −1…1) below which contrast is not transferred


@dataclass(frozen=True)
class _Result:
    """A filtered frame: RGB uint8 (H, W, 3) of the input and the result, and the input's view.

    The cached properties are computed for the first newer frame and serve all of them.
    """

    geometry: Geometry
    input_rgb: torch.Tensor
    styled_rgb: torch.Tensor
    view: InputView

    @cached_property
    def image(self) -> torch.Tensor:
        """The result, (1, 3, H, W) in −1…1."""
        return self._image(self.styled_rgb)

    @cached_property
    def colours(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Slope and offset that turn the input's colours into the result's."""
        return _colours(self._image(self.input_rgb), self.image)

    def _image(self, rgb: torch.Tensor) -> torch.Tensor:
        return image_from_rgb([rgb], self.view.luma.device, torch.float32).contiguous()


class Reprojection:
    """The last result of one stream, warped to newer frames.

    `remember` and `reproject` may be called from two threads. reprojector: a faster way to run
    `Reprojector`, which returns `None` if there is none.
    """

    def __init__(self, reprojector: Run | None = None) -> None:
        self._reprojector = reprojector
        self._last: _Result | None = None
        self._converter, self._lock = FrameConverter(), Lock()

    def reset(self) -> None:
        """Forget the last result."""
        self._last = None

    def remember(
        self,
        geometry: Geometry,
        input_rgb: torch.Tensor,
        styled_rgb: torch.Tensor,
        view: InputView,
    ) -> None:
        """Make this the last result. Both are RGB uint8 (H, W, 3)."""
        self._last = _Result(geometry, input_rgb, styled_rgb, view)

    def reproject(
        self, frame: FrameT, geometry: Geometry, settings: FilterSettings
    ) -> FrameT | None:
        """The last result, warped to `frame`. `None` without a result of this geometry."""
        last = self._last
        if last is None or last.geometry != geometry:
            return None
        with self._lock:
            rgb = self._converter.to_rgb(frame, geometry)
            warped = self._warped(last, rgb, settings.motion_sensitivity)
            return self._converter.to_frame(
                warped, frame, geometry, settings.mix, detail=settings.detail
            )

    def _warped(self, last: _Result, rgb: torch.Tensor, motion_sensitivity: float) -> torch.Tensor:
        """RGB uint8 (H, W, 3) of the last result, warped to `rgb`, with new places filled in."""
        device, tau = last.view.luma.device, residual_tolerance(motion_sensitivity)
        batch, levels = rgb[None].to(device), None
        if self._reprojector is not None and tau > 0.0:
            levels = self._reprojector(
                batch, last.view.luma, last.image, *last.colours, device_scalar(tau, device)
            )
        if levels is None:
            view = InputView(luma_of(rgb), device)
            motion = view.features.motion_from(last.view.features)
            levels = _levels(
                batch, view.luma, last.view.luma, last.image, last.colours, motion, tau
            )
        return levels[0].nan_to_num().to(torch.uint8).cpu()


class Reprojector(nn.Module):
    """Reprojection as a module whose inputs and results are tensors.

    rgb: (1, H, W, 3) uint8, the newer frame. past: (1, 1, H, W), the luma of the last input.
    image: (1, 3, H, W), the last result. slope, offset: its colours. tau: the residual tolerance, a
    number above 0. Returns levels (1, H, W, 3), whole numbers 0…255.
    """

    is_shape_specific = True
    typical_ranges = (255.0,)
    num_threads = 1  # the networks run at the same time

    def forward(
        self,
        rgb: torch.Tensor,
        past: torch.Tensor,
        image: torch.Tensor,
        slope: torch.Tensor,
        offset: torch.Tensor,
        tau: torch.Tensor,
    ) -> torch.Tensor:
        luma = luma_of(rgb[0])
        motion = motion_between(luma, past)
        return _levels(rgb, luma, past, image, (slope, offset), motion, tau)


def _levels(
    rgb: torch.Tensor,
    luma: torch.Tensor,
    past: torch.Tensor,
    image: torch.Tensor,
    colours: tuple[torch.Tensor, ...],
    motion: Motion,
    tau: float | torch.Tensor,
) -> torch.Tensor:
    """The warped result; invalid pixels show `rgb` in the colours of the result."""
    slope, offset = colours
    now = rgb.permute(0, 3, 1, 2).float().contiguous().div(127.5).sub(1.0)
    warped, warped_luma = torch.split(
        warped_along(torch.cat([image, past], dim=1), motion), [3, 1], dim=1
    )
    valid = past_weight(motion, luma, warped_luma, tau)
    filled = torch.lerp(slope * now + offset, warped, valid)
    return filled.permute(0, 2, 3, 1).add(1.0).mul(127.5).round().clamp(0, 255)


def _colours(before: torch.Tensor, styled: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """a and b of the images' shape, so that styled ≈ a · before + b.

    a = cov(before, styled) / (var(before) + ε): a guided filter (He et al. 2010) on small images.
    """
    guide, target = F.avg_pool2d(before, _CELL_PX), F.avg_pool2d(styled, _CELL_PX)
    mean, styled_mean = _smooth(guide), _smooth(target)
    variance = _smooth(guide.square()) - mean.square()
    slope = (_smooth(guide * target) - mean * styled_mean) / (variance + _SMOOTHNESS)
    offset = _smooth(styled_mean - slope * mean)
    size = before.shape[-2:]
    return resized(_smooth(slope), *size), resized(offset, *size)


def _smooth(image: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(image, _WINDOW, stride=1, padding=_WINDOW // 2, count_include_pad=False)
