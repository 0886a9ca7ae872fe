"""Writes a video file or pipe: filtered frames at their times, and the other streams."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
from av.container import OutputContainer

from turbolens.filter.errors import MediaError
from turbolens.pipelines.base import FrameOrPacket, Notify, SourceInfo
from turbolens.pipelines.errors import output_reason

from .destination import Destination
from .encoders.choice import (
    CodecName,
    HardwareName,
    choose_encoder,
    default_codec,
    encoder_of,
    has_alpha,
    has_encoder,
)
from .frame_conversion import FrameConversion
from .side_streams.container_rules import refused_codec
from .side_streams.cover_art import CoverArt, is_cover
from .side_streams.muxing import SideStreams
from .side_streams.plan import FASTSTART, PlannedStream, StreamPlanner, scratch_output
from .side_streams.subtitle_conversion import MP4_LIKE
from .video_stream import VideoTrack


@dataclass(frozen=True)
class Encoding:
    """How a video is encoded. `None`: chosen by the file name and the codec."""

    codec: CodecName | HardwareName | None = None
    crf: int | None = None
    preset: str | None = None
    pixel_format: str | None = None
    hardware: bool = False
    format_name: str | None = None


class VideoWriter:
    """One video file. It is opened by the first frame, which decides size, format and colour tags.

    Raises `MediaError` if the file cannot be written, or if there was no frame at the end.
    """

    def __init__(
        self, destination: Destination, info: SourceInfo, encoding: Encoding, *, notify: Notify
    ) -> None:
        self._destination, self._info, self._encoding = destination, info, encoding
        self._notify = notify
        self._output: OutputContainer | None = None
        self._video: Any = None
        self._converted: FrameConversion | None = None
        self._side_streams: SideStreams | None = None
        self._early_packets: list[Any] = []
        self._finished = False

    def write(self, item: FrameOrPacket) -> None:
        """Encode a frame or store a packet."""
        try:
            if isinstance(item, av.VideoFrame):
                self._write_frame(item)
            elif self._side_streams is None:
                self._early_packets.append(item)
            else:
                self._side_streams.write(item)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._error(error) from error

    def _write_frame(self, frame: av.VideoFrame) -> None:
        if self._converted is None:
            self._open(frame)
        assert self._converted is not None  # noqa: S101 - just opened
        self._mux(self._video.encode(self._converted(frame)))

    def _mux(self, packets: Iterable[Any]) -> None:
        assert self._output is not None  # noqa: S101 - opened by the first frame
        for packet in packets:
            self._output.mux(packet)

    def finish(self) -> None:
        """Flush the encoders, close the file and give it its name. May be called twice."""
        if self._finished:
            return
        if self._output is None or self._side_streams is None:
            raise MediaError(f"{self._info.name} holds no frame that could be decoded")
        try:
            self._mux(self._flushed())
            self._side_streams.finish(self._notify)
            self._close_output()
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._error(error) from error
        self._finished = True
        self._destination.complete()

    def _close_output(self) -> None:
        assert self._output is not None  # noqa: S101 - opened by the first frame
        self._output.close()

    def _flushed(self) -> Iterable[Any]:
        """The packets that the encoder still holds."""
        packets: Iterable[Any] = self._video.encode(None)
        return packets

    def discard(self) -> None:
        """Close and remove the unfinished file."""
        if self._finished:
            return
        self._finished = True
        if self._side_streams is not None:
            self._side_streams.close()
        if self._output is not None:
            with suppress(av.FFmpegError, OSError):  # the trailer may fail, but the file is removed
                self._output.close()
        self._destination.discard()

    def _error(self, error: BaseException) -> MediaError:
        return MediaError(f"cannot write {self._destination.name}: {output_reason(error)}")

    def _open(self, frame: av.VideoFrame) -> None:
        name, options = _format_of(self._destination, self._encoding.format_name)
        output = av.open(self._destination.url, "w", format=name, container_options=options)
        self._output = output
        track = self._with_accepted_timecode(self._track(output.format.name, frame), options)
        planned = self._plan(track, options)
        output.metadata.update(track.with_timecode(self._info.metadata))
        self._side_streams = self._add_streams(track, planned, options)
        if self._info.chapters:
            output.set_chapters(list(self._info.chapters))
        covers = CoverArt(self._early_packets, self._notify)
        covers.add_to(output)
        output.start_encoding()
        self._converted = FrameConversion(self._video.codec_context, self._notify)
        self._mux(covers.packets())
        packets, self._early_packets = self._early_packets, []
        for packet in packets:
            if not is_cover(packet.stream):
                self._side_streams.write(packet)

    def _track(self, format_name: str, frame: av.VideoFrame) -> VideoTrack:
        return track_for(
            frame, self._encoding, self._info, path=self._destination.final, format_name=format_name
        )

    def _with_accepted_timecode(self, track: VideoTrack, options: dict[str, str]) -> VideoTrack:
        """The track without its time code if the container would refuse that at the end."""
        assert self._output is not None  # noqa: S101
        format_name = self._output.format.name
        if not track.has_timecode or self._holds(track, format_name, options):
            return track
        without = replace(track, keeps_timecode=False)
        if not self._holds(without, format_name, options):
            return track
        self._notify(
            f"the time code is left out: {format_name} cannot hold it at "
            f"{float(self._info.rate):g} frames per second"
        )
        return without

    def _holds(self, track: VideoTrack, format_name: str, options: dict[str, str]) -> bool:
        """True if a file with this track and the metadata, but no frame, can be completed."""
        try:
            with scratch_output(format_name, options) as scratch:
                track.add_to(scratch)
                scratch.metadata.update(track.with_timecode(self._info.metadata))
                scratch.start_encoding()
                scratch.close()
        except (av.FFmpegError, OSError, ValueError):
            return False
        return True

    def _plan(self, track: VideoTrack, options: dict[str, str]) -> list[PlannedStream]:
        """What becomes of the other streams, tried before the file is begun."""
        source = self._info.video
        others = [stream for stream in self._info.streams
                  if stream is not source and not is_cover(stream)]  # fmt: skip
        if source is None or not others:
            return []
        assert self._output is not None  # noqa: S101
        with scratch_output(self._output.format.name, options) as scratch:
            video = track.add_to(scratch)
            scratch.start_encoding()
            planner = StreamPlanner(
                video, options, video_index=source.index, packets=self._early_packets,
                notify=self._notify,
            )  # fmt: skip
            return planner.plan(others)

    def _add_streams(
        self, track: VideoTrack, planned: list[PlannedStream], options: dict[str, str]
    ) -> SideStreams:
        assert self._output is not None  # noqa: S101
        at = self._info.video.index if self._info.video is not None else 0
        side_streams = SideStreams(self._output, options)
        side_streams.add([each for each in planned if each.source.index < at])
        self._video = track.add_to(self._output)
        track.notify_changes(self._video, self._notify)
        side_streams.add([each for each in planned if each.source.index > at])
        return side_streams


def track_for(
    frame: av.VideoFrame, wanted: Encoding, info: SourceInfo, *, path: Path, format_name: str
) -> VideoTrack:
    """The video stream of an output that begins with this frame.

    path: the output's, whose suffix may decide the codec. format_name: its container.
    """
    codec = wanted.codec or default_codec(path, transparent=has_alpha(frame))
    choice = choose_encoder(codec, crf=wanted.crf, preset=wanted.preset, hardware=wanted.hardware)
    if format_name == "nut":
        choice.options["bf"] = "0"  # NUT lacks the negative timestamps of B-frames
    return VideoTrack(choice, info, frame, wanted.pixel_format)


def container_format(destination: Destination, encoding: Encoding) -> tuple[str, dict[str, str]]:
    """The name of the output's container and its options. Raises `MediaError` if it is unknown."""
    name, options = _format_of(destination, encoding.format_name)
    try:  # FFmpeg creates the file with the header, which is not written
        return av.open(destination.url, "w", format=name).format.name, options
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MediaError(f"cannot write {destination.name}: {output_reason(error)}") from error


def check_codec(destination: Destination, encoding: Encoding) -> None:
    """Raise `MediaError` if the container is unknown or cannot hold the codec."""
    codec = encoding.codec or default_codec(destination.final, transparent=False)
    encoder = encoder_of(codec)
    name, _ = _format_of(destination, encoding.format_name)
    if not has_encoder(encoder):
        return  # for `choose_encoder` to say
    try:
        output = av.open(destination.url, "w", format=name)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MediaError(f"cannot write {destination.name}: {output_reason(error)}") from error
    refused = refused_codec(output, encoder)
    if refused is not None:
        raise MediaError(
            f"cannot write {destination.name}: {output.format.name} cannot hold {refused};"
            " choose another --codec, or a name that ends in .mkv, which holds them all"
        )


def _format_of(destination: Destination, wanted: str | None) -> tuple[str | None, dict[str, str]]:
    """The container's name, `None` to choose it by the file's name, and its options."""
    name = wanted or ("nut" if destination.piped else None)
    options: dict[str, str] = {}
    suffix = destination.final.suffix.lower().lstrip(".")
    if destination.piped and name in MP4_LIKE:
        options["movflags"] = "frag_keyframe+empty_moov+delay_moov"
    elif (name or suffix) in {*MP4_LIKE, "m4v", "m4a"}:
        options["movflags"] = FASTSTART
    return name, options
