"""`LiveH264Encoder`: aiortc's H.264 encoder on hardware, or with a preset that is fast enough."""

import logging
from collections.abc import Callable, Iterator
from time import monotonic, perf_counter

import av
from aiortc.codecs import h264
from aiortc.codecs.h264 import H264Encoder
from av.video.frame import PictureType

from turbolens.pipelines.statistics import Clock
from turbolens.pipelines.video.encoders.live import (
    PRESETS,
    Preset,
    live_hardware_encoder,
    open_live_h264,
)

from .bit_rate import GrowingBitRate, SetByReceiver

logger = logging.getLogger(__name__)

SOFTWARE = "libx264"
BUDGET_SECONDS = 0.008  # of a processor's time for one frame: a quarter of it at 30 per second
MEASURED_FRAMES = 15  # before a faster preset is tried
FIRST_PRESETS: tuple[tuple[int, Preset], ...] = ((640 * 512, "medium"), (1280 * 720, "veryfast"))
"""The largest number of pixels that each preset begins with; above them it is the fastest."""
LEAST = 150_000  # bits per second
CHANGED_BIT_RATE = 0.1  # by which the bit rate must change for another one, as in aiortc


class PresetChoice:
    """x264's preset: the first one by the size of the frames, a faster one if that is too slow."""

    def __init__(self, pixels: int) -> None:
        fitting = (preset for most, preset in FIRST_PRESETS if pixels <= most)
        self.preset: Preset = next(fitting, PRESETS[-1])
        self._seconds: list[float] = []

    def note(self, seconds: float) -> bool:
        """Add the time of a frame. True if `preset` has changed."""
        self._seconds.append(seconds)
        if len(self._seconds) < MEASURED_FRAMES:
            return False
        usual = sorted(self._seconds)[MEASURED_FRAMES // 2]
        self._seconds.clear()
        index = PRESETS.index(self.preset)
        if usual <= BUDGET_SECONDS or index + 1 == len(PRESETS):
            return False
        self.preset = PRESETS[index + 1]
        return True


class LiveH264Encoder(SetByReceiver, H264Encoder):
    """Replaces how aiortc encodes a frame: with libx264 at its preset "medium", level 3.1.

    That takes 14 ms and more for a frame of 1920×1080. A hardware encoder that fails is replaced by
    libx264 for the rest of the stream. The bit rate starts low. libx264 changes it without a key
    frame, whose bits would fill a narrow line.
    """

    def __init__(
        self,
        hardware: Callable[[], str | None] = live_hardware_encoder,
        clock: Clock = perf_counter,
        rate_clock: Clock = monotonic,
    ) -> None:
        self._rate = GrowingBitRate(
            lambda: min(LEAST, h264.MAX_BITRATE), lambda: h264.MAX_BITRATE, rate_clock
        )
        super().__init__()
        self._hardware, self._clock = hardware, clock
        self._encoder: str | None = None
        self._presets: PresetChoice | None = None
        self._most_bits = 0  # per second: the bit rate that libx264 was opened with
        self.codec: av.VideoCodecContext | None = None

    @property
    def encoder(self) -> str | None:
        """The name of the encoder in use, `None` before the first frame."""
        return self._encoder

    @property
    def preset(self) -> Preset | None:
        """The preset of libx264, `None` before the first frame."""
        return None if self._presets is None else self._presets.preset

    def _encode_frame(self, frame: av.VideoFrame, force_keyframe: bool) -> Iterator[bytes]:
        """The NAL units of a frame."""
        frame.pict_type = PictureType.I if force_keyframe else PictureType.NONE
        began = self._clock()
        data = self._encoded(frame)
        self._rate.sent(asked_for_key_frame=force_keyframe)
        if self._is_too_slow(self._clock() - began):
            self.codec = None  # the next frame opens it with the faster preset
        return self._split_bitstream(data)

    def _is_too_slow(self, seconds: float) -> bool:
        if self._encoder != SOFTWARE or self._presets is None:
            return False
        return self._presets.note(seconds)

    def _encoded(self, frame: av.VideoFrame) -> bytes:
        try:
            return self._encode(frame)
        except (av.FFmpegError, OSError, ValueError) as error:
            if self._encoder == SOFTWARE:
                raise
            logger.warning("%s has failed (%s), %s goes on", self._encoder, error, SOFTWARE)
            self._encoder, self.codec = SOFTWARE, None
            return self._encode(frame)

    def _encode(self, frame: av.VideoFrame) -> bytes:
        bit_rate = self.target_bitrate
        if self.codec is None or not self._fits(self.codec, frame, bit_rate):
            self.codec = self._opened(frame, bit_rate)
        if self._encoder == SOFTWARE and _differs(self.codec, bit_rate):
            self.codec.bit_rate = bit_rate
        return b"".join(bytes(packet) for packet in self.codec.encode(frame))

    def _fits(self, codec: av.VideoCodecContext, frame: av.VideoFrame, bit_rate: int) -> bool:
        if (codec.width, codec.height) != (frame.width, frame.height):
            return False
        if self._encoder == SOFTWARE:
            return self._most_bits == h264.MAX_BITRATE
        return not _differs(codec, bit_rate)

    def _opened(self, frame: av.VideoFrame, bit_rate: int) -> av.VideoCodecContext:
        """An encoder for frames like this one. libx264 follows any bit rate up to its first."""
        self._encoder = self._encoder or self._hardware() or SOFTWARE
        if self._size_changed(frame):
            self._presets = PresetChoice(frame.width * frame.height)
        self._most_bits = h264.MAX_BITRATE
        first = self._most_bits if self._encoder == SOFTWARE else bit_rate
        return open_live_h264(
            self._encoder, width=frame.width, height=frame.height, bit_rate=first,
            preset=self.preset or PRESETS[-1],
        )  # fmt: skip

    def _size_changed(self, frame: av.VideoFrame) -> bool:
        if self._presets is None or self.codec is None:
            return self._presets is None
        return (self.codec.width, self.codec.height) != (frame.width, frame.height)


def _differs(codec: av.VideoCodecContext, bit_rate: int) -> bool:
    bits = codec.bit_rate or 1
    return abs(bit_rate - bits) / bits > CHANGED_BIT_RATE
