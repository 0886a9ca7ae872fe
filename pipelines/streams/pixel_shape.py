"""The sample aspect ratio of a stream: kept, or its frames scaled to square pixels."""

from fractions import Fraction
from typing import Any

import av
from av.video.reformatter import VideoReformatter

from turbolens.pipelines.base import Notify

SQUARE = Fraction(1)
WIDEST = 4  # a pixel that is wider or higher than this is a mistake of the sender


class PixelShape:
    """Passes the frames of one stream on, and knows the shape of their pixels.

    square: scale frames whose pixels are not square: the side that the screen stretches becomes
    longer, so that no detail is lost.
    """

    def __init__(self, notify: Notify, *, square: bool) -> None:
        self._notify, self._square = notify, square
        self._reformatter = VideoReformatter()
        self._noticed: tuple[int, int] | None = None
        self.sample_aspect_ratio = SQUARE

    def __call__(self, frame: av.VideoFrame, video: Any, *, swapped: bool) -> av.VideoFrame:
        """The frame to filter. video: its stream; swapped: it was turned by a quarter."""
        aspect = _sample_aspect_ratio(video)
        if swapped:
            aspect = 1 / aspect
        if not self._square or aspect == SQUARE:
            self.sample_aspect_ratio = aspect
            return frame
        return self._scaled(frame, aspect)

    def _scaled(self, frame: av.VideoFrame, aspect: Fraction) -> av.VideoFrame:
        width = _even(frame.width * max(aspect, SQUARE))
        height = _even(frame.height / min(aspect, SQUARE))
        if self._noticed != (width, height):
            self._noticed = width, height
            self._notify(
                f"pixels of {aspect.numerator}:{aspect.denominator}: scaled from "
                f"{frame.width}×{frame.height} to {width}×{height} with square pixels"
            )
        scaled = self._reformatter.reformat(frame, width=width, height=height, threads=1)
        scaled.pts, scaled.time_base = frame.pts, frame.time_base
        return scaled


def _sample_aspect_ratio(video: Any) -> Fraction:
    """Width of a pixel divided by its height; square if unknown or absurd."""
    for ratio in (video.sample_aspect_ratio, video.codec_context.sample_aspect_ratio):
        if ratio and Fraction(1, WIDEST) <= ratio <= WIDEST:
            return Fraction(ratio)
    return SQUARE


def _even(side: Fraction) -> int:
    return max(2, round(side / 2) * 2)
