"""A live stream as a sink: the picture at the source's times, the sound in step with it."""

import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from threading import Lock
from typing import Any, Literal

import av
from av.container import OutputContainer
from av.video.frame import PictureType
from av.video.reformatter import VideoReformatter

from turbolens.filter.errors import MediaError
from turbolens.pipelines.base import Notify
from turbolens.pipelines.errors import reason
from turbolens.pipelines.video.encoders import EncoderChoice, choose_encoder, eight_bit_format
from turbolens.pipelines.webrtc.peer.certificate import CertificateFiles

from .audio import PATIENCE, StreamSound
from .clock import PictureClock
from .endpoints import Place
from .outlet import Outlet
from .source import TICKS

BITS_A_PIXEL = 0.1  # of a restyled picture, which has more edges than a camera's
TAIL = Fraction(1, 10)  # seconds of sound after the last picture
FIRST_SOUND = Fraction(3 * 1024, 48_000)  # silence with the first picture: a server is told of both
QUEUE = 3000  # frames of sound, a minute or so: the picture will not be later
BT709, LIMITED, FULL = 1, 1, 2


@dataclass(frozen=True)
class StreamEncoding:
    """How a live picture is encoded: at a steady bit rate, nothing held back, no B-frames.

    bit_rate: bits a second, none: by size and rate. keyframe_interval: seconds, which those who
    join wait at most. preset: the encoder's speed,
    none: one that leaves the processor to the filter.
    """

    codec: Literal["h264", "hevc"] = "h264"
    bit_rate: int | None = None
    keyframe_interval: Fraction = Fraction(2)
    preset: str | None = None
    hardware: bool = False


class StreamSink:
    """One output. It is opened by the first filtered frame, which decides the size.

    Sound is left with `hear` from any thread, and sent when the picture of its time has been: it is
    delayed as much as the filter delays the picture. What can be connected anew has `reopen`; a
    file or a pipe that fails has failed. Raises `MediaError`.
    """

    def __init__(
        self, place: Place, encoding: StreamEncoding, *, rate: Fraction, notify: Notify,
        has_sound: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        self.name, self.rate = place.name, rate
        self._place, self._encoding, self._notify = place, encoding, notify
        self._has_sound = has_sound
        self._clock = PictureClock()
        self._waiting: deque[tuple[av.AudioFrame, Fraction]] = deque(maxlen=QUEUE)
        self._lock = Lock()
        self._output: OutputContainer | None = None
        self._outlet: Outlet | None = None
        self._video: Any = None
        self._sound: StreamSound | None = None
        self._base = self._last = Fraction(0)
        self._reformatter = VideoReformatter()
        self._certificate: CertificateFiles | None = None
        if place.reopens:
            # Leaves what is broken; the next frame connects anew, and its time is 0 there.
            self.reopen = self._forget

    def hear(self, frame: av.AudioFrame, moment: Fraction) -> None:
        """Keep sound of this time (seconds, on the scale of the frames) until it is due."""
        with self._lock:
            self._waiting.append((frame, moment))

    def write(self, frame: av.VideoFrame) -> None:
        """Send one picture and the sound that belongs before it."""
        if self._output is None and frame.pts is None:
            return  # a slate before anything is known of the size
        moment = None if frame.pts is None else frame.pts * Fraction(frame.time_base or 1)
        self._last = stamp = self._clock(
            moment, Fraction(time.monotonic()).limit_denominator(TICKS)
        )
        try:
            if self._output is None:
                self._open(frame, stamp)
            self._mux(self._video.encode(self._prepared(frame, stamp)))
            self._send_sound(stamp)
            if self._outlet is not None:
                self._outlet.connected()
        except MediaError:
            raise
        except (av.FFmpegError, OSError, ValueError) as error:
            raise MediaError(f"cannot send to {self.name}: {reason(error)}") from error

    def _send_sound(self, until: Fraction) -> None:
        if self._sound is None:
            return
        for frame, moment in self._due(until):
            if moment >= self._base:
                self._mux(self._sound.push(frame, moment))
        if self._sound.heard < until - PATIENCE:
            self._mux(self._sound.silent(until - PATIENCE))

    def _due(self, until: Fraction) -> list[tuple[av.AudioFrame, Fraction]]:
        due = []
        with self._lock:
            while self._waiting and self._waiting[0][1] <= until:
                due.append(self._waiting.popleft())
        return due

    def abandon(self) -> None:
        """Give up at once what may be waiting for a server, from any thread."""
        outlet = self._outlet
        if outlet is not None:
            outlet.kill()

    def close(self) -> None:
        """Send what the encoders still hold, and disconnect."""
        if self._output is not None:
            with suppress(av.FFmpegError, OSError, ValueError):  # the other side may be gone
                self._flush()
        self._forget()
        if self._certificate is not None:
            self._certificate.close()
            self._certificate = None

    def _flush(self) -> None:
        self._mux(self._video.encode(None))
        if self._sound is not None:
            for frame, moment in self._due(self._last + TAIL):
                self._mux(self._sound.push(frame, moment))
            self._mux(self._sound.flush())

    def _forget(self) -> None:
        output, self._output, self._video, self._sound = self._output, None, None, None
        outlet, self._outlet = self._outlet, None
        if output is not None:
            with suppress(av.FFmpegError, OSError, ValueError):
                output.close()
        if outlet is not None:
            outlet.close()

    def _open(self, frame: av.VideoFrame, base: Fraction) -> None:
        place, options = self._place, dict(self._place.options)
        if place.format == "whip":
            self._certificate = files = self._certificate or CertificateFiles()
            options |= {"cert_file": str(files.certificate), "key_file": str(files.key)}
        if place.connects:
            self._outlet = Outlet(place, options)
            self._output = output = self._outlet.container()
        else:
            self._output = output = av.open(
                place.name, "w", format=place.format, container_options=options
            )
        try:
            self._video = self._add_picture(output, frame)
            self._base = base
            self._sound = StreamSound(output, place.sound, base) if self._has_sound() else None
            output.start_encoding()
            if self._outlet is not None and self._sound is not None:
                self._mux(self._sound.silent(base + FIRST_SOUND))
        except BaseException:
            self._forget()
            raise

    def _add_picture(self, output: OutputContainer, frame: av.VideoFrame) -> Any:
        width, height = frame.width // 2 * 2, frame.height // 2 * 2
        choice = live_encoder(self._encoding, self.rate, pixels=width * height)
        if self._place.format == "whip":
            choice.options["profile"] = "baseline"  # what every WebRTC peer must take
        video: Any = output.add_stream(
            choice.encoder, rate=self.rate, options=choice.options, width=width, height=height,
            time_base=Fraction(1, TICKS),
        )  # fmt: skip
        context = video.codec_context
        context.pix_fmt, context.time_base = eight_bit_format(choice.encoder), Fraction(1, TICKS)
        context.bit_rate = int(choice.options["b"])
        context.color_range = LIMITED
        context.colorspace = BT709 if frame.format.is_rgb else frame.colorspace
        return video

    def _prepared(self, frame: av.VideoFrame, stamp: Fraction) -> av.VideoFrame:
        """The frame in the encoder's size and format with its time in this output; a copy."""
        context = self._video.codec_context
        full = frame.format.is_rgb or frame.color_range == FULL
        prepared = self._reformatter.reformat(
            frame, width=context.width, height=context.height, format=context.pix_fmt,
            src_color_range=FULL if full else LIMITED, dst_color_range=LIMITED,
            dst_colorspace=BT709 if frame.format.is_rgb else None,
        )  # fmt: skip
        if prepared is frame:  # frames are left as they are: another sink may have them too
            prepared = av.VideoFrame.from_ndarray(frame.to_ndarray(), format=frame.format.name)
            prepared.colorspace, prepared.color_range = frame.colorspace, frame.color_range
        prepared.pts = round((stamp - self._base) * TICKS)
        prepared.time_base = Fraction(1, TICKS)
        prepared.pict_type = PictureType.NONE
        return prepared

    def _mux(self, packets: Iterable[Any]) -> None:
        assert self._output is not None  # noqa: S101 - opened by the first frame
        for packet in packets:
            self._output.mux(packet)


def live_encoder(encoding: StreamEncoding, rate: Fraction, *, pixels: int) -> EncoderChoice:
    """The encoder and its options for a steady live picture. Raises `MediaError` as it must."""
    preset = encoding.preset or (None if encoding.hardware else "veryfast")
    choice = choose_encoder(encoding.codec, crf=None, preset=preset, hardware=encoding.hardware)
    bits = encoding.bit_rate or round(BITS_A_PIXEL * pixels * rate)
    options = {name: value for name, value in choice.options.items() if name in KEPT}
    options |= {
        "b": str(bits), "maxrate": str(bits), "bufsize": str(bits), "bf": "0",
        "g": str(max(1, round(encoding.keyframe_interval * rate))),
    }  # fmt: skip
    options |= LOW_LATENCY.get(choice.encoder.partition("_")[2] or choice.encoder, {})
    return EncoderChoice(choice.codec, choice.encoder, options)


KEPT = ("preset", "x265-params")
LOW_LATENCY = {
    "libx264": {"tune": "zerolatency"},
    "libx265": {"tune": "zerolatency"},
    "nvenc": {"tune": "ull", "zerolatency": "1", "rc": "cbr"},
    "videotoolbox": {"realtime": "1"},
    "qsv": {"low_delay_brc": "1", "async_depth": "1"},
    "amf": {"usage": "ultralowlatency"},
}
