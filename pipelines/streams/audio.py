"""The audio of a live stream, encoded again at its timestamps, with silence where there is none.

Packets are never copied: after a reconnection the codec, rate or layout may differ.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np

from .clock import SampleClock

RATE, LAYOUT, CHANNELS = 48_000, "stereo", 2
BIT_RATE = 128_000
MAX_LAG = Fraction(1, 2)  # seconds that audio may be late before silence is sent instead
DEFAULT_FRAME_SIZE = 1024


class AudioStream:
    """One audio stream of an output. base: the time, in seconds, that is 0 in the output."""

    def __init__(self, output: Any, codec: str, base: Fraction) -> None:
        self._stream: Any = output.add_stream(codec, rate=RATE, layout=LAYOUT)
        self._stream.codec_context.bit_rate = BIT_RATE
        self._stream.time_base = self._stream.codec_context.time_base = Fraction(1, RATE)
        self._stream.codec_context.open()
        self._format = self._stream.codec_context.format.name
        self._base = round(base * RATE)
        self._clock = SampleClock(RATE)
        self._fifo = av.AudioFifo()
        self._resampler: av.AudioResampler | None = None
        self._input_format: tuple[str, str, int] | None = None
        self._clock.add(base, 0)

    def encode(self, frame: av.AudioFrame, time: Fraction) -> Iterator[Any]:
        """Packets that are ready once this audio has been added at its time."""
        frame.pts = None
        for resampled in self._resampled(frame):
            change = self._clock.add(time, resampled.samples)
            if change > 0:
                self._queue(self._silence(change))
            self._queue(self._without_start(resampled, -change))
            time += Fraction(resampled.samples, RATE)
        yield from self._encode_queued()

    def fill(self, until: Fraction) -> Iterator[Any]:
        """Packets of silence up to a time, so that players do not wait for missing audio."""
        missing = self._clock.add(until, 0)
        if missing > 0:
            self._queue(self._silence(missing))
        yield from self._encode_queued()

    @property
    def end(self) -> Fraction:
        """The time up to which there is audio, in seconds."""
        return Fraction(self._clock.position, RATE)

    def flush(self) -> Iterator[Any]:
        """The last packets: queued samples, and those that the encoder holds."""
        left = self._fifo.samples
        if left:
            yield from self._encode(self._fifo.read(left), left)
        yield from self._stream.encode(None)

    def _resampled(self, frame: av.AudioFrame) -> list[av.AudioFrame]:
        input_format = frame.format.name, frame.layout.name, frame.sample_rate
        if self._resampler is None or input_format != self._input_format:
            self._input_format = input_format
            self._resampler = av.AudioResampler(format=self._format, layout=LAYOUT, rate=RATE)
        return self._resampler.resample(frame)

    def _queue(self, frame: av.AudioFrame | None) -> None:
        if frame is not None and frame.samples:
            frame.pts = None
            self._fifo.write(frame)

    def _encode_queued(self) -> Iterator[Any]:
        size = self._stream.codec_context.frame_size or DEFAULT_FRAME_SIZE
        while (queued := self._fifo.samples) >= size:
            yield from self._encode(self._fifo.read(size), queued)

    def _encode(self, chunk: Any, queued: int) -> Iterator[Any]:
        """Encode the first of `queued` samples, which end at the clock's position."""
        chunk.pts = self._clock.position - queued - self._base
        chunk.time_base = Fraction(1, RATE)
        yield from self._stream.encode(chunk)

    def _silence(self, samples: int) -> av.AudioFrame:
        frame = av.AudioFrame(format=self._format, layout=LAYOUT, samples=samples)
        frame.sample_rate = RATE
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        return frame

    def _without_start(self, frame: av.AudioFrame, count: int) -> av.AudioFrame | None:
        """The frame without its first `count` samples; `None` if nothing is left."""
        if count <= 0:
            return frame
        if count >= frame.samples:
            return None
        samples: Any = frame.to_ndarray()
        first = count if frame.format.is_planar else count * CHANNELS
        rest = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples[:, first:]), format=self._format, layout=LAYOUT
        )
        rest.sample_rate = RATE
        return rest
