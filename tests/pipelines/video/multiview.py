"""A multiview HEVC file, as phones record spatial video: a second view in a layer of its own.

The second view has the slices of the first one. Its layer is announced by the extension of the
video parameter set (ITU-T H.265, F.7.3.2.1), so that FFmpeg tells the view of each frame.
"""

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import av

from .ffmpeg import VIDEO, ffmpeg

VPS, SPS, PPS = 32, 33, 34
WIDTH, HEIGHT = 64, 48  # of VIDEO
HEADER = 22  # bytes of `hvcC` before the number of arrays
PROFILE = slice(4, 16)  # profile, tier and level in a video parameter set, without its header


class BitWriter:
    """Bits, most significant first."""

    def __init__(self) -> None:
        self._bits = ""

    def fixed(self, *fields: tuple[int, int]) -> None:
        """Write numbers: value and number of bits."""
        self._bits += "".join(f"{value:0{bits}b}" for value, bits in fields)

    def golomb(self, *values: int) -> None:
        """Write numbers as unsigned exponential Golomb codes."""
        for value in values:
            digits = f"{value + 1:b}"
            self._bits += "0" * (len(digits) - 1) + digits

    def align(self, bit: str) -> None:
        """Fill up the byte."""
        self._bits += bit * (-len(self._bits) % 8)

    def payload(self) -> bytes:
        """The bytes, ended and with emulation prevention."""
        self.fixed((1, 1))
        self.align("0")
        plain = int(self._bits, 2).to_bytes(len(self._bits) // 8, "big")
        escaped = bytearray()
        for byte in plain:
            if escaped[-2:] == b"\0\0" and byte <= 3:
                escaped.append(3)
            escaped.append(byte)
        return bytes(escaped)


def write_multiview(path: Path) -> Path:
    """Write the clip VIDEO in two views."""
    single = ffmpeg(
        path.with_name("single.mp4"), *VIDEO, "-c:v", "libx265",
        "-x265-params", "log-level=none:repeat-headers=1",
    )  # fmt: skip
    with av.open(str(single)) as source, av.open(str(path), "w") as output:
        video: Any = source.streams.video[0]
        packets = [packet for packet in source.demux(video) if packet.size]
        sets = {kind_of(unit): unit for unit in units_of(bytes(packets[0]))}
        sets[VPS] = two_layers(sets[VPS])
        copy: Any = output.add_stream_from_template(video, opaque=True)
        header = bytes(video.codec_context.extradata)[:HEADER]
        copy.codec_context.extradata = header + b"\3" + b"".join(
            bytes([0x80 | kind]) + struct.pack(">HH", 1, len(sets[kind])) + sets[kind]
            for kind in (VPS, SPS, PPS)
        )  # fmt: skip
        for packet in packets:
            units = layered(units_of(bytes(packet)), sets[VPS])
            both = av.Packet(b"".join(struct.pack(">I", len(unit)) + unit for unit in units))
            both.stream, both.time_base = copy, packet.time_base
            both.pts, both.dts, both.duration = packet.pts, packet.dts, packet.duration
            both.is_keyframe = packet.is_keyframe
            output.mux(both)
    return path


def kind_of(unit: bytes) -> int:
    return unit[0] >> 1 & 63


def units_of(packet: bytes) -> Iterable[bytes]:
    """The NAL units of a packet of MP4, each after its length."""
    start = 0
    while start < len(packet):
        (length,) = struct.unpack_from(">I", packet, start)
        yield packet[start + 4 : start + 4 + length]
        start += 4 + length


def in_layer_1(unit: bytes) -> bytes:
    return bytes([unit[0] & 0xFE, 1 << 3 | unit[1] & 7]) + unit[2:]


def layered(units: Iterable[bytes], video_set: bytes) -> list[bytes]:
    """The units of one picture in two layers, with this video parameter set."""
    sets, slices = [], []
    for unit in units:
        if kind_of(unit) < VPS:
            slices.append(unit)
        elif kind_of(unit) in (SPS, PPS):
            sets += [unit, in_layer_1(unit)]
    first = [video_set, *sets] if sets else []
    return [*first, *slices, *map(in_layer_1, slices)]


def two_layers(single: bytes) -> bytes:
    """A video parameter set of two views, with the profile of this one."""
    profile = single[2:].replace(b"\0\0\3", b"\0\0")[PROFILE]
    bits = BitWriter()
    bits.fixed((0, 4), (3, 2), (1, 6), (0, 3), (1, 1), (0xFFFF, 16))  # 2 layers of 1 sub-layer
    bits.fixed(*((byte, 8) for byte in profile), (1, 1))
    bits.golomb(4, 2, 0)  # size of the buffer, reordered pictures, latency
    bits.fixed((1, 6))  # the highest layer
    bits.golomb(1)
    bits.fixed((3, 2), (0, 1), (1, 1))  # a set of both layers, no timing, an extension
    bits.align("1")
    bits.fixed((profile[-1], 8), (0, 1), (1 << 14, 16))  # level; the layers are views
    bits.fixed((0, 3), (0, 1), (1, 1), (1, 4), (0, 1), (1, 1))  # the views are 0 and 1
    bits.fixed((1, 1), (0, 1), (0, 1), (1, 1))  # view 1 depends on view 0
    bits.golomb(1, 0)
    bits.fixed((0, 2), (1, 1), (1, 1))  # both layers are output, with the profile above
    bits.golomb(0)
    bits.fixed((WIDTH, 16), (HEIGHT, 16), (1, 1), (1, 2), (0, 4), (0, 4), (0, 1))  # 4:2:0, 8 bits
    bits.fixed((1, 1), (1, 1), (0, 1))
    bits.golomb(4, 4, 2, 0, 0)  # size of the buffer of each layer
    bits.fixed((1, 1), (2, 2))
    bits.golomb(0)
    bits.fixed((0, 1), (0, 1))
    return single[:2] + bits.payload()
