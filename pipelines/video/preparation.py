"""Frames as they should be seen: deinterlaced, upright, and in standard dynamic range."""

import struct
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any, TypeAlias

import av
from av.filter import Graph

from turbolens.filter.errors import MediaError
from turbolens.pipelines.base import Notify

Step: TypeAlias = tuple[str, str]
"""An FFmpeg filter and its arguments."""

HIGH_DYNAMIC_RANGE = {16: "PQ (HDR10)", 18: "HLG"}  # AVCOL_TRC_SMPTE2084, AVCOL_TRC_ARIB_STD_B67
UNKNOWN_PRIMARIES, UNKNOWN_MATRIX = (0, 2), 2

ROTATIONS: dict[tuple[int, int, int, int], list[Step]] = {
    (1, 0, 0, 1): [],
    (-1, 0, 0, 1): [("hflip", "")],
    (1, 0, 0, -1): [("vflip", "")],
    (-1, 0, 0, -1): [("hflip", ""), ("vflip", "")],
    (0, 1, -1, 0): [("transpose", "clock")],
    (0, -1, 1, 0): [("transpose", "cclock")],
    (0, 1, 1, 0): [("transpose", "cclock_flip")],
    (0, -1, -1, 0): [("transpose", "clock_flip")],
}
"""By the signs of the display matrix (a, b, c, d), where x' = a·x + c·y and y' = b·x + d·y."""


class FramePreparation:
    """Passes frames through the FFmpeg filters that they need: one frame out for each frame in.

    `pts` stays exact. Frames that need no filter are passed on as they are.
    """

    def __init__(self, notify: Notify) -> None:
        self._notify = notify
        self._graph: Graph | None = None
        self._graph_input: tuple[object, ...] = ()
        self._time_base = Fraction(1)
        self._interlaced = False
        self._rotation: list[Step] | None = None
        self._notices: set[str] = set()

    def push(self, frame: av.VideoFrame) -> Iterator[av.VideoFrame]:
        """Add a frame. Gives the frames that are ready."""
        self._interlaced = self._interlaced or frame.interlaced_frame
        if self._rotation is None:
            self._rotation = _rotation_of(frame)
        graph_input = (
            frame.width, frame.height, frame.format.name, frame.color_trc, self._interlaced
        )  # fmt: skip
        if graph_input != self._graph_input:
            yield from self.flush()
            self._graph_input, self._graph = graph_input, self._build(frame)
        if self._graph is None:
            yield frame
            return
        self._time_base = Fraction(frame.time_base or 1)
        self._graph.vpush(frame)
        yield from self._pull(self._graph)

    def flush(self) -> Iterator[av.VideoFrame]:
        """The frames that the deinterlacer still holds."""
        graph, self._graph, self._graph_input = self._graph, None, ()
        if graph is not None:
            graph.vpush(None)
            yield from self._pull(graph)

    def _pull(self, graph: Graph) -> Iterator[av.VideoFrame]:
        """The finished frames, in the time base of the frames that were pushed."""
        while True:
            try:
                frame = graph.vpull()
            except (av.BlockingIOError, av.EOFError):
                return
            scale = Fraction(frame.time_base or 1) / self._time_base
            if frame.pts is not None:
                frame.pts = round(frame.pts * scale)
            frame.duration = round(frame.duration * scale)
            frame.time_base = self._time_base
            yield frame

    def _build(self, frame: av.VideoFrame) -> Graph | None:
        steps: list[Step] = []
        if self._interlaced:
            self._notify_once("interlaced: deinterlaced, one frame for each frame")
            steps += [("bwdif", "mode=send_frame:deint=interlaced"), ("format", frame.format.name)]
        if self._rotation:
            self._notify_once("rotated: the picture is turned upright")
            steps += [*self._rotation, ("format", frame.format.name)]
        if frame.color_trc in HIGH_DYNAMIC_RANGE:
            name = HIGH_DYNAMIC_RANGE[frame.color_trc]
            self._notify_once(f"{name}: tone-mapped to standard dynamic range, BT.709")
            steps += _tone_mapping(frame)
        return _graph(frame, steps) if steps else None

    def _notify_once(self, text: str) -> None:
        if text not in self._notices:
            self._notices.add(text)
            self._notify(text)

    @property
    def swaps_sides(self) -> bool:
        """True if the rotation exchanges width and height. Known after the first frame."""
        return bool(self._rotation) and self._rotation[0][0] == "transpose"  # type: ignore[index]


def _rotation_of(frame: av.VideoFrame) -> list[Step]:
    """The filters for the frame's display matrix: quarter turns and mirrors."""
    every: Iterable[Any] = frame.side_data  # a dict in PyAV's stub, but in fact a sequence
    for side_data in every:
        if side_data.type.name == "DISPLAYMATRIX":
            a, b, _, c, d, *_ = struct.unpack("=9i", bytes(side_data))
            return ROTATIONS.get((_sign(a), _sign(b), _sign(c), _sign(d)), [])
    return []


def _sign(value: int) -> int:
    """The sign of a 16.16 fixed-point number; 0 up to a half."""
    return (value > 32768) - (value < -32768)


def _tone_mapping(frame: av.VideoFrame) -> list[Step]:
    """swscale's perceptual mapping. Frames without primaries or matrix count as BT.2020."""
    source = ["in_primaries=bt2020"] if frame.color_primaries in UNKNOWN_PRIMARIES else []
    source += ["in_color_matrix=bt2020nc"] if frame.colorspace == UNKNOWN_MATRIX else []
    target = ["out_primaries=bt709", "out_transfer=bt709", "out_color_matrix=bt709",
              "out_range=tv", "intent=perceptual"]  # fmt: skip
    return [("scale", ":".join(source + target)), ("format", "yuv420p")]


def _graph(frame: av.VideoFrame, steps: list[Step]) -> Graph:
    graph = Graph()
    graph.threads = 1
    try:
        nodes = [graph.add_buffer(width=frame.width, height=frame.height, format=frame.format,
                                  time_base=frame.time_base)]  # fmt: skip
        nodes += [graph.add(name, args or None) for name, args in steps]
        nodes.append(graph.add("buffersink"))
        graph.link_nodes(*nodes).configure()
    except (av.FFmpegError, ValueError) as error:
        names = ", ".join(name for name, _ in steps)
        raise MediaError(
            f"this video needs the FFmpeg filters {names}, which PyAV {av.__version__} here cannot "
            f"run ({error}); pip install -U av, or convert the file with ffmpeg first"
        ) from error
    return graph
