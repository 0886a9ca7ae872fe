"""The filtered stream of an output: its encoder, colour tags, metadata and marks."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from av.container import OutputContainer
from av.stream import Disposition

from turbolens.filter.errors import MediaError
from turbolens.pipelines.base import Notify, SourceInfo

from .encoders.choice import EncoderChoice, has_alpha, has_odd_side, options_for_size, pixel_format
from .side_data import has_captions
from .side_streams.subtitle_conversion import MP4_LIKE
from .side_streams.timecode import advanced, is_timecode
from .thread_scheduling import ordinary_scheduling
from .transparency import is_transparent

ENCODING_TAGS = ("alpha_mode", "bps", "duration", "encoder", "number_of_", "rotate", "_statistics")
"""Beginnings of metadata keys that describe the old encoding."""
CAPTION_CODECS = {"h264", "hevc"}
BT709, LIMITED = 1, 1


@dataclass(frozen=True)
class VideoTrack:
    """The encoder and the properties of the filtered stream, by its first frame.

    pixel_format: `None` to choose it by the codec and the frame. keeps_timecode: False if the
    container cannot hold the time code.
    """

    choice: EncoderChoice
    info: SourceInfo
    frame: av.VideoFrame
    pixel_format: str | None = None
    keeps_timecode: bool = True

    def add_to(self, output: OutputContainer) -> Any:
        """Add the stream, with its encoder open.

        Raises `MediaError` if the encoder takes no such frames.
        """
        frame, info, choice = self.frame, self.info, self.choice
        time_base = Fraction(frame.time_base or 1 / info.rate)
        video: Any = output.add_stream(
            choice.encoder, rate=info.rate, options=options_for_size(choice, frame.width),
            width=frame.width, height=frame.height, time_base=time_base,
        )  # fmt: skip
        context = video.codec_context
        context.pix_fmt = self.pixel_format or pixel_format(choice, frame)
        context.time_base = time_base
        context.sample_aspect_ratio = info.sample_aspect_ratio
        _set_colour_tags(context, frame)
        if choice.encoder == "libx265" and output.format.name in MP4_LIKE:
            context.codec_tag = "hvc1"  # required by Apple's players
        video.metadata.update(self._metadata())
        if context.pix_fmt.startswith("yuva") and choice.codec == "vp9":
            video.metadata["alpha_mode"] = "1"  # tells players of the alpha channel
        if info.video is not None:
            video.disposition = Disposition(info.video.disposition & ~Disposition.attached_pic)
        self._open_encoder(context)
        return video

    def _open_encoder(self, context: Any) -> None:
        try:
            with ordinary_scheduling():
                context.open()
        except (av.FFmpegError, ValueError) as error:
            name = self.choice.encoder
            raise MediaError(
                f"the encoder {name} takes no frames of {context.width}×{context.height} pixels in "
                f"{context.pix_fmt} with these options; choose another --codec or --pixel-format"
            ) from error

    def _metadata(self) -> dict[str, str]:
        """The stream's metadata that is still true after encoding again."""
        kept = {key: value for key, value in self.info.stream_metadata.items()
                if not key.lower().startswith(ENCODING_TAGS)}  # fmt: skip
        return self.with_timecode(kept)

    @property
    def has_timecode(self) -> bool:
        """True if the input has a time code."""
        return any(is_timecode(key) for key in (*self.info.metadata, *self.info.stream_metadata))

    def with_timecode(self, metadata: dict[str, str]) -> dict[str, str]:
        """The metadata with the time code of the first frame that is kept."""
        skipped = self._skipped_frames()
        return {
            key: advanced(value, skipped, self.info.rate) if is_timecode(key) else value
            for key, value in metadata.items()
            if self.keeps_timecode or not is_timecode(key)
        }

    def _skipped_frames(self) -> int:
        """How many frames of the input lie before the first one that is kept."""
        video = self.info.video
        if video is None or not self.info.offset:
            return 0
        begin = (video.start_time or 0) * Fraction(video.time_base or 0)
        first = (self.frame.pts or 0) * Fraction(self.frame.time_base or 0) + self.info.offset
        return max(0, round((first - begin) * self.info.rate))

    def notify_changes(self, video: Any, notify: Notify) -> None:
        """Tell of colours and transparency that the codec cannot keep."""
        frame, chosen, codec = self.frame, video.codec_context.pix_fmt, self.choice.codec
        if has_odd_side(frame) and chosen.startswith("yuv444"):
            notify(
                f"odd size {frame.width}×{frame.height}: written as {chosen}, because "
                f"{codec} with halved colour needs even sides"
            )
        if has_captions(frame) and codec not in CAPTION_CODECS:
            notify(f"closed captions are left out: {codec} has no place for them here")
        if is_transparent(frame) and not has_alpha(av.VideoFrame(2, 2, chosen)):
            notify(
                f"transparency is left out: {codec} has none"
                " (write .webm, or .mov with --codec prores)"
            )


def _set_colour_tags(context: Any, frame: av.VideoFrame) -> None:
    """The frame's own tags; RGB is converted to BT.709."""
    if frame.format.is_rgb:
        context.color_range, context.colorspace = LIMITED, BT709
        context.color_primaries = context.color_trc = BT709
    else:
        context.color_range, context.colorspace = frame.color_range, frame.colorspace
        context.color_primaries, context.color_trc = frame.color_primaries, frame.color_trc
