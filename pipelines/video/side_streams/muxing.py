"""The streams beside the video in an output: their packets at rising times."""

from collections.abc import Iterable, Sequence
from typing import Any

import av
from av.container import OutputContainer

from turbolens.pipelines.base import Notify

from .packet_times import RisingTimes
from .passthrough import StreamTarget
from .plan import PlannedStream

REFUSED = (av.InvalidDataError, av.ArgumentError)
"""What muxers raise for a packet that they cannot write. A full disk is another error."""


class SideStreams:
    """Adds the planned streams to an output, and writes their packets.

    A packet that cannot be decoded or written is left out and counted. Call `start` once the header
    is written.
    """

    def __init__(self, output: OutputContainer) -> None:
        self._output = output
        self._times = RisingTimes(output)
        self._targets: dict[int, StreamTarget] = {}
        self._labels: dict[int, str] = {}
        self._written = self._refused = 0

    def add(self, planned: Sequence[PlannedStream]) -> None:
        """Add streams to the output, in this order."""
        for each in planned:
            stream, target = each.way.add_to(self._output)
            self._targets[each.source.index] = target
            self._labels[each.source.index] = each.label
            self._times.add(stream, each.label)

    def write(self, packet: Any) -> None:
        """Write a packet of the input, if its stream is carried over."""
        target = self._targets.get(packet.stream.index)
        if target is not None:
            self._mux_corrected(target.packets(packet))

    def finish(self, notify: Notify) -> None:
        """Flush the encoders, and tell what was moved or lost."""
        for target in self._targets.values():
            self._mux_corrected(target.packets(None))
        for index, target in self._targets.items():
            if target.lost:
                notify(f"{self._labels[index]}: {_packets(target.lost)} could not be decoded")
        if self._refused:
            notify(f"{_packets(self._refused)} beside the video could not be written")
        for text in self._times.notices():
            notify(text)

    def mux(self, packet: Any) -> None:
        """Write a packet of any stream.

        Packets wait for those of other streams, so that a refused packet beside the video may raise
        an error in a call for the video. It is left out; the packet of the call still waits.
        """
        try:
            self._output.mux(packet)
        except REFUSED:
            if self._refused >= self._written:  # not one of these streams
                raise
            self._refused += 1

    def _mux_corrected(self, packets: Iterable[Any]) -> None:
        for packet in packets:
            self._times.correct(packet)
            self._written += 1
            self.mux(packet)


def _packets(count: int) -> str:
    return "1 packet" if count == 1 else f"{count} packets"
