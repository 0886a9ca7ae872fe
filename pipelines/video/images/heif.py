"""HEIC and AVIF photographs that are grids of tiles, as phones store them, put together.

FFmpeg gives each tile as a stream. The grid is described by the file (ISO 23008-12).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.filter import Graph

from turbolens.filter.errors import MediaError
from turbolens.pipelines.video.boxes import box, boxes, top_level_box

CODED = (b"hvc1", b"hev1", b"av01", b"avc1", b"jpeg", b"vvc1")
TURNS = ((), ("transpose", "cclock"), ("hflip", "", "vflip", ""), ("transpose", "clock"))
"""FFmpeg filters and arguments for quarter turns to the left."""
MIRRORS = (("vflip", ""), ("hflip", ""))  # imir 0: top and bottom change places


@dataclass(frozen=True)
class ImageGrid:
    """A picture made of tiles, row by row, and the filters that turn it upright.

    width, height: of the picture in pixels, before turning; the last tiles may reach beyond it.
    """

    columns: int
    width: int
    height: int
    tiles: tuple[int, ...]
    steps: tuple[tuple[str, str], ...] = ()


def find_grid(path: Path) -> ImageGrid | None:
    """The grid of a HEIC or AVIF file's main picture, `None` if it is not a grid.

    Raises `MediaError` for other derived pictures, such as overlays.
    """
    meta = top_level_box(path, b"meta")[4:]
    if not meta:
        return None
    primary = _number(box(meta, b"pitm")[4:], 4 if box(meta, b"pitm")[:1] == b"\1" else 2)
    kind = _item_types(meta).get(primary)
    if kind is None or kind in CODED:
        return None
    if kind != b"grid":
        raise MediaError(
            f"cannot read {path}: its main picture is of the type {kind.decode('latin-1')!r}, "
            "not a single picture or a grid; save it as JPEG or PNG first"
        )
    description = _item_data(path, meta, primary)
    size = 4 if description[1] & 1 else 2
    return ImageGrid(
        columns=description[3] + 1,
        width=_number(description[4:], size),
        height=_number(description[4 + size :], size),
        tiles=_tiles(meta, primary),
        steps=tuple(_turning(meta, primary)),
    )


def read_grid(container: InputContainer, grid: ImageGrid) -> av.VideoFrame:
    """Decode the tiles and put them together. Raises PyAV's errors, and `KeyError` for a gap."""
    decoded: dict[int, av.VideoFrame] = {}
    for packet in container.demux(*container.streams.video):
        for frame in packet.decode():
            if isinstance(frame, av.VideoFrame):
                decoded.setdefault(packet.stream.id, frame)
    return _joined([decoded[tile] for tile in grid.tiles], grid)


def _joined(tiles: list[av.VideoFrame], grid: ImageGrid) -> av.VideoFrame:
    first = tiles[0]
    graph = Graph()
    buffers = [graph.add_buffer(width=tile.width, height=tile.height, format=tile.format,
                                time_base=Fraction(1, 25)) for tile in tiles]  # fmt: skip
    last = buffers[0]
    if len(tiles) > 1:
        places = (divmod(index, grid.columns) for index in range(len(tiles)))
        layout = "|".join(f"{column * first.width}_{row * first.height}" for row, column in places)
        last = graph.add("xstack", f"inputs={len(tiles)}:layout={layout}")
        for index, buffer in enumerate(buffers):
            buffer.link_to(last, 0, index)
    crop = ("crop", f"{grid.width}:{grid.height}:0:0:exact=1")
    steps = [graph.add(name, args or None) for name, args in (crop, *grid.steps)]
    graph.link_nodes(last, *steps, graph.add("format", first.format.name),
                     graph.add("buffersink")).configure()  # fmt: skip
    for index, tile in enumerate(tiles):
        tile.pts, tile.time_base = 0, Fraction(1, 25)
        graph.vpush(tile, index)
    graph.vpush(None)
    frame = graph.vpull()
    frame.colorspace, frame.color_range = first.colorspace, first.color_range
    frame.color_primaries, frame.color_trc = first.color_primaries, first.color_trc
    return frame


def _number(data: bytes, size: int) -> int:
    return int.from_bytes(data[:size], "big")


def _item_types(meta: bytes) -> dict[int, bytes]:
    """The type of each item (infe of version 2 or 3) by its id."""
    info = box(meta, b"iinf")
    types = {}
    for _, entry in boxes(info[8 if info[:1] != b"\0" else 6 :]):
        size = 4 if entry[:1] == b"\3" else 2
        types[_number(entry[4:], size)] = entry[6 + size : 10 + size]
    return types


def _tiles(meta: bytes, item: int) -> tuple[int, ...]:
    """The ids of the items that a derived item is made of."""
    references = box(meta, b"iref")
    size = 4 if references[:1] == b"\1" else 2
    for kind, content in boxes(references[4:]):
        if kind == b"dimg" and _number(content, size) == item:
            count = _number(content[size:], 2)
            start = size + 2
            return tuple(_number(content[start + size * index :], size) for index in range(count))
    return ()


def _item_data(path: Path, meta: bytes, item: int) -> bytes:
    """The first extent of an item, which lies in the `idat` box or in the file."""
    for found, method, offset, length in _locations(box(meta, b"iloc")):
        if found != item:
            continue
        if method == 1:
            return box(meta, b"idat")[offset : offset + length]
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(length)
    return b""


def _locations(iloc: bytes) -> Iterator[tuple[int, int, int, int]]:
    """(item, construction method, offset, length) of the first extent of each item."""
    version, at = iloc[0], 4
    offset_size, length_size = iloc[at] >> 4, iloc[at] & 15
    base_size, index_size = iloc[at + 1] >> 4, iloc[at + 1] & 15 if version else 0
    wide = 4 if version == 2 else 2
    count, at = _number(iloc[6:], wide), 6 + wide
    for _ in range(count):
        if at >= len(iloc):
            return
        item, at = _number(iloc[at:], wide), at + wide
        method, at = (_number(iloc[at:], 2) & 15, at + 2) if version else (0, at)
        base, at = _number(iloc[at + 2 :], base_size), at + 2 + base_size
        extents, at = _number(iloc[at:], 2), at + 2
        first = at + index_size
        offset = _number(iloc[first:], offset_size)
        yield item, method, base + offset, _number(iloc[first + offset_size :], length_size)
        at += extents * (index_size + offset_size + length_size)


def _turning(meta: bytes, item: int) -> Iterator[tuple[str, str]]:
    """The filters for the item's rotation (irot) and mirroring (imir), in order."""
    properties = list(boxes(box(meta, b"iprp", b"ipco")))
    for index in _property_indices(box(meta, b"iprp", b"ipma"), item):
        kind, content = properties[index - 1] if 0 < index <= len(properties) else (b"", b"")
        if kind == b"irot":
            filters = TURNS[content[0] & 3]
            yield from zip(filters[::2], filters[1::2], strict=True)
        elif kind == b"imir":
            yield MIRRORS[content[0] & 1]


def _property_indices(ipma: bytes, item: int) -> list[int]:
    """The numbers (from 1) of an item's properties."""
    wide, large = 4 if ipma[0] else 2, ipma[3] & 1
    step, mask = (2, 0x7FFF) if large else (1, 0x7F)
    at = 8
    for _ in range(_number(ipma[4:], 4)):
        found, count = _number(ipma[at:], wide), ipma[at + wide]
        at += wide + 1
        if found == item:
            return [_number(ipma[at + step * k :], step) & mask for k in range(count)]
        at += step * count
    return []
