"""Original and filtered frame in one frame."""

from typing import Any

import av
from av.filter import Graph


class SideBySide:
    """Joins an original frame (left) and its filtered one (right). The time is the original's."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._inputs: list[Any] = []
        self._output: Any = None

    def join(self, original: av.VideoFrame, filtered: av.VideoFrame) -> av.VideoFrame:
        """One frame of twice the width. Both must have the same size and format."""
        if self._graph is None:
            self._build(original)
        for node, frame in zip(self._inputs, (original, filtered), strict=True):
            node.push(frame)
        joined: av.VideoFrame = self._output.pull()
        joined.pts, joined.time_base = original.pts, original.time_base
        joined.duration = original.duration
        return joined

    def _build(self, frame: av.VideoFrame) -> None:
        graph = Graph()
        graph.threads = 1
        self._inputs = [
            graph.add_buffer(width=frame.width, height=frame.height, format=frame.format,
                             time_base=frame.time_base, name=name)
            for name in ("left", "right")
        ]  # fmt: skip
        stack = graph.add("hstack", "inputs=2")
        for index, node in enumerate(self._inputs):
            node.link_to(stack, 0, index)
        self._output = graph.add("buffersink")
        stack.link_to(self._output)
        graph.configure()
        self._graph = graph
