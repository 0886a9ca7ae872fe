"""Frames as they should be seen: deinterlaced, upright, and in standard dynamic range."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import av
from av.filter import Graph

from turbolens.filter.errors import MediaError
from turbolens.pipelines.base import Notify

from .cropping import Cropping
from .side_data import display_matrix
from .transparency import PALETTE, palette_format

Step: TypeAlias = tuple[str, str]
"""An FFmpeg filter and its arguments."""

HIGH_DYNAMIC_RANGE = {16: "PQ (HDR10)", 18: "HLG"}  # AVCOL_TRC_SMPTE2084, AVCOL_TRC_ARIB_STD_B67
UNKNOWN_PRIMARIES, UNKNOWN_MATRIX = (0, 2), 2

UNCONVERTIBLE = {"yaf32le", "yaf32be"}  # for these swscale ends the whole program
MIN_DEINTERLACED_SIDE = 3  # pixels that bwdif needs

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

WITHOUT_MATRIX: Step = ("sidedata", "mode=delete:type=DISPLAYMATRIX")
"""Encoders of images write the matrix into the file, and viewers would turn the picture again."""


@dataclass(frozen=True)
class PreparationState:
    """What earlier frames decide for later ones.

    rotation: `None` before the first frame. interlaced: True once a frame was. palette_format: what
    replaces palettes.
    """

    rotation: tuple[Step, ...] | None = None
    interlaced: bool = False
    palette_format: str | None = None


class FramePreparation:
    """Passes frames through the FFmpeg filters that they need: one frame out for each frame in.

    `pts` stays exact. Frames that need no filter are passed on as they are. cropping: what the
    container hides of every frame. state: to go on in the middle of a video.
    """

    def __init__(
        self,
        notify: Notify,
        *,
        cropping: Cropping | None = None,
        state: PreparationState | None = None,
    ) -> None:
        state = state or PreparationState()
        self._notify, self._cropping = notify, cropping
        self._graph: Graph | None = None
        self._graph_input: tuple[object, ...] = ()
        self._time_base = Fraction(1)
        self._interlaced = state.interlaced
        self._rotation = state.rotation
        self._palette_format = state.palette_format
        self._notices: set[str] = set()

    @property
    def state(self) -> PreparationState:
        """What the frames so far have decided."""
        return PreparationState(self._rotation, self._interlaced, self._palette_format)

    def push(self, frame: av.VideoFrame) -> Iterator[av.VideoFrame]:
        """Add a frame. Gives the frames that are ready."""
        self._interlaced = self._interlaced or frame.interlaced_frame
        if self._rotation is None:
            self._rotation = tuple(_rotation_of(frame))
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
        name = self._format_of(frame)
        if name in UNCONVERTIBLE:
            raise MediaError(
                f"FFmpeg cannot convert the pixel format {name}; write the video in another one, "
                "such as gray16le"
            )
        steps: list[Step] = [] if name == frame.format.name else [("format", name)]
        if self._interlaced and min(frame.width, frame.height) >= MIN_DEINTERLACED_SIDE:
            self._notify_once("interlaced: deinterlaced, one frame for each frame")
            steps += [("bwdif", "mode=send_frame:deint=interlaced"), ("format", name)]
        steps += self._crop(frame)
        if self._rotation:
            self._notify_once("rotated: the picture is turned upright")
            steps += [*self._rotation, ("format", name), WITHOUT_MATRIX]
        steps += self._tone_mapping(frame)
        return _graph(frame, steps) if steps else None

    def _format_of(self, frame: av.VideoFrame) -> str:
        """The pixel format to work in: a palette is replaced by its colours."""
        if frame.format.name != PALETTE:
            return frame.format.name
        self._palette_format = self._palette_format or palette_format(frame)
        return self._palette_format

    def _crop(self, frame: av.VideoFrame) -> list[Step]:
        cut = self._cropping
        if cut is None:
            return []
        width = frame.width - cut.left - cut.right
        height = frame.height - cut.top - cut.bottom
        if min(width, height) < 1:
            return []
        self._notify_once(f"cropped to {width}×{height}, the part that the file declares visible")
        return [("crop", f"{width}:{height}:{cut.left}:{cut.top}:exact=1")]

    def _tone_mapping(self, frame: av.VideoFrame) -> list[Step]:
        name = HIGH_DYNAMIC_RANGE.get(frame.color_trc)
        if name is None:
            return []
        self._notify_once(f"{name}: tone-mapped to standard dynamic range, BT.709")
        return _tone_mapping(frame)

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
    matrix = display_matrix(frame)
    if matrix is None:
        return []
    a, b, c, d = map(_sign, matrix)
    return ROTATIONS.get((a, b, c, d), [])


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
