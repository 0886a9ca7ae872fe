"""A live stream as a sink: video at the source's timestamps, with its audio in sync."""

import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from fractions import Fraction
from threading import Lock
from typing import Any

import av
from av.container import OutputContainer
from av.video.frame import PictureType
from av.video.reformatter import VideoReformatter

from turbolens.filter.errors import MediaError
from turbolens.pipelines.base import Notify
from turbolens.pipelines.errors import output_reason
from turbolens.pipelines.video.encoders.choice import eight_bit_format
from turbolens.pipelines.webrtc.peer.certificate import CertificateFiles

from .audio import MAX_LAG, AudioStream
from .clock import FrameClock
from .encoding import StreamEncoding, live_encoder
from .endpoints import Endpoint
from .sender_process import SenderProcess
from .source import TICKS

TAIL = Fraction(1, 10)  # seconds of audio sent after the last frame
FIRST_AUDIO = Fraction(3 * 1024, 48_000)  # seconds of silence that announce the audio to a server
AUDIO_QUEUE_SIZE = 3000  # audio frames, about a minute: the longest delay of the video
BT709, LIMITED, FULL = 1, 1, 2


class StreamSink:
    """One output. It is opened by the first filtered frame, which decides the size.

    Audio comes through `write_audio` from any thread, and is sent after the frame of its time, so
    that it has the same delay as the filtered video. A sink that can be connected again has the
    method `reopen`; an error of a file or pipe is final. `has_sent` is true once a frame was sent.
    Raises `MediaError`.
    """

    def __init__(
        self, endpoint: Endpoint, encoding: StreamEncoding, *, rate: Fraction, notify: Notify,
        has_audio: Callable[[], bool] = lambda: False,
        sample_aspect_ratio: Callable[[], Fraction] = lambda: Fraction(1),
    ) -> None:  # fmt: skip
        self.name, self.rate = endpoint.name, rate
        self._endpoint, self._encoding, self._notify = endpoint, encoding, notify
        self._has_audio, self._sample_aspect_ratio = has_audio, sample_aspect_ratio
        self.has_sent = False
        self._clock = FrameClock()
        self._queued_audio: deque[tuple[av.AudioFrame, Fraction]] = deque(maxlen=AUDIO_QUEUE_SIZE)
        self._lock = Lock()
        self._output: OutputContainer | None = None
        self._sender: SenderProcess | None = None
        self._video: Any = None
        self._audio: AudioStream | None = None
        self._base = self._last = Fraction(0)
        self._reformatter = VideoReformatter()
        self._certificate: CertificateFiles | None = None
        if endpoint.can_reopen:
            # Closes the broken connection; the next frame connects again and has time 0 there.
            self.reopen = self._disconnect

    def write_audio(self, frame: av.AudioFrame, at: Fraction) -> None:
        """Queue audio of the time `at`, in seconds, until the video frame of that time is sent."""
        with self._lock:
            self._queued_audio.append((frame, at))

    def write(self, frame: av.VideoFrame) -> None:
        """Send one frame, and the audio that belongs before it."""
        if self._output is None and frame.pts is None:
            return  # a slate before the stream's size is known
        source_time = None if frame.pts is None else frame.pts * Fraction(frame.time_base or 1)
        self._last = timestamp = self._clock(source_time, _now())
        try:
            if self._output is None:
                self._open(frame, timestamp)
            self._mux(self._video.encode(self._prepared(frame, timestamp)))
            self._send_audio(timestamp)
            if self._sender is not None:
                self._sender.wait_connected()
            self.has_sent = True
        except MediaError:
            raise
        except (av.FFmpegError, OSError, ValueError) as error:
            raise MediaError(f"cannot send to {self.name}: {output_reason(error)}") from error

    def _send_audio(self, until: Fraction) -> None:
        if self._audio is None:
            return
        for frame, moment in self._due_audio(until):
            if moment >= self._base:
                self._mux(self._audio.encode(frame, moment))
        if self._audio.end < until - MAX_LAG:
            self._mux(self._audio.fill(until - MAX_LAG))

    def _due_audio(self, until: Fraction) -> list[tuple[av.AudioFrame, Fraction]]:
        due = []
        with self._lock:
            while self._queued_audio and self._queued_audio[0][1] <= until:
                due.append(self._queued_audio.popleft())
        return due

    def abandon(self) -> None:
        """End at once what may be blocked by a server. May be called from any thread."""
        sender = self._sender
        if sender is not None:
            sender.kill()

    def close(self) -> None:
        """Send what the encoders still hold, and disconnect. May be called twice."""
        if self._output is not None:
            with suppress(av.FFmpegError, OSError, ValueError):  # the server may be gone
                self._flush()
        self._disconnect()
        if self._certificate is not None:
            self._certificate.close()
            self._certificate = None

    def _flush(self) -> None:
        self._mux(self._video.encode(None))
        if self._audio is not None:
            for frame, moment in self._due_audio(self._last + TAIL):
                self._mux(self._audio.encode(frame, moment))
            self._mux(self._audio.flush())

    def _disconnect(self) -> None:
        output, self._output, self._video, self._audio = self._output, None, None, None
        sender, self._sender = self._sender, None
        if output is not None:
            with suppress(av.FFmpegError, OSError, ValueError):
                output.close()
        if sender is not None:
            sender.close()

    def _open(self, frame: av.VideoFrame, base: Fraction) -> None:
        self._output = output = self._open_output()
        try:
            self._video = self._add_video(output, frame)
            self._base = base
            if self._has_audio():
                self._audio = AudioStream(output, self._endpoint.audio_codec, base)
            output.start_encoding()
            if self._sender is not None and self._audio is not None:
                self._mux(self._audio.fill(base + FIRST_AUDIO))
        except BaseException:
            self._disconnect()
            raise

    def _open_output(self) -> OutputContainer:
        endpoint, options = self._endpoint, dict(self._endpoint.options)
        if endpoint.format == "whip":
            self._certificate = files = self._certificate or CertificateFiles()
            options |= {"cert_file": str(files.certificate), "key_file": str(files.key)}
        if endpoint.has_server:
            self._sender = SenderProcess(endpoint, options)
            return self._sender.container()
        return av.open(endpoint.name, "w", format=endpoint.format, container_options=options)

    def _add_video(self, output: OutputContainer, frame: av.VideoFrame) -> Any:
        width, height = frame.width // 2 * 2, frame.height // 2 * 2
        choice = live_encoder(self._encoding, self.rate, pixels=width * height)
        if self._endpoint.format == "whip":
            choice.options["profile"] = "baseline"  # the one that every WebRTC peer decodes
        video: Any = output.add_stream(
            choice.encoder, rate=self.rate, options=choice.options, width=width, height=height,
            time_base=Fraction(1, TICKS),
        )  # fmt: skip
        context = video.codec_context
        context.pix_fmt, context.time_base = eight_bit_format(choice.encoder), Fraction(1, TICKS)
        context.bit_rate = int(choice.options["b"])
        context.sample_aspect_ratio = self._sample_aspect_ratio()
        context.color_range = LIMITED
        context.colorspace = BT709 if frame.format.is_rgb else frame.colorspace
        return video

    def _prepared(self, frame: av.VideoFrame, timestamp: Fraction) -> av.VideoFrame:
        """A copy in the encoder's size and format, with its time in this output."""
        context = self._video.codec_context
        full = frame.format.is_rgb or frame.color_range == FULL
        prepared = self._reformatter.reformat(
            frame, width=context.width, height=context.height, format=context.pix_fmt,
            src_color_range=FULL if full else LIMITED, dst_color_range=LIMITED,
            dst_colorspace=BT709 if frame.format.is_rgb else None,
        )  # fmt: skip
        if prepared is frame:  # a sink leaves frames as they are: others may have them too
            prepared = av.VideoFrame.from_ndarray(frame.to_ndarray(), format=frame.format.name)
            prepared.colorspace, prepared.color_range = frame.colorspace, frame.color_range
        prepared.pts = round((timestamp - self._base) * TICKS)
        prepared.time_base = Fraction(1, TICKS)
        prepared.pict_type = PictureType.NONE
        return prepared

    def _mux(self, packets: Iterable[Any]) -> None:
        assert self._output is not None  # noqa: S101 - opened by the first frame
        for packet in packets:
            self._output.mux(packet)


def _now() -> Fraction:
    return Fraction(time.monotonic()).limit_denominator(TICKS)
