"""The side data of a frame that this project reads: the display matrix and closed captions."""

import struct
from fractions import Fraction
from typing import Any, Literal

import av
from av.filter import Graph
from av.sidedata.sidedata import Type

KNOWN_TYPES: Any = list(Type)  # an `Enum`, which PyAV's stub does not tell
UNKNOWN_TYPES = range(max(kind.value for kind in KNOWN_TYPES) + 1, 64)
"""Numbers that FFmpeg may use and PyAV does not know, such as EXIF and the view of MV-HEVC."""

Matrix = tuple[int, int, int, int]


def display_matrix(frame: av.VideoFrame) -> Matrix | None:
    """(a, b, c, d) of the display matrix in 16.16 fixed point, `None` if the frame has none.

    x' = a·x + c·y and y' = b·x + d·y.
    """
    data = _read(frame, "DISPLAYMATRIX")
    if data is None:
        return None
    a, b, _, c, d, *_ = struct.unpack("=9i", data)
    return a, b, c, d


def has_captions(frame: av.VideoFrame) -> bool:
    """True if the frame carries closed captions (CEA-608 or CEA-708)."""
    return _read(frame, "A53_CC") is not None


def _read(frame: av.VideoFrame, kind: Literal["DISPLAYMATRIX", "A53_CC"]) -> bytes | None:
    """The bytes of one kind of side data, `None` if the frame has none."""
    try:
        every: Any = frame.side_data
    except ValueError:  # PyAV cannot list side data of a type that it does not know
        every = _without_unknown_types(frame).side_data
    return next((bytes(item) for item in every if item.type.name == kind), None)


def _without_unknown_types(frame: av.VideoFrame) -> av.VideoFrame:
    """The same picture with side data that PyAV can list. The given frame is left as it is."""
    graph = Graph()
    time_base = frame.time_base or Fraction(1, 25)
    nodes = [graph.add_buffer(width=frame.width, height=frame.height, format=frame.format,
                              time_base=time_base)]  # fmt: skip
    nodes += [graph.add("sidedata", f"mode=delete:type={number}") for number in UNKNOWN_TYPES]
    nodes.append(graph.add("buffersink"))
    graph.link_nodes(*nodes).configure()
    graph.vpush(frame)
    return graph.vpull()
