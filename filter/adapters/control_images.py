"""Control images of a stream: computed from its frames, or taken from a second source."""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import av
import numpy as np
import torch
from numpy.typing import NDArray

from turbolens.filter.errors import FrameError, SettingsError
from turbolens.filter.frames.conversion import FrameConverter, Geometry, frame_size

from .canny import Canny

Array: TypeAlias = NDArray[np.uint8]
FrameOrArray: TypeAlias = av.VideoFrame | Array
Control: TypeAlias = Literal["canny"] | Canny | Callable[[Any], FrameOrArray]
"""The input of a ControlNet: edges of the working image, or the result of a function of the frame.

The function is called once for every filtered frame, in order. It returns (H, W, 3) or (H, W) uint8
or a video frame, of any size.
"""


class ControlImages:
    """Gives the control image of every frame; `None` if there is no control."""

    def __init__(self, control: Control | None = None) -> None:
        if isinstance(control, str) and control == "canny":
            control = Canny()
        if not (control is None or callable(control)):  # a `Canny` is, too
            given = repr(control) if isinstance(control, str) else type(control).__name__
            raise SettingsError(f"control must be 'canny', a Canny or a function, got {given}")
        self._canny = control if isinstance(control, Canny) else None
        self._function = None if isinstance(control, Canny) else control
        self._converter = FrameConverter()
        self._last: torch.Tensor | None = None
        self.changed = False
        """True if the last external control image differed from the one before it."""

    def from_function(self, frame: Any, geometry: Geometry) -> torch.Tensor | None:
        """The function's image for this frame, (height, width, 3) uint8 at the working size.

        `None` without a function. Raises `FrameError` if its result is not an image.
        """
        if self._function is None:
            return None
        given = _as_rgb(self._function(frame))
        size = geometry.frame_width, geometry.frame_height
        if frame_size(given) != size:
            given = _as_frame(given).reformat(width=size[0], height=size[1], format="rgb24")
        image = self._converter.to_rgb(given, geometry)
        self.changed = self._last is None or not torch.equal(image, self._last)
        self._last = image
        return image

    def from_edges(self, rgb: torch.Tensor) -> torch.Tensor | None:
        """The Canny edges of a working image (height, width, 3) uint8, of the same shape.

        `None` if the control image is not made of edges.
        """
        if self._canny is None:
            return None
        edges = self._canny(rgb.numpy())
        return torch.from_numpy(np.repeat(edges[..., None], 3, axis=-1))


def control_image(
    images: list[torch.Tensor], device: torch.device, dtype: torch.dtype
) -> torch.Tensor:
    """Images (H, W, 3) uint8 → the input of a ControlNet, (B, 3, H, W) in 0…1."""
    batch = torch.stack(images).to(device).permute(0, 3, 1, 2)
    return batch.to(torch.float32).div(255.0).to(dtype)


def _as_rgb(image: FrameOrArray) -> FrameOrArray:
    if isinstance(image, av.VideoFrame):
        return image
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        raise FrameError(f"a control image must be uint8 or a frame, got {type(image)}")
    if image.ndim == 2:
        return np.repeat(image[..., None], 3, axis=-1)
    if image.ndim != 3 or image.shape[2] != 3:
        raise FrameError(f"a control image must be (H, W, 3) or (H, W), got {image.shape}")
    return image


def _as_frame(image: FrameOrArray) -> av.VideoFrame:
    if isinstance(image, av.VideoFrame):
        return image
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
