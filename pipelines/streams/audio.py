"""The sound of a live stream: encoded anew, each sample at its time, silence where there is none.

It is never copied: after a reconnection the stream may come in another codec, rate or layout.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np

from .clock import SampleClock

RATE, LAYOUT, CHANNELS = 48_000, "stereo", 2
BIT_RATE = 128_000
PATIENCE = Fraction(1, 2)  # seconds that the sound may lag before silence is sent in its place


class StreamSound:
    """One stream of sound in an output. `base` is the time that the output calls 0, in seconds."""

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
        self._key: tuple[str, str, int] | None = None
        self._clock.place(base, 0)

    def push(self, frame: av.AudioFrame, time: Fraction) -> Iterator[Any]:
        """Packets that are ready, after this sound of that time has come."""
        key = frame.format.name, frame.layout.name, frame.sample_rate
        if key != self._key:
            self._key = key
            self._resampler = av.AudioResampler(format=self._format, layout=LAYOUT, rate=RATE)
        assert self._resampler is not None  # noqa: S101 - made with the first key
        frame.pts = None
        for resampled in self._resampler.resample(frame):
            change = self._clock.place(time, resampled.samples)
            if change > 0:
                self._write(self._silence(change))
            self._write(self._without(resampled, -change))
            time += Fraction(resampled.samples, RATE)
        yield from self._encoded()

    def silent(self, until: Fraction) -> Iterator[Any]:
        """Packets of silence, so that a picture without sound is not waited with."""
        missing = self._clock.place(until, 0)
        if missing > 0:
            self._write(self._silence(missing))
        yield from self._encoded()

    @property
    def heard(self) -> Fraction:
        """Until when there is sound, in seconds."""
        return Fraction(self._clock.position, RATE)

    def _write(self, frame: av.AudioFrame | None) -> None:
        if frame is not None and frame.samples:
            frame.pts = None
            self._fifo.write(frame)

    def _encoded(self) -> Iterator[Any]:
        size = self._stream.codec_context.frame_size or 1024
        while (waiting := self._fifo.samples) >= size:
            yield from self._encode(self._fifo.read(size), waiting)

    def flush(self) -> Iterator[Any]:
        """What is left, and what the encoder still holds."""
        left = self._fifo.samples
        if left:
            yield from self._encode(self._fifo.read(left), left)
        yield from self._stream.encode(None)

    def _encode(self, chunk: Any, still_there: int) -> Iterator[Any]:
        """`still_there`: how many samples before the clock's position it begins."""
        chunk.pts = self._clock.position - still_there - self._base
        chunk.time_base = Fraction(1, RATE)
        yield from self._stream.encode(chunk)

    def _silence(self, samples: int) -> av.AudioFrame:
        frame = av.AudioFrame(format=self._format, layout=LAYOUT, samples=samples)
        frame.sample_rate = RATE
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        return frame

    def _without(self, frame: av.AudioFrame, count: int) -> av.AudioFrame | None:
        """The frame without its first samples; none if none are left."""
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
