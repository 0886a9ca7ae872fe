"""`Geometry`: how a frame is scaled and cropped to the working image, and back."""

from dataclasses import dataclass

from turbolens.filter.errors import FrameError
from turbolens.filter.settings import FilterSettings

MIN_SIDE = 16  # pixels of a frame; an autoencoder needs at least as many
MAX_WORKING_SIDE = 8192  # pixels; only exceeded by extreme shapes with side="shorter"


@dataclass(frozen=True)
class Geometry:
    """The position of the working image on the frame.

    The frame is scaled to `scaled_width` × `scaled_height` pixels. The working image is the window
    of `width` × `height` pixels at (`left`, `top`). Positive offsets crop (cover), negative ones
    add a padded border (contain), zero is a plain stretch.
    """

    frame_width: int
    frame_height: int
    width: int
    height: int
    scaled_width: int
    scaled_height: int
    left: int
    top: int

    @property
    def covered(self) -> tuple[int, int, int, int]:
        """The frame pixels that the working image covers: left, top, right, bottom."""
        left, right = _covered(self.frame_width, self.scaled_width, self.left, self.width)
        top, bottom = _covered(self.frame_height, self.scaled_height, self.top, self.height)
        return left, top, right, bottom

    @property
    def covers_frame(self) -> bool:
        """True if the working image covers every pixel of the frame."""
        return self.covered == (0, 0, self.frame_width, self.frame_height)

    @property
    def is_enlarged(self) -> bool:
        """True if the frame is larger than the working image, so that the result is enlarged."""
        return self.scaled_width < self.frame_width and self.scaled_height < self.frame_height


def _covered(frame_side: int, scaled_side: int, offset: int, side: int) -> tuple[int, int]:
    if offset <= 0:
        return 0, frame_side
    scale = frame_side / scaled_side
    return round(offset * scale), min(frame_side, round((offset + side) * scale))


def working_geometry(
    frame_width: int,
    frame_height: int,
    settings: FilterSettings,
    *,
    native_size: int,
    multiple: int,
) -> Geometry:
    """The geometry for frames of this size under these settings.

    native_size: the longer side in pixels without `settings.size`. multiple: the sides of the
    working image are multiples of it. Raises `FrameError` for frames below 16 pixels a side, and if
    a side of the working image would be longer than 8192 pixels.
    """
    if min(frame_width, frame_height) < MIN_SIDE:
        raise FrameError(
            f"a frame must be at least {MIN_SIDE}×{MIN_SIDE} pixels, "
            f"got {frame_width}×{frame_height}"
        )
    width, height = _working_size(frame_width, frame_height, settings, native_size, multiple)
    if max(width, height) > MAX_WORKING_SIDE:
        raise FrameError(
            f"the working image of a {frame_width}×{frame_height} frame would be "
            f"{width}×{height}, more than {MAX_WORKING_SIDE} pixels a side; "
            "set side='longer' or a smaller size"
        )
    scaled_width, scaled_height = _scaled_size(
        frame_width, frame_height, width, height, settings.fit
    )
    return Geometry(
        frame_width, frame_height, width, height, scaled_width, scaled_height,
        left=(scaled_width - width) // 2, top=(scaled_height - height) // 2,
    )  # fmt: skip


def _working_size(
    frame_width: int, frame_height: int, settings: FilterSettings, native_size: int, multiple: int
) -> tuple[int, int]:
    size = settings.size or native_size
    if settings.shape == "square":
        return _rounded(size, multiple), _rounded(size, multiple)
    shorter = settings.side == "shorter" and settings.size is not None
    reference = (min if shorter else max)(frame_width, frame_height)
    scale = size / reference
    return _rounded(frame_width * scale, multiple), _rounded(frame_height * scale, multiple)


def _rounded(side: float, multiple: int) -> int:
    return max(1, int(side / multiple + 0.5)) * multiple


def _scaled_size(
    frame_width: int, frame_height: int, width: int, height: int, fit: str
) -> tuple[int, int]:
    scales = width / frame_width, height / frame_height
    if fit == "stretch":
        return width, height
    if fit == "contain":
        scale = min(scales)
        return max(1, round(frame_width * scale)), max(1, round(frame_height * scale))
    scale = max(scales)
    return max(width, round(frame_width * scale)), max(height, round(frame_height * scale))
