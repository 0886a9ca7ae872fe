"""`FramedSource`: a source whose frames are mirrored or cropped."""

from collections.abc import Iterator
from fractions import Fraction

import av
import av.filter

from turbolens.pipelines.base import Reopenable, Source, is_live, rate_of


class FramedSource:
    """A source whose frames are mirrored, cropped to their centre, or both.

    aspect: width divided by height to crop to, as large as possible. `None` does not crop.
    """

    def __init__(
        self, source: Source, *, mirror: bool = False, aspect: Fraction | None = None
    ) -> None:
        self.source, self._mirror, self._aspect = source, mirror, aspect
        self.live, self.rate = is_live(source), rate_of(source)
        self.name = str(getattr(source, "name", type(source).__name__))
        if isinstance(source, Reopenable):
            self.reopen = source.reopen
        self._graph: av.filter.Graph | None = None
        self._graph_input: tuple[int, int, str] | None = None

    def __iter__(self) -> Iterator[av.VideoFrame]:
        """The mirrored or cropped frames, with their times."""
        return map(self._framed, self.source)

    def _framed(self, frame: av.VideoFrame) -> av.VideoFrame:
        graph_input = frame.width, frame.height, frame.format.name
        if self._graph is None or graph_input != self._graph_input:
            self._graph, self._graph_input = self._built(frame), graph_input
        self._graph.vpush(frame)
        framed = self._graph.vpull()
        framed.pts, framed.time_base = frame.pts, frame.time_base
        return framed

    def _built(self, frame: av.VideoFrame) -> av.filter.Graph:
        graph = av.filter.Graph()
        nodes = [
            graph.add_buffer(
                width=frame.width, height=frame.height, format=frame.format,
                time_base=frame.time_base or Fraction(1, 1000),
            )
        ]  # fmt: skip
        if self._aspect is not None:
            width, height = cropped_size(frame.width, frame.height, self._aspect)
            nodes.append(graph.add("crop", f"{width}:{height}"))
        if self._mirror:
            nodes.append(graph.add("hflip"))
        graph.link_nodes(*nodes, graph.add("buffersink")).configure()
        return graph

    def close(self) -> None:
        """Close the source."""
        self.source.close()


def cropped_size(width: int, height: int, aspect: Fraction) -> tuple[int, int]:
    """The largest even width and height with this aspect ratio that fit into a size."""
    cropped_width = min(width, int(height * aspect)) // 2 * 2
    cropped_height = min(height, int(width / aspect)) // 2 * 2
    return max(2, cropped_width), max(2, cropped_height)
