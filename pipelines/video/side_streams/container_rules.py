"""What containers can hold, where FFmpeg's muxers accept more than can be read again."""

from typing import Any

import av
from av.container import OutputContainer
from av.format import ContainerFormat, Flags
from av.stream import Stream

MPEG_TS_CODECS = {
    "mpeg1video", "mpeg2video", "mpeg4", "h264", "hevc", "vvc", "cavs", "avs2", "avs3", "dirac",
    "vc1", "jpeg2000", "mp1", "mp2", "mp3", "aac", "aac_latm", "ac3", "eac3", "dts", "truehd",
    "opus", "s302m", "dvb_subtitle", "dvb_teletext", "arib_caption", "hdmv_pgs_subtitle",
}  # fmt: skip
"""Codecs with a stream type in MPEG-TS. FFmpeg writes all others as private data."""

MP4_PCM = {"pcm_s16le", "pcm_s16be"}
"""PCM that all readers of MP4 understand. FFmpeg before 6.1 plays other kinds as noise."""

FLV_EXTENSIONS = {"flac", "opus", "ac3", "eac3"}
"""Audio that FLV got late (Enhanced RTMP 2), and few programs read."""

ATTACHMENTS = {"matroska"}
"""Formats that store attached files. WebM's muxer skips them silently."""


def has_flag(container_format: ContainerFormat, flag: Flags) -> bool:
    """True if FFmpeg's description of the format has this flag."""
    value: Any = flag.value  # an `int`, which PyAV's stub does not tell
    return bool(container_format.flags & value)


def can_hold(format_name: str, stream: Stream) -> bool:
    """False if the container is known not to hold the stream. True: its header will tell."""
    if stream.type == "data":
        return False  # PyAV copies no timed data
    if stream.type == "attachment":
        return format_name in ATTACHMENTS
    context = stream.codec_context
    return context is not None and can_hold_codec(format_name, context.codec.canonical_name)


def refused_codec(output: OutputContainer, encoder: str) -> str | None:
    """The name of the encoder's codec if the container cannot hold it, else `None`."""
    codec = av.Codec(encoder, "w").canonical_name
    try:
        output.add_stream(encoder)
    except ValueError:
        return codec
    return None if can_hold_codec(output.format.name, codec) else codec


def can_hold_codec(format_name: str, codec: str) -> bool:
    """False if no player reads a codec, named as FFmpeg does, in this container."""
    if format_name == "mpegts":
        return codec in MPEG_TS_CODECS
    if format_name == "flv":
        return codec not in FLV_EXTENSIONS
    return format_name != "mp4" or not codec.startswith("pcm_") or codec in MP4_PCM
