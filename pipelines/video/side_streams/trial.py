"""Packets of a copied stream are tried before they are written."""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import av
from av.container import OutputContainer
from av.stream import Stream

from .passthrough import Way
from .plan import scratch_output

REFUSED = (av.InvalidDataError, av.ArgumentError, av.PatchWelcomeError)
"""What muxers raise for a packet that they cannot write."""


class PacketTrial:
    """Writes a stream's packets to a container of its own, which is written nowhere.

    In the output itself packets wait for those of other streams. A refused packet there raises its
    error in a later call, for another stream, or when the file is closed; and what waits behind it
    is lost. With one stream nothing waits, so it shows which packet is refused.
    """

    def __init__(self, way: Way, output: OutputContainer, options: Mapping[str, str]) -> None:
        self._open = ExitStack()
        self._scratch: Any = None
        self._stream: Stream | None = None
        self.refused = 0
        try:
            scratch = self._open.enter_context(scratch_output(output.format.name, options))
            self._stream, _ = way.add_to(scratch)
            scratch.start_encoding()
            self._scratch = scratch
        except (av.FFmpegError, OSError, ValueError):
            self.close()  # the format has no file with this stream alone: nothing can be tried

    def accepts(self, packet: Any) -> bool:
        """False if the muxer refuses the packet, which is counted. True if nothing can be tried."""
        if self._scratch is None:
            return True
        copy: Any = av.Packet(bytes(packet))
        copy.stream, copy.time_base = self._stream, packet.time_base
        copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
        copy.is_keyframe = packet.is_keyframe
        try:
            self._scratch.mux(copy)
        except REFUSED:
            self.refused += 1
            return False
        return True

    def close(self) -> None:
        """End it. May be called twice."""
        self._scratch = None
        self._open.close()
