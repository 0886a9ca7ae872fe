"""Encoders for live video: their options for low latency, and an H.264 encoder that is open."""

from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from typing import Literal

import av
from av.codec.hwaccel import HWAccel

from .choice import CODECS, eight_bit_format, encodes

Preset = Literal["medium", "veryfast", "superfast", "ultrafast"]
PRESETS: tuple[Preset, ...] = ("medium", "veryfast", "superfast", "ultrafast")
"""x264's presets for live video, from the best picture to the fastest."""

LOW_LATENCY = {
    "libx264": {"tune": "zerolatency"},
    "libx265": {"tune": "zerolatency"},
    "nvenc": {"tune": "ull", "zerolatency": "1", "rc": "cbr"},
    "videotoolbox": {"realtime": "1"},
    "qsv": {"low_delay_brc": "1", "async_depth": "1"},
    "amf": {"usage": "ultralowlatency"},
    "vaapi": {"async_depth": "1"},
}
"""Options by encoder, or by the hardware part of its name."""

BASELINE = {"nvenc": "baseline", "videotoolbox": "baseline", "qsv": "baseline"}
"""The profile that every WebRTC peer decodes, by the hardware part; others have another name."""

IDR = {"nvenc": {"forced-idr": "1"}, "qsv": {"forced_idr": "1"}, "amf": {"forced_idr": "1"}}
"""Options that turn a requested key frame into one at which a decoder can begin."""

CLOCK = Fraction(1, 90_000)
BUFFER_SECONDS = 0.15
"""How long the largest frame of libx264 takes at its bit rate. A key frame as large as many others
keeps a narrow line busy, and everything behind it is late."""

KEY_FRAME_INTERVAL = 3000  # frames; viewers who join ask for a key frame


def low_latency_options(encoder: str) -> dict[str, str]:
    """The options of an encoder for low latency; empty for one that has none."""
    return LOW_LATENCY.get(encoder.partition("_")[2] or encoder, {})


@cache
def live_hardware_encoder() -> str | None:
    """The H.264 hardware encoder for live video, `None` without one.

    Each candidate of `turbolens video --hardware`, and VAAPI, has to encode a frame first.
    """
    return next(_working((*CODECS["h264"].hardware, "h264_vaapi")), None)


def _working(names: tuple[str, ...]) -> Iterator[str]:
    return (name for name in names if encodes(name, hardware=_device(name)))


def open_live_h264(
    encoder: str, *, width: int, height: int, bit_rate: int, preset: Preset = "medium"
) -> av.VideoCodecContext:
    """An open H.264 encoder without delay. Raises FFmpeg's errors.

    encoder: "libx264", or what `live_hardware_encoder` returned. bit_rate: bits per second; that of
    libx264 can be lowered, and raised again up to the first one, by setting it in the context.
    preset: of libx264.
    """
    context = av.CodecContext.create(encoder, "w", hwaccel=_device(encoder))
    assert isinstance(context, av.VideoCodecContext)  # noqa: S101 - for the type checker
    context.width, context.height = width, height
    context.pix_fmt = eight_bit_format(encoder)
    context.bit_rate, context.gop_size = bit_rate, KEY_FRAME_INTERVAL
    context.framerate, context.time_base = Fraction(30), CLOCK
    context.options = _options(encoder, preset, bit_rate)
    context.open()
    return context


def _options(encoder: str, preset: Preset, bit_rate: int) -> dict[str, str]:
    options = {**low_latency_options(encoder), "bf": "0", "maxrate": str(bit_rate)}
    if encoder == "libx264":
        buffer = round(bit_rate * BUFFER_SECONDS)
        return {**options, "preset": preset, "profile": "baseline", "bufsize": str(buffer)}
    interface = encoder.partition("_")[2]
    profile = BASELINE.get(interface, "constrained_baseline")
    return {**options, "profile": profile, **IDR.get(interface, {})}


def _device(encoder: str) -> HWAccel | None:
    """The device that frames are uploaded to; most encoders do that by themselves."""
    return HWAccel("vaapi") if encoder.endswith("_vaapi") else None
