"""Writes a video file or pipe: filtered frames at their times, and the other streams."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from av.container import OutputContainer
from av.video.reformatter import VideoReformatter

from turbolens.filter.errors import MediaError
from turbolens.pipelines.base import FrameOrPacket, Notify, SourceInfo
from turbolens.pipelines.errors import reason

from .cover_art import CoverArt, is_cover
from .destination import Destination
from .encoders import (
    CodecName,
    EncoderChoice,
    HardwareName,
    choose_encoder,
    default_codec,
    has_alpha,
    has_odd_side,
    pixel_format,
)
from .passthrough import StreamTarget, add_streams
from .side_data import has_captions
from .transparency import is_transparent

FASTSTART = {"mp4", "mov"}
ENCODING_TAGS = ("alpha_mode", "bps", "duration", "encoder", "number_of_", "rotate", "_statistics")
"""Beginnings of metadata keys that describe the old encoding."""
CAPTION_CODECS = {"h264", "hevc"}
BT709, LIMITED, FULL = 1, 1, 2


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
        self._targets: dict[int, StreamTarget] = {}
        self._early_packets: list[Any] = []
        self._reformatter = VideoReformatter()
        self._size_changed = False
        self._finished = False

    def write(self, item: FrameOrPacket) -> None:
        """Encode a frame or store a packet."""
        try:
            if isinstance(item, av.VideoFrame):
                self._write_frame(item)
            else:
                self._write_packet(item)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._error(error) from error

    def _write_frame(self, frame: av.VideoFrame) -> None:
        if self._output is None:
            self._open(frame)
        self._mux(self._video.encode(self._converted(frame)))

    def _write_packet(self, packet: Any) -> None:
        if self._output is None:
            self._early_packets.append(packet)
        elif (target := self._targets.get(packet.stream.index)) is not None:
            self._mux(target.packets(packet))

    def _mux(self, packets: Iterable[Any]) -> None:
        assert self._output is not None  # noqa: S101 - opened by the first frame
        for packet in packets:
            self._output.mux(packet)

    def finish(self) -> None:
        """Flush the encoders, close the file and give it its name. May be called twice."""
        if self._finished:
            return
        if self._output is None:
            raise MediaError(f"{self._info.name} holds no frame that could be decoded")
        try:
            self._mux(self._video.encode(None))
            for target in self._targets.values():
                self._mux(target.packets(None))
            self._output.close()
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._error(error) from error
        self._finished = True
        self._destination.complete()

    def discard(self) -> None:
        """Close and remove the unfinished file."""
        if self._finished:
            return
        self._finished = True
        if self._output is not None:
            with suppress(av.FFmpegError, OSError):  # the trailer may fail, but the file is removed
                self._output.close()
        self._destination.discard()

    def _error(self, error: BaseException) -> MediaError:
        return MediaError(f"cannot write {self._destination.name}: {reason(error)}")

    def _open(self, frame: av.VideoFrame) -> None:
        wanted = self._encoding
        codec = wanted.codec or default_codec(self._destination.final, transparent=has_alpha(frame))
        choice = choose_encoder(
            codec, crf=wanted.crf, preset=wanted.preset, hardware=wanted.hardware
        )
        self._output = _open_output(self._destination, wanted.format_name)
        if self._output.format.name == "nut":
            choice.options["bf"] = "0"  # NUT lacks the negative timestamps of B-frames
        self._output.metadata.update(self._info.metadata)
        self._add_streams(choice, frame)
        if self._info.chapters:
            self._output.set_chapters(list(self._info.chapters))
        packets, self._early_packets = self._early_packets, []
        covers = CoverArt(packets, self._notify)
        covers.add_to(self._output)
        self._mux(covers.packets())
        for packet in packets:
            self._write_packet(packet)

    def _add_streams(self, choice: EncoderChoice, frame: av.VideoFrame) -> None:
        assert self._output is not None  # noqa: S101
        before, after = _other_streams(self._info)
        self._targets = add_streams(self._output, before, self._notify)
        self._video = self._add_video(choice, frame)
        self._targets |= add_streams(self._output, after, self._notify)

    def _add_video(self, choice: EncoderChoice, frame: av.VideoFrame) -> Any:
        assert self._output is not None  # noqa: S101
        time_base = Fraction(frame.time_base or 1 / self._info.rate)
        video: Any = self._output.add_stream(
            choice.encoder, rate=self._info.rate, options=choice.options,
            width=frame.width, height=frame.height, time_base=time_base,
        )  # fmt: skip
        context = video.codec_context
        context.pix_fmt = self._encoding.pixel_format or pixel_format(choice, frame)
        context.time_base = time_base
        context.sample_aspect_ratio = self._info.sample_aspect_ratio
        _set_colour_tags(context, frame)
        if choice.encoder == "libx265" and self._output.format.name in FASTSTART:
            context.codec_tag = "hvc1"  # required by Apple's players
        video.metadata.update(_without_encoding_tags(self._info.stream_metadata))
        if context.pix_fmt.startswith("yuva") and choice.codec == "vp9":
            video.metadata["alpha_mode"] = "1"  # tells players of the alpha channel
        self._notify_changes(frame, context.pix_fmt, choice)
        return video

    def _notify_changes(self, frame: av.VideoFrame, chosen: str, choice: EncoderChoice) -> None:
        if has_odd_side(frame) and chosen.startswith("yuv444"):
            self._notify(
                f"odd size {frame.width}×{frame.height}: written as {chosen}, because "
                f"{choice.codec} with halved colour needs even sides"
            )
        if has_captions(frame) and choice.codec not in CAPTION_CODECS:
            self._notify(f"closed captions are left out: {choice.codec} has no place for them here")
        if is_transparent(frame) and not has_alpha(av.VideoFrame(2, 2, chosen)):
            self._notify(
                f"transparency is left out: {choice.codec} has none"
                " (write .webm, or .mov with --codec prores)"
            )

    def _converted(self, frame: av.VideoFrame) -> av.VideoFrame:
        context = self._video.codec_context
        same_size = (frame.width, frame.height) == (context.width, context.height)
        if same_size and frame.format.name == context.pix_fmt:
            return frame
        if not same_size:
            self._notify_size_change(frame)
        ranges = {}
        if not frame.format.is_rgb:
            full = frame.color_range == FULL
            ranges = dict.fromkeys(
                ("src_color_range", "dst_color_range"), FULL if full else LIMITED
            )
        converted = self._reformatter.reformat(
            frame, width=context.width, height=context.height, format=context.pix_fmt,
            dst_colorspace=BT709 if frame.format.is_rgb else None, **ranges,
        )  # fmt: skip
        converted.pts, converted.time_base = frame.pts, frame.time_base
        converted.duration = frame.duration
        return converted

    def _notify_size_change(self, frame: av.VideoFrame) -> None:
        if not self._size_changed:
            self._size_changed = True
            self._notify(
                f"the picture changes its size to {frame.width}×{frame.height} midway: it is scaled"
                f" to the first size"
            )


def _set_colour_tags(context: Any, frame: av.VideoFrame) -> None:
    """The frame's own tags; RGB is converted to BT.709."""
    if frame.format.is_rgb:
        context.color_range, context.colorspace = LIMITED, BT709
        context.color_primaries = context.color_trc = BT709
    else:
        context.color_range, context.colorspace = frame.color_range, frame.colorspace
        context.color_primaries, context.color_trc = frame.color_primaries, frame.color_trc


def _other_streams(info: SourceInfo) -> tuple[list[Any], list[Any]]:
    """The streams before and after the filtered one, to keep their order."""
    if info.video is None:
        return [], []
    at = info.video.index
    others = [stream for stream in info.streams if not is_cover(stream)]
    return (
        [stream for stream in others if stream.index < at],
        [stream for stream in others if stream.index > at],
    )


def _without_encoding_tags(metadata: dict[str, str]) -> dict[str, str]:
    """The metadata that is still true after encoding again."""
    return {key: value for key, value in metadata.items()
            if not key.lower().startswith(ENCODING_TAGS)}  # fmt: skip


def _open_output(destination: Destination, format_name: str | None) -> OutputContainer:
    name = format_name or ("nut" if destination.piped else None)
    options: dict[str, str] = {}
    suffix = destination.final.suffix.lower().lstrip(".")
    if destination.piped and name in FASTSTART:
        options["movflags"] = "frag_keyframe+empty_moov+delay_moov"
    elif (name or suffix) in {*FASTSTART, "m4v", "m4a"}:
        options["movflags"] = "+faststart"
    return av.open(destination.url, "w", format=name, container_options=options)
