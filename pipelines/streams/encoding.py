"""How the video of a live stream is encoded: steady bit rate, low latency, no B-frames."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from turbolens.pipelines.video.encoders.choice import EncoderChoice, choose_encoder
from turbolens.pipelines.video.encoders.live import low_latency_options

BITS_PER_PIXEL = 0.1  # of a filtered frame, which has more edges than a camera's
KEPT_OPTIONS = ("preset", "x265-params")  # of the options for files


@dataclass(frozen=True)
class StreamEncoding:
    """What the user chooses.

    bit_rate: bits per second, `None` to choose by size and rate. keyframe_interval: seconds, the
    longest wait of a viewer who joins. preset: the encoder's speed, `None` for one that leaves the
    CPU to the filter.
    """

    codec: Literal["h264", "hevc"] = "h264"
    bit_rate: int | None = None
    keyframe_interval: Fraction = Fraction(2)
    preset: str | None = None
    hardware: bool = False


def live_encoder(encoding: StreamEncoding, rate: Fraction, *, pixels: int) -> EncoderChoice:
    """The encoder and its options, for `rate` frames per second of so many pixels.

    Raises `MediaError` if no hardware encoder works.
    """
    preset = encoding.preset or (None if encoding.hardware else "veryfast")
    choice = choose_encoder(encoding.codec, crf=None, preset=preset, hardware=encoding.hardware)
    bits = encoding.bit_rate or round(BITS_PER_PIXEL * pixels * rate)
    options = {name: value for name, value in choice.options.items() if name in KEPT_OPTIONS}
    options |= {
        "b": str(bits), "maxrate": str(bits), "bufsize": str(bits), "bf": "0",
        "g": str(max(1, round(encoding.keyframe_interval * rate))),
    }  # fmt: skip
    options |= low_latency_options(choice.encoder)
    return EncoderChoice(choice.codec, choice.encoder, options)
