"""`LiveVp8Encoder`: aiortc's VP8 encoder with a bit rate that starts low."""

from fractions import Fraction
from os import cpu_count
from time import monotonic

import av
from aiortc.codecs import vpx
from aiortc.codecs.vpx import Vp8Encoder
from av.frame import Frame
from av.video.frame import PictureType

from turbolens.pipelines.statistics import Clock
from turbolens.pipelines.video.encoders.live import CLOCK, KEY_FRAME_INTERVAL

from .bit_rate import GrowingBitRate, SetByReceiver

LEAST = 100_000  # bits per second
GROWN, FALLEN = 1.3, 0.9
"""The encoder is opened again when the bit rate is this many times its own. Each time it sends a
key frame, so growth is followed in larger steps."""

QUANTIZERS = 2, 56  # the finest and the coarsest
OPTIONS = {
    "deadline": "realtime", "cpu-used": "-6", "lag-in-frames": "0", "partitions": "0",
    "noise-sensitivity": "4", "static-thresh": "1", "undershoot-pct": "100", "overshoot-pct": "15",
    "max-intra-rate": "300",
}  # fmt: skip
"""What aiortc gives libvpx, and a limit for key frames, in percent of what a frame has on average:
otherwise they are ten times as large and fill a narrow line."""


class LiveVp8Encoder(SetByReceiver, Vp8Encoder):
    """Replaces how aiortc encodes a frame: from the first one at the highest bit rate.

    libvpx does not change its bit rate while it is open, so it is opened again for another one.
    """

    def __init__(self, rate_clock: Clock = monotonic) -> None:
        self._rate = GrowingBitRate(
            lambda: min(LEAST, vpx.MAX_BITRATE), lambda: vpx.MAX_BITRATE, rate_clock
        )
        super().__init__()
        self.codec: av.VideoCodecContext | None = None

    def encode(self, frame: Frame, force_keyframe: bool = False) -> tuple[list[bytes], int]:
        """The payloads of a frame's packets, and its time in units of 1/90,000 s."""
        assert isinstance(frame, av.VideoFrame)  # noqa: S101 - for the type checker
        if frame.format.name != "yuv420p":
            frame = frame.reformat(format="yuv420p")
        bit_rate = self.target_bitrate
        if self.codec is None or not _fits(self.codec, frame, bit_rate):
            self.codec = _opened(frame.width, frame.height, bit_rate)
        frame.pict_type = PictureType.I if force_keyframe else PictureType.NONE
        [packet] = self.codec.encode(frame)
        self._rate.sent(asked_for_key_frame=force_keyframe)
        packet.pts, packet.time_base = frame.pts, frame.time_base or CLOCK
        return self.pack(packet)


def _fits(codec: av.VideoCodecContext, frame: av.VideoFrame, bit_rate: int) -> bool:
    own = codec.bit_rate or 1
    is_near = FALLEN * own <= bit_rate < GROWN * own
    return is_near and (codec.width, codec.height) == (frame.width, frame.height)


def _opened(width: int, height: int, bit_rate: int) -> av.VideoCodecContext:
    """libvpx without delay, at a constant bit rate."""
    context = av.CodecContext.create("libvpx", "w")
    assert isinstance(context, av.VideoCodecContext)  # noqa: S101 - for the type checker
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.bit_rate, context.gop_size = bit_rate, KEY_FRAME_INTERVAL
    context.framerate, context.time_base = Fraction(30), CLOCK
    context.qmin, context.qmax = QUANTIZERS
    context.thread_count = vpx.number_of_threads(width * height, cpu_count() or 1)
    rate = str(bit_rate)
    context.options = {"minrate": rate, "maxrate": rate, "bufsize": rate, **OPTIONS}
    context.open()
    return context
