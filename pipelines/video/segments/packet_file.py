"""Encoded packets with exact times, flags and side data, as records in a file or in memory.

Containers of FFmpeg round times (Matroska), reorder headers (MP4) or drop side data. Each record
is a header of fixed size, the side data and the payload. All numbers are little-endian.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
from av.packet import PacketSideData, packet_sidedata_type_from_literal

from turbolens.filter.errors import MediaError

from .durable import sync_folder

MAGIC = b"TLPKT1\n"
HEADER = struct.Struct("<qqqIIBBI")
"""pts, dts, duration, time base (two numbers), key frame, number of side data, size."""
SIDE_DATA = struct.Struct("<BI")
"""Length of the type's name, size."""
UNKNOWN = -(2**63)
NOT_KEPT = {"quality_stats"}
"""Side data that no muxer writes."""
CHUNK = 1 << 20


@dataclass(frozen=True)
class Checksum:
    """Size in bytes and CRC-32 of a file."""

    size: int
    crc32: int


class PacketFileWriter:
    """Writes packets to a temporary file, which gets its name by `complete`."""

    def __init__(self, path: Path) -> None:
        self._path, self._temporary = path, path.with_name(path.name + ".tmp")
        self._file: BinaryIO = self._temporary.open("wb")
        self._size = self._crc32 = 0
        self._write(MAGIC)

    def _write(self, content: bytes) -> None:
        self._file.write(content)
        self._size += len(content)
        self._crc32 = zlib.crc32(content, self._crc32)

    def write(self, packet: Any) -> None:
        """Append a packet."""
        self._write(packet_record(packet))

    def complete(self) -> Checksum:
        """Give the file its name once its contents are on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._temporary.replace(self._path)
        sync_folder(self._path.parent)
        return Checksum(self._size, self._crc32)

    def discard(self) -> None:
        """Remove the unfinished file."""
        with suppress(OSError):  # a full disk; nothing of the file is wanted
            self._file.close()
        self._temporary.unlink(missing_ok=True)


class PacketBuffer:
    """The contents of such a file in memory."""

    def __init__(self) -> None:
        self._records = [MAGIC]

    def write(self, packet: Any) -> None:
        """Append a packet."""
        self._records.append(packet_record(packet))

    @property
    def content(self) -> bytes:
        """All bytes."""
        return b"".join(self._records)


def checksum_of(path: Path) -> Checksum:
    """The size and CRC-32 of a file, which is read for it."""
    size = crc32 = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            size, crc32 = size + len(chunk), zlib.crc32(chunk, crc32)
    return Checksum(size, crc32)


def packet_record(packet: Any) -> bytes:
    """A packet as bytes, which `packets_in` reads."""
    payload, side_data = bytes(packet), _side_data_of(packet)
    time_base = Fraction(packet.time_base)
    header = HEADER.pack(
        _or_unknown(packet.pts), _or_unknown(packet.dts), packet.duration or 0,
        time_base.numerator, time_base.denominator, bool(packet.is_keyframe),
        len(side_data), len(payload),
    )  # fmt: skip
    listed = (SIDE_DATA.pack(len(name), len(content)) + name.encode() + content
              for name, content in side_data)  # fmt: skip
    return b"".join((header, *listed, payload))


def read_packets(path: Path) -> Iterator[Any]:
    """The packets of a file, one in memory at a time. Raises `MediaError` if it is cut short."""
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise MediaError(f"{path} is not a finished segment; use --no-resume to begin anew")
        yield from packets_in(file, path)


def packets_in(file: BinaryIO, name: object) -> Iterator[Any]:
    """The packets of these records. name: for the `MediaError` if the last one is cut short."""
    while header := file.read(HEADER.size):
        yield _packet(file, header, name)


def _packet(file: BinaryIO, header: bytes, name: object) -> Any:
    try:
        pts, dts, duration, numerator, denominator, key, count, size = HEADER.unpack(header)
        side_data = [_read_side_data(file) for _ in range(count)]
    except struct.error as error:
        raise MediaError(f"{name} is cut short; use --no-resume to begin anew") from error
    payload = file.read(size)
    if len(payload) != size:
        raise MediaError(f"{name} is cut short; use --no-resume to begin anew")
    packet: Any = av.Packet(size)  # with the padding that decoders need; `Packet(bytes)` has none
    if size:
        packet.update(payload)
    packet.pts, packet.dts = (None if time == UNKNOWN else time for time in (pts, dts))
    packet.duration, packet.time_base = duration, Fraction(numerator, denominator)
    packet.is_keyframe = bool(key)
    for each in side_data:
        packet.set_sidedata(each)
    return packet


def _side_data_of(packet: Any) -> list[tuple[str, bytes]]:
    return [(each.data_type, bytes(each)) for each in packet.iter_sidedata()
            if each.data_type not in NOT_KEPT]  # fmt: skip


def _read_side_data(file: BinaryIO) -> PacketSideData:
    length, size = SIDE_DATA.unpack(file.read(SIDE_DATA.size))
    name: Any = file.read(length).decode()
    make: Any = PacketSideData  # its constructor is missing from PyAV's stub
    data: PacketSideData = make(packet_sidedata_type_from_literal(name), size)
    data.update(file.read(size))
    return data


def _or_unknown(time: int | None) -> int:
    return UNKNOWN if time is None else time
