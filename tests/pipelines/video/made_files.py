"""Files that no encoder here writes: bytes put into files that FFmpeg made."""

import struct
import subprocess
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

Edit = Callable[[bytes], bytes]
PICTURE_CODE = b"\0\0\1\xb6"  # begins each picture of MPEG-4 part 2
EMPTY_PICTURE = PICTURE_CODE + b"\x51\x40\0"


def ffmpeg(folder: Path, *arguments: str) -> None:
    """Run the program `ffmpeg` in a folder."""
    command = ["ffmpeg", "-v", "error", "-y", *arguments]
    subprocess.run(command, cwd=folder, check=True, timeout=60)  # noqa: S603


def with_exif(jpeg: bytes, orientation: int) -> bytes:
    """A JPEG with an EXIF orientation, 1…8, as cameras write it."""
    entry = struct.pack("<HHIHH", 0x112, 3, 1, orientation, 0)
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


def box(kind: bytes, *content: bytes) -> bytes:
    """A box of an ISO media file."""
    return struct.pack(">I4s", 8 + sum(map(len, content)), kind) + b"".join(content)


def full_box(kind: bytes, version: int, *content: bytes) -> bytes:
    """A box with a version and no flags."""
    return box(kind, struct.pack(">I", version << 24), *content)


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(kind, content) of each box."""
    at = 0
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        yield kind, data[at + 8 : at + size]
        at += size


def edited(data: bytes, path: list[bytes], edit: Edit, skipped: int = 0) -> bytes:
    """The boxes in `data` with the content of the first box along `path` changed."""
    start, result = data[:skipped], b""
    for kind, content in boxes(data[skipped:]):
        if path and kind == path[0]:
            skip = 8 if kind == b"stsd" else 0
            inner = edited(content, path[1:], edit, skip) if path[1:] else edit(content)
            result += box(kind, inner)
        else:
            result += box(kind, content)
    return start + result


def with_clean_aperture(mp4: bytes, *, width: int, height: int) -> bytes:
    """An MP4 of H.264 whose `clap` box shows the middle, or for an odd rest one pixel beside it."""
    values = [width, 1, height, 1, 0, 1, 0, 1]
    aperture = box(b"clap", struct.pack(">8i", *values))
    path = [b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1"]
    return edited(mp4, path, lambda content: content + aperture)


def with_element(matroska: bytes, path: list[bytes], addition: bytes) -> bytes:
    """A Matroska file with an element added to the one that a path of ids names."""
    result, at = b"", 0
    while at < len(matroska):
        id_length = 9 - matroska[at].bit_length()
        identity = matroska[at : at + id_length]
        at += id_length
        length = 9 - matroska[at].bit_length()
        size = int.from_bytes(matroska[at : at + length], "big") & ((1 << 7 * length) - 1)
        content = matroska[at + length : at + length + size]
        at += length + size
        if path and identity == path[0]:
            content = with_element(content, path[1:], addition) if path[1:] else content + addition
        result += identity + (len(content) | 1 << 56).to_bytes(8, "big") + content
    return result


def hevc_tile(colour: tuple[int, int, int], size: int = 64) -> tuple[bytes, bytes]:
    """(configuration box, packet) of a picture of one colour."""
    file = _encoded(colour, size)
    at = file.index(b"hvcC") - 4
    length = struct.unpack(">I", file[at : at + 4])[0]
    packet = next(content for kind, content in boxes(file) if kind == b"mdat")
    return file[at : at + length], packet


def _encoded(colour: tuple[int, int, int], size: int) -> bytes:
    import io  # noqa: PLC0415 - only here

    file = io.BytesIO()
    options = {"x265-params": "log-level=none:keyint=1", "crf": "10"}
    with av.open(file, "w", format="mp4") as output:
        video: Any = output.add_stream("libx265", rate=25, options=options, width=size, height=size)
        video.pix_fmt, video.codec_context.codec_tag = "yuv420p", "hvc1"
        pixels = np.full((size, size, 3), colour, np.uint8)
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        output.mux([*video.encode(frame), *video.encode(None)])
    return file.getvalue()


def heic_grid(
    colours: list[tuple[int, int, int]], *, columns: int, size: tuple[int, int], turns: int = 0
) -> bytes:
    """A HEIC photograph of tiles of 64×64, cut to `size` and turned to the left `turns` times."""
    tiles = [hevc_tile(colour) for colour in colours]
    start = box(b"ftyp", b"heic", bytes(4), b"mif1heic")
    meta = _grid_meta(tiles, columns, size, turns, at=0)
    at = len(start) + len(meta) + 8
    packets = [packet for _, packet in tiles]
    return start + _grid_meta(tiles, columns, size, turns, at) + box(b"mdat", *packets)


def _grid_meta(
    tiles: list[tuple[bytes, bytes]], columns: int, size: tuple[int, int], turns: int, at: int
) -> bytes:
    grid, rows = len(tiles) + 1, len(tiles) // columns
    locations = b""
    for number, (_, packet) in enumerate(tiles, 1):
        locations += struct.pack(">HHHHII", number, 0, 0, 1, at, len(packet))
        at += len(packet)
    locations += struct.pack(">HHHHII", grid, 1, 0, 1, 0, 8)
    entries = [full_box(b"infe", 2, struct.pack(">HH4s", number, 0, b"hvc1"), b"\0")
               for number in range(1, grid)]  # fmt: skip
    entries.append(full_box(b"infe", 2, struct.pack(">HH4s", grid, 0, b"grid"), b"\0"))
    sizes = [full_box(b"ispe", 0, struct.pack(">II", *pair)) for pair in ((64, 64), size)]
    of_tiles = b"".join(struct.pack(">HBBB", number, 2, 0x81, 2) for number in range(1, grid))
    return full_box(
        b"meta", 0,
        full_box(b"hdlr", 0, struct.pack(">I4s12x", 0, b"pict"), b"\0"),
        full_box(b"pitm", 0, struct.pack(">H", grid)),
        full_box(b"iloc", 1, struct.pack(">BBH", 0x44, 0, grid), locations),
        full_box(b"iinf", 0, struct.pack(">H", grid), *entries),
        full_box(b"iref", 0, box(b"dimg", struct.pack(f">{grid + 1}H", grid, *_counted(grid)))),
        box(b"iprp", box(b"ipco", tiles[0][0], *sizes, box(b"irot", bytes([turns]))),
            full_box(b"ipma", 0, struct.pack(">I", grid), of_tiles,
                     struct.pack(">HBBB", grid, 2, 3, 4))),
        box(b"idat", struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, *size)),
    )  # fmt: skip


def _counted(grid: int) -> list[int]:
    return [grid - 1, *range(1, grid)]


def packed_bitstream(source: Path, target: Path) -> Path:
    """DivX's packed bitstream: a packet has a picture and the B-picture after it.

    An empty packet follows, so that there are as many packets as pictures. The name of the encoder
    in the stream marks it.
    """
    with av.open(str(source)) as before, av.open(str(target), "w") as after:
        video: Any = before.streams.video[0]
        copy: Any = after.add_stream_from_template(video, opaque=True)
        pictures = [bytes(packet) for packet in before.demux(video) if packet.size]
        packets: list[bytes] = []
        for picture in pictures:
            is_b = picture[picture.index(PICTURE_CODE) + 4] >> 6 == 2
            if is_b and packets[-1] != EMPTY_PICTURE:
                packets[-1:] = [packets[-1] + picture, EMPTY_PICTURE]
            elif is_b:
                packets[-1:] = [picture, EMPTY_PICTURE]
            else:
                packets.append(picture)
        packets[0] = packets[0].replace(PICTURE_CODE, b"\0\0\1\xb2DivX503b1393p" + PICTURE_CODE, 1)
        for index, data in enumerate(packets):
            packet: Any = av.Packet(data)
            packet.stream, packet.time_base = copy, Fraction(1, 25)
            packet.pts = packet.dts = index
            packet.is_keyframe = data[data.index(PICTURE_CODE) + 4] >> 6 == 0
            after.mux(packet)
    return target
