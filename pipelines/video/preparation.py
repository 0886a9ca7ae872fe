"""Frames as they should be seen: deinterlaced, upright, and in standard dynamic range."""

import struct
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import av
from av.filter import Graph

from turbolens.filter.errors import MediaError
from turbolens.pipelines.base import Notify

HIGH_DYNAMIC_RANGE = {16: "PQ (HDR10)", 18: "HLG"}  # AVCOL_TRC_SMPTE2084, AVCOL_TRC_ARIB_STD_B67

# Signs of the display matrix (a, b, c, d), where x' = a·x + c·y and y' = b·x + d·y.
TURNS: dict[tuple[int, int, int, int], list[tuple[str, str]]] = {
    (1, 0, 0, 1): [],
    (-1, 0, 0, 1): [("hflip", "")],
    (1, 0, 0, -1): [("vflip", "")],
    (-1, 0, 0, -1): [("hflip", ""), ("vflip", "")],
    (0, 1, -1, 0): [("transpose", "clock")],
    (0, -1, 1, 0): [("transpose", "cclock")],
    (0, 1, 1, 0): [("transpose", "cclock_flip")],
    (0, -1, -1, 0): [("transpose", "clock_flip")],
}


class FramePreparation:
    """Passes frames through what they need, one out for each one in; `pts` stays exact."""

    def __init__(self, notify: Notify) -> None:
        self._notify = notify
        self._graph: Graph | None = None
        self._key: tuple[object, ...] = ()
        self._interlaced = False
        self._turn: list[tuple[str, str]] | None = None
        self._said: set[str] = set()

    def push(self, frame: av.VideoFrame) -> Iterator[av.VideoFrame]:
        """The frames that are ready, each as it should be seen."""
        self._interlaced = self._interlaced or frame.interlaced_frame
        if self._turn is None:
            self._turn = _turn_of(frame)
        key = (frame.width, frame.height, frame.format.name, frame.color_trc, self._interlaced)
        if key != self._key:
            yield from self.flush()
            self._key, self._graph = key, self._build(frame)
        if self._graph is None:
            yield frame
            return
        self._graph.vpush(frame)
        yield from self._pull(self._graph, frame)

    def flush(self) -> Iterator[av.VideoFrame]:
        """What the deinterlacer still holds."""
        graph, self._graph, self._key = self._graph, None, ()
        if graph is not None:
            graph.vpush(None)
            yield from self._pull(graph, None)

    def _pull(self, graph: Graph, like: av.VideoFrame | None) -> Iterator[av.VideoFrame]:
        if like is not None:
            self._time_base = Fraction(like.time_base or 1)
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
        steps: list[tuple[str, str]] = []
        if self._interlaced:
            self._say("interlaced: deinterlaced, one frame for each frame")
            steps += [("bwdif", "mode=send_frame:deint=interlaced"), ("format", frame.format.name)]
        if self._turn:
            self._say("rotated: the picture is turned upright")
            steps += [*self._turn, ("format", frame.format.name)]
        if frame.color_trc in HIGH_DYNAMIC_RANGE:
            name = HIGH_DYNAMIC_RANGE[frame.color_trc]
            self._say(f"{name}: tone-mapped to standard dynamic range, BT.709")
            steps += _tone_map(frame)
        return _chain(frame, steps) if steps else None

    def _say(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._notify(text)

    @property
    def swaps_sides(self) -> bool:
        """Width and height change places (known after the first frame)."""
        return bool(self._turn) and self._turn[0][0] == "transpose"  # type: ignore[index]


def _turn_of(frame: av.VideoFrame) -> list[tuple[str, str]]:
    """The filters that do what the frame's display matrix asks for (quarter turns and mirrors)."""
    every: Iterable[Any] = frame.side_data  # by its stub a dict, in fact a sequence
    for side_data in every:
        if side_data.type.name == "DISPLAYMATRIX":
            a, b, _, c, d, *_ = struct.unpack("=9i", bytes(side_data))
            return TURNS.get((_sign(a), _sign(b), _sign(c), _sign(d)), [])
    return []


def _sign(value: int) -> int:
    return (value > 32768) - (value < -32768)  # 16.16 fixed point: a half and more counts


def _tone_map(frame: av.VideoFrame) -> list[tuple[str, str]]:
    """swscale's own perceptual mapping; where primaries or matrix are untagged, BT.2020."""
    given = ["in_primaries=bt2020"] if frame.color_primaries in (0, 2) else []
    given += ["in_color_matrix=bt2020nc"] if frame.colorspace == 2 else []
    wanted = ["out_primaries=bt709", "out_transfer=bt709", "out_color_matrix=bt709",
              "out_range=tv", "intent=perceptual"]  # fmt: skip
    return [("scale", ":".join(given + wanted)), ("format", "yuv420p")]


def _chain(frame: av.VideoFrame, steps: list[tuple[str, str]]) -> Graph:
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
