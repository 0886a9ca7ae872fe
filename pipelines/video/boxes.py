"""The boxes of ISO media files (MP4, MOV, HEIC, AVIF) and the elements of Matroska, as bytes.

For the few fields that PyAV does not expose. Only headers are read, never the media data.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

MAX_HEADER = 64 << 20  # bytes; a longer header is not read
EBML_MASTERS = (b"\x18\x53\x80\x67", b"\x16\x54\xae\x6b")  # Segment, Tracks


def top_level_box(path: Path, kind: bytes) -> bytes:
    """The content of the first top-level box of this kind, empty if there is none."""
    with path.open("rb") as file:
        while len(header := file.read(8)) == 8:
            size, found = int.from_bytes(header[:4], "big"), header[4:]
            read = 8
            if size == 1:
                size, read = int.from_bytes(file.read(8), "big"), 16
            if found == kind:
                return _read(file, size - read if size else MAX_HEADER)
            if size < read:
                break  # 0: the box reaches to the end of the file
            file.seek(size - read, 1)
    return b""


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(kind, content) of each box in the content of another. Ends at the first damaged one."""
    at = 0
    while at + 8 <= len(data):
        size, kind, read = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], 8
        if size == 1:
            size, read = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        size = size or len(data) - at
        if size < read or at + size > len(data):
            return
        yield kind, data[at + read : at + size]
        at += size


def box(data: bytes, *kinds: bytes) -> bytes:
    """The content of the first box along a path of kinds, empty if there is none."""
    for kind in kinds:
        data = next((content for found, content in boxes(data) if found == kind), b"")
    return data


def matroska_tracks(path: Path) -> bytes:
    """The content of a Matroska file's Tracks element, empty if there is none before the media."""
    segment, tracks = EBML_MASTERS
    with path.open("rb") as file:
        while element := _element_header(file):
            identity, size = element
            if identity == tracks:
                return _read(file, size)
            if identity != segment:
                file.seek(size, 1)
    return b""


def elements(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(id, content) of each EBML element in the content of another."""
    at = 0
    while at + 2 <= len(data):
        id_length = _vint_length(data[at])
        size_at = at + id_length
        if not id_length or size_at >= len(data) or not (length := _vint_length(data[size_at])):
            return
        size = _vint(data[size_at : size_at + length])
        start = size_at + length
        yield data[at:size_at], data[start : start + size]
        at = start + size


def _read(file: BinaryIO, size: int) -> bytes:
    return file.read(size) if size <= MAX_HEADER else b""


def _element_header(file: BinaryIO) -> tuple[bytes, int] | None:
    first = file.read(1)
    if not first or not (length := _vint_length(first[0])):
        return None
    identity = first + file.read(length - 1)
    first = file.read(1)
    if not first or not (length := _vint_length(first[0])):
        return None
    return identity, _vint(first + file.read(length - 1))


def _vint_length(first: int) -> int:
    """The length in bytes of an EBML number by its first byte; 0 if that is damaged."""
    return 9 - first.bit_length() if first else 0


def _vint(data: bytes) -> int:
    return int.from_bytes(data, "big") & ((1 << 7 * len(data)) - 1)
