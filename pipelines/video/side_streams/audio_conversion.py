"""Audio that is decoded and encoded again because the container cannot hold its codec."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from av.container import OutputContainer

TOLERANCE = Fraction(1, 20)  # seconds that audio may be early or late before it is corrected
SILENCE_SECONDS = 1  # length of one frame of silence
ENCODERS = {"opus": "libopus", "vorbis": "libopus", "mp3": "libmp3lame"}
PREFERRED = {"mpegts": "aac", "matroska": "aac"}  # instead of FFmpeg's MP2 and AC-3
COMMON = ("aac", "libopus")
DEFAULT_LAYOUTS = {
    1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1",
}  # fmt: skip


@dataclass(frozen=True)
class AudioFormat:
    """An encoder with a sample rate in Hz and a channel layout that it accepts."""

    encoder: str
    rate: int
    layout: str

    def add_to(self, output: OutputContainer) -> Any:
        """A stream of the output, with the encoder open. Raises FFmpeg's error or `ValueError`."""
        stream: Any = output.add_stream(self.encoder, rate=self.rate)
        stream.codec_context.layout = self.layout
        stream.codec_context.open()
        return stream


def audio_formats(source: Any, output: OutputContainer) -> Iterator[AudioFormat]:
    """What this stream could be converted to, best first; one format for each encoder.

    It keeps rate and layout if the encoder accepts them. Nothing if the stream cannot be decoded.
    """
    context = source.codec_context
    if context is None or not context.rate or not context.layout.nb_channels:
        return
    default = PREFERRED.get(output.format.name) or output.default_audio_codec
    for encoder in dict.fromkeys([ENCODERS.get(default, default), *COMMON]):
        chosen = _accepted_format(encoder, context)
        if chosen is not None:
            yield chosen


def _accepted_format(encoder: str, context: Any) -> AudioFormat | None:
    rates = [48000] if encoder == "libopus" else [context.rate, 48000, 44100]
    default = DEFAULT_LAYOUTS.get(context.layout.nb_channels, "stereo")
    for layout in dict.fromkeys([context.layout.name, default, "stereo"]):
        for rate in rates:
            candidate = AudioFormat(encoder, rate, layout)
            if _opens(candidate):
                return candidate
    return None


def _opens(wanted: AudioFormat) -> bool:
    try:
        context: Any = av.CodecContext.create(wanted.encoder, "w")
        context.rate, context.layout = wanted.rate, wanted.layout
        context.format = context.codec.audio_formats[0]
        context.open()
    except (av.FFmpegError, ValueError, TypeError):
        return False
    return True


class TranscodedAudio:
    """Audio is decoded and encoded again at its times: gaps are filled with silence.

    lost: packets that could not be decoded.
    """

    def __init__(self, source: Any, target: Any) -> None:
        self._decoder, self._target = source.codec_context, target
        self._resampler: Any = None
        self._resampler_input: tuple[object, ...] = ()
        self._fifo = av.AudioFifo()
        self._rate: int = target.codec_context.rate
        # Times in samples, counted, because coarse container times would jitter.
        self._read_pts: int | None = None  # of the next sample from the queue
        self._written_pts = 0  # of the next sample to the queue
        self.lost = 0

    def packets(self, packet: Any | None) -> Iterator[Any]:
        """The encoded packets that are ready."""
        for frame in self._decode(packet):
            for resampled in self._resample(frame):
                yield from self._encode(resampled)
        if packet is None:
            for resampled in self._flush_resampler():
                yield from self._encode(resampled)
            rest = self._fifo.read(0, partial=True)
            if rest is not None:
                yield from self._target.encode(self._with_pts(rest))
            yield from self._target.encode(None)

    def _decode(self, packet: Any | None) -> list[Any]:
        try:
            return list(self._decoder.decode(packet))
        except av.EOFError:
            return []
        except av.FFmpegError:
            self.lost += 1
            return []

    def _resample(self, frame: Any) -> Iterator[Any]:
        """The frame in the encoder's format. Its own format may change midway."""
        resampler_input = (frame.format.name, frame.layout.name, frame.sample_rate)
        if resampler_input != self._resampler_input:
            yield from self._flush_resampler()
            context = self._target.codec_context
            self._resampler_input = resampler_input
            self._resampler = av.AudioResampler(
                format=context.format, layout=context.layout, rate=context.rate
            )
        yield from self._resampler.resample(frame)

    def _flush_resampler(self) -> Iterator[Any]:
        if self._resampler is not None:
            yield from self._resampler.resample(None)
            self._resampler = None

    def _encode(self, frame: Any) -> Iterator[Any]:
        if not self._is_late(frame):
            yield from self._fill_gap(frame)
            yield from self._write(frame)

    def _pts_of(self, frame: Any) -> int:
        """The frame's time in samples; the end of the last frame if it has none."""
        if frame.pts is None:
            return self._written_pts
        time: Fraction = frame.pts * Fraction(frame.time_base)
        return round(time * self._rate)

    def _is_late(self, frame: Any) -> bool:
        """True if the time of the frame has been written already: it is dropped."""
        if self._read_pts is None:
            return False
        late = self._written_pts - self._pts_of(frame)
        return late > TOLERANCE * self._rate

    def _fill_gap(self, frame: Any) -> Iterator[Any]:
        """Write silence up to the frame's time."""
        start = self._pts_of(frame)
        if self._read_pts is None:
            self._read_pts = self._written_pts = start
        missing = start - self._written_pts
        if missing <= TOLERANCE * self._rate:
            return
        while missing:
            samples = min(missing, SILENCE_SECONDS * self._rate)
            yield from self._write(self._silence(samples))
            missing -= samples

    def _silence(self, samples: int) -> Any:
        context = self._target.codec_context
        frame = av.AudioFrame(context.format.name, context.layout.name, samples)
        frame.sample_rate = self._rate
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        return frame

    def _write(self, frame: Any) -> Iterator[Any]:
        frame.pts = None
        frame.time_base = Fraction(1, self._rate)
        self._written_pts += frame.samples
        self._fifo.write(frame)
        size = self._target.codec_context.frame_size or frame.samples
        for chunk in self._fifo.read_many(size):
            yield from self._target.encode(self._with_pts(chunk))

    def _with_pts(self, chunk: Any) -> Any:
        chunk.pts, chunk.time_base = self._read_pts, Fraction(1, self._rate)
        self._read_pts = (self._read_pts or 0) + chunk.samples
        return chunk
