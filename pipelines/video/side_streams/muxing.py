"""The streams beside the video in an output: their packets at rising times."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from av.container import OutputContainer

from turbolens.pipelines.base import Notify

from .packet_times import RisingTimes, StrayTimes
from .passthrough import StreamTarget
from .plan import PlannedStream
from .trial import PacketTrial


class SideStreams:
    """Adds the planned streams to an output, and writes their packets.

    A packet that cannot be decoded or written is left out and counted. options: of the output.
    """

    def __init__(self, output: OutputContainer, options: Mapping[str, str]) -> None:
        self._output, self._options = output, options
        self._times = RisingTimes(output)
        self._targets: dict[int, StreamTarget] = {}
        self._labels: dict[int, str] = {}
        self._trials: dict[int, PacketTrial] = {}
        self._strays: dict[int, StrayTimes] = {}

    def add(self, planned: Sequence[PlannedStream]) -> None:
        """Add streams to the output, in this order."""
        for each in planned:
            index = each.source.index
            stream, target = each.way.add_to(self._output)
            self._targets[index], self._labels[index] = target, each.label
            self._times.add(stream, each.label)
            if each.source.type == "audio":
                self._strays[index] = StrayTimes()
            if each.way.encoder is None:
                self._trials[index] = PacketTrial(each.way, self._output, self._options)

    def write(self, packet: Any) -> None:
        """Write a packet of the input, if its stream is carried over."""
        index = packet.stream.index
        if index in self._targets:
            self._carry(index, packet)

    def finish(self, notify: Notify) -> None:
        """Flush the encoders, and tell what was moved or lost."""
        for index, target in self._targets.items():
            self._carry(index, None)
            self._mux(index, target.packets(None))
        for text in self._notices():
            notify(text)
        self.close()

    def _notices(self) -> Iterator[str]:
        for index, label in self._labels.items():
            if lost := self._targets[index].lost:
                yield f"{label}: {_packets(lost)} could not be decoded"
            if index in self._trials and (refused := self._trials[index].refused):
                yield f"{label}: {_packets(refused)} could not be written"
            if index in self._strays and (moved := self._strays[index].moved):
                yield f"{label}: {_packets(moved)} with a time far too late, moved back"
        yield from self._times.notices()

    def close(self) -> None:
        """End the trials. May be called twice."""
        for trial in self._trials.values():
            trial.close()

    def _carry(self, index: int, packet: Any | None) -> None:
        """Write a packet of the input, or with `None` one that waits for the next."""
        strays = self._strays.get(index)
        ready = (packet,) if strays is None else strays.packets(packet)
        for each in ready:
            if each is not None:
                self._mux(index, self._targets[index].packets(each))

    def _mux(self, index: int, packets: Iterable[Any]) -> None:
        trial = self._trials.get(index)
        for packet in packets:
            self._times.correct(packet)
            if trial is None or trial.accepts(packet):
                self._output.mux(packet)


def _packets(count: int) -> str:
    return "1 packet" if count == 1 else f"{count} packets"
