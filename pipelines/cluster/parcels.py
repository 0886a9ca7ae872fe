"""Segments on their way: packets with what is needed to decode them, and encoded results."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import av

from turbolens.filter.errors import MediaError
from turbolens.pipelines.base import Notify
from turbolens.pipelines.video.cropping import Cropping
from turbolens.pipelines.video.decoding import DecodingTimes, FrameDecoding
from turbolens.pipelines.video.preparation import FramePreparation, PreparationState
from turbolens.pipelines.video.segments.encoder import EncoderSetup
from turbolens.pipelines.video.segments.first_frame import FirstFrame
from turbolens.pipelines.video.segments.manifest import TexturePlace
from turbolens.pipelines.video.segments.packet_file import packets_in

PROPERTIES = (
    "width", "height", "pix_fmt", "codec_tag", "bits_per_coded_sample", "sample_aspect_ratio",
    "color_range", "color_primaries", "color_trc", "colorspace", "field_order", "reorder_depth",
    "framerate", "profile", "level",
)  # fmt: skip
"""Of a decoder, which it has from the container."""
DECODING_THREADS = 2


class UnknownTimesError(MediaError):
    """The times of frames are missing or wrong, so that only reading from the beginning helps."""


@dataclass(frozen=True)
class StreamParameters:
    """What another process needs to decode a video stream, besides its packets.

    decoder: FFmpeg's name. preparation: see `PreparationState`.
    """

    decoder: str
    extradata: bytes | None
    properties: dict[str, Any]
    times: DecodingTimes
    cropping: Cropping | None
    preparation: PreparationState

    @classmethod
    def of(cls, decoder: Any, stream: Any, **others: Any) -> "StreamParameters":
        """Those of an open stream. decoder: the one that is used for it."""
        context = stream.codec_context
        properties = {name: getattr(context, name) for name in PROPERTIES}
        return cls(decoder.codec.name, context.extradata, properties, **others)

    def open_decoder(self) -> Any:
        """A decoder of its own for the packets."""
        decoder: Any = av.CodecContext.create(self.decoder, "r")
        if self.extradata:
            decoder.extradata = self.extradata
        for name, value in self.properties.items():
            if value is not None:
                setattr(decoder, name, value)
        decoder.thread_type, decoder.thread_count = "AUTO", DECODING_THREADS
        return decoder


@dataclass(frozen=True)
class Parcel:
    """The packets of one segment, from the key frame before its run-up, and what to do with them.

    packets: see `packet_record`. discarded: the `pts` of packets that are decoded for others and
    not shown. begin: the `pts` of the segment's first frame, `None` for the video's first. run_ups:
    at which `pts` filtering can begin, the shortest run-up first. new_frames: how many frames of
    the run-up must not be repetitions. end: the `pts` of the frame after the segment, `None` for
    the last segment. first: see `FirstFrame`; `None` if the segment has the video's first frame.
    textures: see `ResumePoint`.
    """

    stream: StreamParameters
    setup: EncoderSetup
    packets: bytes
    discarded: frozenset[int] = frozenset()
    begin: int | None = None
    run_ups: tuple[int, ...] = ()
    new_frames: int = 0
    end: int | None = None
    first: FirstFrame | None = None
    batch: int | None = None
    textures: tuple[TexturePlace, ...] = ()


@dataclass(frozen=True)
class EncodedSegment:
    """A segment that a worker has filtered and encoded.

    content: the packets, as in the file of a segment. parameters: see `SegmentEncoder`. seconds:
    how long the worker took; filter_seconds: for filtering alone, the run-up included;
    processor_seconds: of all its threads together.
    """

    content: bytes
    frames: int
    parameters: str
    first: FirstFrame
    damaged: int
    filter_seconds: float
    seconds: float = 0.0
    processor_seconds: float = 0.0
    notices: tuple[str, ...] = ()


@dataclass
class ParcelReader:
    """A `Reader` of the frames of a parcel, from one of its run-ups on."""

    parcel: Parcel
    run_up: int | None
    notify: Notify
    damaged_before: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        stream = self.parcel.stream
        preparation = FramePreparation(
            self.notify, cropping=stream.cropping, state=stream.preparation
        )
        decoder = _ShownFrames(stream.open_decoder(), self.parcel.discarded)
        self._decoding = FrameDecoding(decoder, stream.times, preparation)
        self.info = self.parcel.setup.info

    @property
    def damaged(self) -> int:
        """Pieces of the segment that could not be decoded. Those of the run-up do not count."""
        return self._decoding.damaged - self.damaged_before

    def __iter__(self) -> Iterator[av.VideoFrame]:
        """The frames of run-up and segment. Raises `UnknownTimesError`."""
        begin, end = self.parcel.begin, self.parcel.end
        for frame in self._frames():
            pts = frame.pts or 0
            if begin is not None and self._decoding.repaired:
                raise UnknownTimesError("the times of frames are missing or wrong")
            if end is not None and pts >= end:
                return
            if begin is not None and pts < begin:
                self.damaged_before = self._decoding.damaged
            if self.run_up is None or pts >= self.run_up:
                yield frame

    def _frames(self) -> Iterator[av.VideoFrame]:
        for packet in packets_in(BytesIO(self.parcel.packets), self.info.name):
            yield from self._decoding.frames(packet)
        yield from self._decoding.frames(None)

    def close(self) -> None:
        """There is nothing to close."""


class _ShownFrames:
    """A decoder without the frames that an edit list of MP4 hides."""

    def __init__(self, decoder: Any, discarded: frozenset[int]) -> None:
        self._decoder, self._discarded = decoder, discarded

    def decode(self, packet: Any) -> list[Any]:
        frames = self._decoder.decode(packet)
        return [frame for frame in frames if frame.pts not in self._discarded]
