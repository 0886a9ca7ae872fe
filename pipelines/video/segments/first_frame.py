"""The properties of a video's first filtered frame, from which its encoder is configured."""

from dataclasses import dataclass
from fractions import Fraction

import av


@dataclass(frozen=True)
class FirstFrame:
    """Size, pixel format, colour tags and time. All segments are encoded alike by these.

    color_range, colorspace, color_primaries, color_trc: FFmpeg's numbers. time_base: as "1/25".
    """

    width: int
    height: int
    format: str
    color_range: int
    colorspace: int
    color_primaries: int
    color_trc: int
    pts: int
    time_base: str

    @classmethod
    def of(cls, frame: av.VideoFrame) -> "FirstFrame":
        """The properties of this frame."""
        return cls(
            frame.width, frame.height, frame.format.name, int(frame.color_range),
            int(frame.colorspace), int(frame.color_primaries), int(frame.color_trc),
            frame.pts or 0, str(Fraction(frame.time_base or 1)),
        )  # fmt: skip

    def blank(self) -> av.VideoFrame:
        """A frame with these properties. Its pixels are undefined."""
        frame = av.VideoFrame(self.width, self.height, self.format)
        for name in ("color_range", "colorspace", "color_primaries", "color_trc", "pts"):
            setattr(frame, name, getattr(self, name))
        frame.time_base = Fraction(self.time_base)
        return frame
