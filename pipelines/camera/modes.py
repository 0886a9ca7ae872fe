"""Chooses the mode in which a camera is opened."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from .v4l2 import Mode

COSTS = {"nv12": 0, "yuv420p": 0, "yuv422p": 1, "yuyv422": 1, "uyvy422": 1, "rgb24": 2,
         "bgr24": 2, "mjpeg": 3, "gray": 4, "h264": 5}  # fmt: skip
"""Rank of a format among modes of one size and rate, lowest first: by decoding time, latency, and
lost colour."""


@dataclass(frozen=True)
class WantedMode:
    """The mode that the user wants. pixel_format: FFmpeg's name, `None` for any."""

    width: int = 1280
    height: int = 720
    rate: Fraction = Fraction(30)
    pixel_format: str | None = None


@dataclass(frozen=True)
class ChosenMode:
    """The mode to open the camera in. pixel_format: `None` for the camera's own."""

    width: int
    height: int
    rate: Fraction
    pixel_format: str | None = None


def choose_mode(modes: Sequence[Mode], wanted: WantedMode) -> ChosenMode:
    """The mode nearest to the wanted one: by rate first, then size, then the cheapest format.

    Many cameras give large raw frames at only 5 or 10 frames per second, and MJPEG at 30. If no
    mode is known, or none has the wanted format, the wanted mode is returned unchanged.
    """
    candidates = [
        mode for mode in modes if wanted.pixel_format in (None, mode.pixel_format)
    ]  # fmt: skip
    if not candidates:
        return ChosenMode(wanted.width, wanted.height, wanted.rate, wanted.pixel_format)
    best = min(candidates, key=lambda mode: _distance(mode, wanted))
    return ChosenMode(best.width, best.height, _nearest_rate(best, wanted.rate), best.pixel_format)


def _nearest_rate(mode: Mode, rate: Fraction) -> Fraction:
    """The lowest rate that is high enough, or else the highest."""
    enough = [offered for offered in mode.rates if offered >= rate * Fraction(99, 100)]
    return min(enough) if enough else max(mode.rates, default=rate)


def _distance(mode: Mode, wanted: WantedMode) -> tuple[float, float, int]:
    offered = _nearest_rate(mode, wanted.rate)
    missing = max(0.0, 1 - float(offered / wanted.rate))
    missing = 0.0 if missing < 0.02 else missing  # 29.97 is 30
    wider, higher = mode.width / wanted.width, mode.height / wanted.height
    size = sum(ratio - 1 if ratio >= 1 else 2 * (1 / ratio - 1) for ratio in (wider, higher))
    return missing, size, COSTS.get(mode.pixel_format, 9)
